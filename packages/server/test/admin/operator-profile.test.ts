import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertProblem } from '@mintmark/test-support/admin';
import {
  browser,
  codeOf,
  makeOperator,
  OTHER_PASSWORD,
  PASSWORD,
  SESSION_COOKIE,
  turnOnSecondFactor,
  type Browser,
} from '@mintmark/test-support/operators';
import { startServer, type TestServer } from '@mintmark/test-support/server';

// What operators do about what is their own: password, second factor, sessions.

let server: TestServer;

before(async () => {
  const wide = { MINTMARK_TEST_SIGN_IN_LIMIT: '100000', MINTMARK_TEST_SIGN_IN_ADDRESS_LIMIT: '100000' };
  server = await startServer({ env: { ...wide, MINTMARK_TEST_SIGN_IN_ACCOUNT_LIMIT: '100000' } });
});
after(async () => {
  await server.stop();
  await server[Symbol.asyncDispose]();
});

async function signedIn(email: string): Promise<Browser> {
  await makeOperator(server, email, 'viewer');
  const one = browser(server);
  await one.signIn(email);
  return one;
}

test('changing the password needs the old one, and ends the other sessions but not this one', async () => {
  const here = await signedIn('change@example.com');
  const there = browser(server);
  await there.signIn('change@example.com');
  server.noteSecret(OTHER_PASSWORD);
  const change = (current: string, next: string) =>
    here.send('PUT', '/profile/password', { current_password: current, new_password: next });
  assertProblem(await change('wrong password', OTHER_PASSWORD), 401, 'wrong_credentials');
  assertProblem(await change(PASSWORD, 'password1234'), 400, 'invalid');
  assert.equal((await there.get('/session')).status, 200);
  assert.equal((await change(PASSWORD, OTHER_PASSWORD)).status, 204);
  assert.equal((await here.get('/session')).status, 200);
  assertProblem(await there.get('/session'), 401, 'not_signed_in');
  await browser(server).signIn('change@example.com', OTHER_PASSWORD);
});

test('the second factor counts once a code confirmed it, and is turned off with password and code', async () => {
  const one = await signedIn('factor@example.com');
  const wrong = await one.send('POST', '/profile/second-factor', { current_password: 'wrong password' });
  assertProblem(wrong, 401, 'wrong_credentials');
  assertProblem(await one.send('PUT', '/profile/second-factor', { code: '123456' }), 409, 'conflict');
  const begun = await one.send('POST', '/profile/second-factor', { current_password: PASSWORD });
  const { secret, otpauth_uri: uri } = begun.body as { secret: string; otpauth_uri: string };
  server.noteSecret(secret);
  assert.match(uri, /^otpauth:\/\/totp\/Mintmark%20localhost%3A\d+:factor%40example\.com\?/);
  assert.equal(new URL(uri).searchParams.get('secret'), secret);
  await browser(server).signIn('factor@example.com'); // not yet
  const right = codeOf(secret);
  const other = right === '000000' ? '000001' : '000000';
  assertProblem(await one.send('PUT', '/profile/second-factor', { code: other }), 400, 'invalid');
  const done = await one.send('PUT', '/profile/second-factor', { code: codeOf(secret) });
  assert.equal(done.status, 200, done.text);
  for (const code of done.body['recovery_codes'] as string[]) {
    assert.match(code, /^([2-9A-HJ-NP-TV-Z]{4}-){3}[2-9A-HJ-NP-TV-Z]{4}$/);
    server.noteSecret(code);
  }
  const asked = { email: 'factor@example.com', password: PASSWORD };
  assertProblem(await browser(server).send('POST', '/session', asked), 401, 'second_factor_required');
  const off = (password: string, code: string) =>
    one.send('DELETE', '/profile/second-factor', { current_password: password, code });
  const next = codeOf(secret, 1);
  assertProblem(await off('wrong password', next), 401, 'wrong_credentials');
  assert.equal((await off(PASSWORD, next)).status, 204);
  assertProblem(await off(PASSWORD, next), 409, 'conflict');
  await browser(server).signIn('factor@example.com');
});

test('own sessions are listed with where they are from, and ended one by one; nobody else’s are', async () => {
  const one = await signedIn('sessions@example.com');
  const other = await signedIn('stranger@example.com');
  const elsewhere = browser(server);
  await elsewhere.send(
    'POST',
    '/session',
    { email: 'sessions@example.com', password: PASSWORD },
    { 'User-Agent': `<script>\u00e9 ${'x'.repeat(500)}` },
  );
  const list = async (of: Browser) =>
    (await of.get('/profile/sessions')).body['items'] as {
      id: string;
      address: string;
      user_agent: string;
      current: boolean;
    }[];
  const own = await list(one);
  assert.equal(own.length, 2);
  assert.equal(own.filter(({ current }) => current).length, 1);
  const there = own.find(({ current }) => !current)!;
  assert.equal(there.address, '127.0.0.1');
  assert.ok(there.user_agent.length <= 200);
  assertProblem(await other.send('DELETE', `/profile/sessions/${there.id}`), 404, 'not_found');
  assert.equal((await elsewhere.get('/session')).status, 200);
  assert.equal((await one.send('DELETE', `/profile/sessions/${there.id}`)).status, 204);
  assertProblem(await elsewhere.get('/session'), 401, 'not_signed_in');
  assert.equal((await list(one)).length, 1);
  assert.ok(!JSON.stringify(own).includes(one.cookies.get(SESSION_COOKIE) ?? 'missing'));
});

test('an operator has twenty sessions at most: one more ends the oldest', async () => {
  const oldest = await signedIn('twenty@example.com');
  for (let i = 0; i < 20; i++) await browser(server).signIn('twenty@example.com');
  assertProblem(await oldest.get('/session'), 401, 'not_signed_in');
});

/** A code of the app that is wrong, and none of the neighbouring steps either. */
function wrongCodeOf(secret: string): string {
  const right = new Set([-2, -1, 0, 1, 2].map((steps) => codeOf(secret, steps)));
  return ['000000', '000001', '000002', '000003', '000004', '000005'].find((code) => !right.has(code)) ?? '';
}

test('the second factor is turned off with a code of it, or a recovery code', async () => {
  const one = await signedIn('factor-off@example.com');
  const { secret, recoveryCodes } = await turnOnSecondFactor(server, one);
  const off = (asked: Record<string, string>) =>
    one.send('DELETE', '/profile/second-factor', { current_password: PASSWORD, ...asked });
  assertProblem(await off({}), 401, 'second_factor_required');
  assertProblem(await off({ code: ' ' }), 401, 'second_factor_required');
  assertProblem(await off({ code: wrongCodeOf(secret) }), 401, 'wrong_credentials');
  assertProblem(await off({ code: codeOf(secret, -1) }), 401, 'wrong_credentials'); // it turned the factor on
  assertProblem(
    await off({ current_password: 'wrong password', code: codeOf(secret) }),
    401,
    'wrong_credentials',
  );
  const signIn = { email: 'factor-off@example.com', password: PASSWORD };
  assertProblem(await browser(server).send('POST', '/session', signIn), 401, 'second_factor_required');
  const recovered = await off({ code: recoveryCodes[0] ?? '' });
  assert.equal(recovered.status, 204, recovered.text);
  await browser(server).signIn('factor-off@example.com');
});

test('wrong codes for turning the second factor off lock codes everywhere', async () => {
  const one = await signedIn('factor-guess@example.com');
  const { secret } = await turnOnSecondFactor(server, one);
  const code = wrongCodeOf(secret);
  const replies = await Promise.all(
    Array.from({ length: 12 }, () =>
      one.send('DELETE', '/profile/second-factor', { current_password: PASSWORD, code }),
    ),
  );
  const statuses = replies.map(({ status }) => status);
  assert.ok(statuses.filter((status) => status === 401).length <= 5, statuses.join());
  assert.ok(statuses.filter((status) => status === 429).length >= 1, statuses.join());
  const signIn = { email: 'factor-guess@example.com', password: PASSWORD, code: codeOf(secret) };
  assertProblem(await browser(server).send('POST', '/session', signIn), 429, 'too_many');
  const off = { current_password: PASSWORD, code: codeOf(secret) };
  assertProblem(await one.send('DELETE', '/profile/second-factor', off), 429, 'too_many');
});

test('a second factor is replaced only with a code of the one before', async () => {
  const one = await signedIn('factor-replace@example.com');
  const { secret } = await turnOnSecondFactor(server, one);
  const begin = (asked: Record<string, string>) =>
    one.send('POST', '/profile/second-factor', { current_password: PASSWORD, ...asked });
  assertProblem(await begin({}), 401, 'second_factor_required');
  assertProblem(await begin({ code: wrongCodeOf(secret) }), 401, 'wrong_credentials');
  const code = codeOf(secret);
  const begun = await begin({ code });
  assert.equal(begun.status, 200, begun.text);
  server.noteSecret(begun.body['secret'] as string);
  assertProblem(await begin({ code }), 401, 'wrong_credentials'); // used up
});

test('guesses at the code of a new second factor are bounded', async () => {
  await using strict = await startServer({ env: { MINTMARK_TEST_SIGN_IN_LIMIT: '5' } });
  await makeOperator(strict, 'confirm@example.com', 'viewer');
  const one = browser(strict);
  await one.signIn('confirm@example.com');
  const begun = await one.send('POST', '/profile/second-factor', { current_password: PASSWORD });
  const secret = begun.body['secret'] as string;
  strict.noteSecret(secret);
  const guess = () => one.send('PUT', '/profile/second-factor', { code: wrongCodeOf(secret) });
  const statuses: number[] = [];
  for (let i = 0; i < 8; i++) statuses.push((await guess()).status);
  assert.deepEqual(statuses, [400, 400, 400, 400, 400, 429, 429, 429]);
});

test('security 17: each change of what signs in renews the session', async () => {
  const email = 'renewed@example.com';
  const here = await signedIn(email);
  let secret = '';
  const changes: [string, () => Promise<unknown>][] = [
    [
      'password',
      async () => {
        server.noteSecret(OTHER_PASSWORD);
        const asked = { current_password: PASSWORD, new_password: OTHER_PASSWORD };
        assert.equal((await here.send('PUT', '/profile/password', asked)).status, 204);
      },
    ],
    [
      'second factor on',
      async () => void ({ secret } = await turnOnSecondFactor(server, here, OTHER_PASSWORD)),
    ],
    [
      'second factor off',
      async () => {
        const asked = { current_password: OTHER_PASSWORD, code: codeOf(secret, 1) };
        assert.equal((await here.send('DELETE', '/profile/second-factor', asked)).status, 204);
      },
    ],
  ];
  for (const [what, change] of changes) {
    const there = browser(server);
    const code = what === 'second factor off' ? codeOf(secret) : undefined;
    await there.signIn(email, what === 'password' ? PASSWORD : OTHER_PASSWORD, code);
    const thief = browser(server);
    thief.cookies.set(SESSION_COOKIE, here.cookies.get(SESSION_COOKIE) ?? '');
    assert.equal((await thief.get('/session')).status, 200, what);
    await change();
    assertProblem(await thief.get('/session'), 401, 'not_signed_in');
    assertProblem(await there.get('/session'), 401, 'not_signed_in');
    assert.equal((await here.get('/session')).status, 200, what);
    const { items } = (await here.get('/profile/sessions')).body as { items: { current: boolean }[] };
    assert.deepEqual(
      items.map(({ current }) => current),
      [true],
      what,
    );
  }
});

test('security 17: an open session of an admin does not make a link for its own account', async () => {
  const { id } = await makeOperator(server, 'own-reset@example.com', 'admin');
  await makeOperator(server, 'other-admin@example.com', 'admin');
  const one = browser(server);
  await one.signIn('own-reset@example.com');
  for (const name of [id, 'own-reset@example.com']) {
    const reply = await one.send('POST', `/operators/${encodeURIComponent(name)}/invitation`, {});
    assertProblem(reply, 403, 'forbidden');
  }
  assert.equal((await one.get('/session')).status, 200);
});
