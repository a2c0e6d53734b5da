import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ADMIN, assertProblem } from '@mintmark/test-support/admin';
import { sqlOn } from '@mintmark/test-support/command-line';
import { exchange } from '@mintmark/test-support/http';
import {
  auditOf,
  browser,
  codeOf,
  makeOperator,
  PASSWORD,
  SESSION_COOKIE,
  turnOnSecondFactor,
} from '@mintmark/test-support/operators';
import { startServer, type TestServer } from '@mintmark/test-support/server';

// How operators sign in, on one server; the limits have a file of their own.

const WIDE = {
  MINTMARK_TEST_SIGN_IN_LIMIT: '100000',
  MINTMARK_TEST_SIGN_IN_ADDRESS_LIMIT: '100000',
  MINTMARK_TEST_SIGN_IN_ACCOUNT_LIMIT: '100000',
};

let server: TestServer;

before(async () => {
  server = await startServer({ env: WIDE });
  await makeOperator(server, 'Ada@example.com', 'admin');
});
after(async () => {
  await server.stop();
  await server[Symbol.asyncDispose]();
});

test('security 17: signing in sets a cookie that no script, no other site and no unencrypted page gets', async () => {
  const ada = browser(server);
  const reply = await ada.signIn('ada@EXAMPLE.com');
  const cookies = reply.headers['set-cookie'] ?? [];
  const session = cookies.find((line) => line.startsWith(`${SESSION_COOKIE}=`)) ?? '';
  assert.match(session, /^__Host-mintmark_session=[\w-]{43}; /);
  const attributes = session.split('; ').slice(1).toSorted();
  assert.deepEqual(attributes, ['HttpOnly', 'Path=/', 'SameSite=Strict', 'Secure']);
  for (const line of cookies) assert.match(line, /HttpOnly; Secure; SameSite=Strict/);
  const { actor, expires_at: expiresAt } = reply.body as {
    actor: Record<string, unknown>;
    expires_at: string;
  };
  assert.deepEqual(
    { ...actor, id: '' },
    {
      kind: 'operator',
      id: '',
      name: 'Ada@example.com',
      role: 'admin',
      second_factor: false,
    },
  );
  assert.ok(Math.abs(Date.parse(expiresAt) - Date.now() - 1_800_000) < 10_000);
  assert.deepEqual((await ada.get('/session')).body, reply.body);
});

test('security 17: session fixation: a session id that was there before is not the one after signing in', async () => {
  const planted = 'A'.repeat(43);
  const ada = browser(server);
  ada.cookies.set(SESSION_COOKIE, planted);
  await ada.signIn('ada@example.com');
  const first = ada.cookies.get(SESSION_COOKIE);
  assert.notEqual(first, planted);
  const attacker = browser(server);
  attacker.cookies.set(SESSION_COOKIE, planted);
  assertProblem(await attacker.get('/session'), 401, 'not_signed_in');
  // Again in the same browser: the session of before is over.
  await ada.signIn('ada@example.com');
  assert.notEqual(ada.cookies.get(SESSION_COOKIE), first);
  attacker.cookies.set(SESSION_COOKIE, first ?? '');
  assertProblem(await attacker.get('/session'), 401, 'not_signed_in');
});

test('security 17: a change with the cookie but from another site, or from nowhere, is refused', async () => {
  const ada = browser(server);
  await ada.signIn('ada@example.com');
  const change = { email: 'cross@example.com', role: 'viewer' };
  const host = `localhost:${server.port}`;
  for (const headers of [
    {},
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site', Origin: `http://${host}` },
    { 'Sec-Fetch-Site': 'none' },
    { Origin: 'https://evil.example.com' },
    { Origin: `http://${host}.evil.example.com` },
    { Origin: `http://localhost:${server.port + 1}` },
    { Origin: 'null' },
    { Referer: `http://${host}/console` },
  ]) {
    const reply = await ada.send('POST', '/operators', change, headers);
    assertProblem(reply, 403, 'cross_site');
  }
  for (const path of ['/session', '/profile/second-factor']) {
    assertProblem(await ada.send('DELETE', path, undefined, {}), 403, 'cross_site');
  }
  const operators = await ada.get('/operators');
  assert.equal((operators.body['items'] as unknown[]).length, 1);
  for (const headers of [{ 'Sec-Fetch-Site': 'same-origin' }, { Origin: `http://${host}` }]) {
    const email = `${Object.keys(headers)[0]?.toLowerCase()}@example.com`;
    const reply = await ada.send('POST', '/operators', { email, role: 'viewer' }, headers);
    assert.equal(reply.status, 201, reply.text);
    await server.cli('operator', 'remove', email);
  }
});

test('security 17: another site cannot make a browser sign in, a program can', async () => {
  const asked = { email: 'ada@example.com', password: PASSWORD };
  for (const headers of [{ 'Sec-Fetch-Site': 'cross-site' }, { Origin: 'https://evil.example.com' }]) {
    const reply = await browser(server).send('POST', '/session', asked, headers);
    assertProblem(reply, 403, 'cross_site');
    assert.equal(reply.headers['set-cookie'], undefined);
  }
  assert.equal((await browser(server).send('POST', '/session', asked, {})).status, 200);
  // A form of another site: no body of its types is read.
  for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data']) {
    const headers = { 'Content-Type': type };
    const reply = await exchange(server.port, {
      path: `${ADMIN}/session`,
      headers,
      body: JSON.stringify(asked),
    });
    assertProblem(reply, 415, 'unsupported_media_type');
  }
});

test('an unknown e-mail address, a wrong password and an invited operator get the same answer', async () => {
  await server.cli('operator', 'create', '--email', 'invited@example.com', '--role', 'viewer');
  const answers = new Set<string>();
  for (const email of ['ada@example.com', 'nobody@example.com', 'invited@example.com']) {
    const reply = await browser(server).send('POST', '/session', { email, password: 'wrong password' });
    assertProblem(reply, 401, 'wrong_credentials');
    const { trace_id: _, ...body } = reply.body;
    const { 'x-request-id': _id, date: _date, ...headers } = reply.headers;
    answers.add(JSON.stringify([body, headers]));
  }
  assert.equal(answers.size, 1, Array.from(answers).join('\n'));
  await server.cli('operator', 'remove', 'invited@example.com');
});

test('signing out ends the session on the server, and clears the cookie', async () => {
  const ada = browser(server);
  await ada.signIn('ada@example.com');
  const token = ada.cookies.get(SESSION_COOKIE) ?? '';
  const reply = await ada.send('DELETE', '/session');
  assert.equal(reply.status, 204);
  assert.equal(ada.cookies.has(SESSION_COOKIE), false);
  ada.cookies.set(SESSION_COOKIE, token);
  assertProblem(await ada.get('/session'), 401, 'not_signed_in');
});

test('a code of the second factor is asked for after the right password only, and taken once', async () => {
  await makeOperator(server, 'grace@example.com', 'viewer');
  const grace = browser(server);
  await grace.signIn('grace@example.com');
  const { secret } = await turnOnSecondFactor(server, grace);
  const attempt = (password: string, code?: string) =>
    browser(server).send('POST', '/session', {
      email: 'grace@example.com',
      password,
      ...(code !== undefined && { code }),
    });
  assertProblem(await attempt('wrong password'), 401, 'wrong_credentials');
  assertProblem(await attempt('wrong password', codeOf(secret)), 401, 'wrong_credentials');
  assertProblem(await attempt(PASSWORD), 401, 'second_factor_required');
  assertProblem(await attempt(PASSWORD, '000000'), 401, 'wrong_credentials');
  const code = codeOf(secret);
  const first = await attempt(PASSWORD, `${code.slice(0, 3)} ${code.slice(3)}`);
  assert.equal(first.status, 200, first.text);
  assert.equal((first.body['actor'] as { second_factor: boolean }).second_factor, true);
  assertProblem(await attempt(PASSWORD, code), 401, 'wrong_credentials');
  assertProblem(await attempt(PASSWORD, codeOf(secret, -1)), 401, 'wrong_credentials');
  assert.equal((await attempt(PASSWORD, codeOf(secret, 1))).status, 200, 'the one after it');
  assertProblem(await attempt(PASSWORD, codeOf(secret, 3)), 401, 'wrong_credentials');
});

test('of many sign-ins with one code at once, one succeeds', async () => {
  await makeOperator(server, 'many@example.com', 'viewer');
  const many = browser(server);
  await many.signIn('many@example.com');
  const { secret } = await turnOnSecondFactor(server, many);
  const asked = { email: 'many@example.com', password: PASSWORD, code: codeOf(secret) };
  const replies = await Promise.all(
    Array.from({ length: 4 }, () => browser(server).send('POST', '/session', asked)),
  );
  assert.equal(replies.filter(({ status }) => status === 200).length, 1);
});

test('a recovery code signs in once, in whatever letter case, and the others go on working', async () => {
  await makeOperator(server, 'joan@example.com', 'viewer');
  const joan = browser(server);
  await joan.signIn('joan@example.com');
  const { recoveryCodes } = await turnOnSecondFactor(server, joan);
  assert.equal(recoveryCodes.length, 10);
  assert.equal(new Set(recoveryCodes).size, 10);
  const attempt = (code: string) =>
    browser(server).send('POST', '/session', { email: 'joan@example.com', password: PASSWORD, code });
  const [first = '', second = ''] = recoveryCodes;
  assert.equal((await attempt(first.toLowerCase().replaceAll('-', ' '))).status, 200);
  assertProblem(await attempt(first), 401, 'wrong_credentials');
  assert.equal((await attempt(second)).status, 200);
});

test('wrong codes in a row lock the second factor for a while, for who knows the password only', async () => {
  await makeOperator(server, 'locked@example.com', 'viewer');
  const owner = browser(server);
  await owner.signIn('locked@example.com');
  const { secret, recoveryCodes } = await turnOnSecondFactor(server, owner);
  const attempt = (code: string) =>
    browser(server).send('POST', '/session', { email: 'locked@example.com', password: PASSWORD, code });
  for (let i = 0; i < 5; i++) assertProblem(await attempt('000000'), 401, 'wrong_credentials');
  for (const code of [codeOf(secret), recoveryCodes[0] ?? '']) {
    const reply = await attempt(code);
    assertProblem(reply, 429, 'too_many');
    const wait = Number(reply.headers['retry-after']);
    assert.ok(wait > 20 && wait <= 30, `${wait} s`);
  }
  // Released by the time: as if it had passed.
  sqlOn(
    `${server.dataDir}/mintmark.db`,
    "update operators set codes_locked_until = 1 where email_key = 'locked@example.com'",
  );
  assert.equal((await attempt(codeOf(secret))).status, 200);
  const refused = (await auditOf(server)).filter(
    ({ action, outcome, actor }) =>
      action === 'session.sign_in' && outcome === 'refused' && actor.name === 'locked@example.com',
  );
  assert.equal(refused.length, 5);
  assert.match(refused[0]?.reason ?? '', /The password was right, the code .* was not/);
});

test('a session ends after its idle time, at its absolute end however busy it is, and is removed', async () => {
  await using short = await startServer({ env: { MINTMARK_SESSION_IDLE: '2', MINTMARK_SESSION_LIFE: '5' } });
  await makeOperator(short, 'ada@example.com', 'viewer');
  const idle = browser(short);
  const busy = browser(short);
  await busy.signIn('ada@example.com');
  await idle.signIn('ada@example.com');
  const startedAt = performance.now();
  let endedAfterMs = 0;
  while (endedAfterMs === 0) {
    await sleep(200);
    const { status } = await busy.get('/session');
    if (status === 401) endedAfterMs = performance.now() - startedAt;
    assert.ok(performance.now() - startedAt < 9000, 'the session goes on for ever');
  }
  assert.ok(endedAfterMs > 3500, `it ended after ${endedAfterMs} ms although there were requests`);
  assertProblem(await idle.get('/session'), 401, 'not_signed_in');
  await short.stop();
});

test('sign-ins and sign-outs are in the audit log with who, from where and with which session', async () => {
  const ada = browser(server);
  await ada.signIn('ada@example.com');
  const sessions = (await ada.get('/profile/sessions')).body['items'] as { id: string; current: boolean }[];
  const id = sessions.find(({ current }) => current)?.id;
  await ada.send('DELETE', '/session');
  const [signIn, signOut] = (await auditOf(server)).filter(({ subject }) => subject.id === id);
  for (const [entry, action] of [
    [signIn, 'session.sign_in'],
    [signOut, 'session.sign_out'],
  ] as const) {
    assert.equal(entry?.action, action);
    assert.equal(entry.actor.name, 'Ada@example.com');
    assert.equal(entry.actor.address, '127.0.0.1');
    assert.equal(entry.related?.id, entry.actor.id);
  }
});

test('security 15: of passwords, session ids and codes the store holds digests and sealed texts only', async () => {
  const path = `${server.dataDir}/mintmark.db`;
  for (const { password_hash: hash, sealed_totp_secret: sealed } of sqlOn(path, 'select * from operators')) {
    assert.match(hash as string, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    if (sealed !== null) assert.match(sealed as string, /^[\w-]{80}$/);
  }
  for (const { digest } of sqlOn(
    path,
    'select digest from sessions union select digest from recovery_codes',
  )) {
    assert.match(digest as string, /^[\w-]{43}$/);
  }
  // That none of those that these tests used is in the store or the log is asserted when the server stops.
});
