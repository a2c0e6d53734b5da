import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ADMIN, adminClient, assertProblem } from '@mintmark/test-support/admin';
import { eventually } from '@mintmark/test-support/eventually';
import { exchange } from '@mintmark/test-support/http';
import {
  auditOf,
  browser,
  makeOperator,
  OTHER_PASSWORD,
  PASSWORD,
  turnOnSecondFactor,
  type Browser,
} from '@mintmark/test-support/operators';
import { startServer, type TestServer } from '@mintmark/test-support/server';

// What admins do about operators, through HTTP; and what others cannot.

const WIDE = {
  MINTMARK_TEST_SIGN_IN_LIMIT: '100000',
  MINTMARK_TEST_SIGN_IN_ADDRESS_LIMIT: '100000',
  MINTMARK_TEST_SIGN_IN_ACCOUNT_LIMIT: '100000',
  MINTMARK_ADMIN_ADDRESS_LIMIT: '100000',
};

interface Invitation {
  operator: { id: string; email: string; role: string; state: string };
  invitation_url: string;
}

let server: TestServer;
let admin: Browser;
let adminId: string;

before(async () => {
  server = await startServer({ env: WIDE });
  // The first admin comes by the link on the terminal.
  const [, token = ''] = /welcome#(\S+)/.exec(server.output()) ?? [];
  admin = browser(server);
  const inspected = await admin.send('POST', '/invitations/inspect', { token });
  const toPlatform = { organisation: null, needs: 'password' };
  assert.deepEqual(inspected.body, { email: null, role: 'admin', ...toPlatform });
  server.noteSecret(PASSWORD);
  const without = await admin.send('POST', '/invitations/accept', { token, password: PASSWORD });
  assertProblem(without, 400, 'invalid');
  const asked = { token, password: PASSWORD, email: 'ada@example.com' };
  const accepted = await admin.send('POST', '/invitations/accept', asked);
  assert.equal(accepted.status, 200, accepted.text);
  adminId = (accepted.body['actor'] as { id: string }).id;
  const again = await browser(server).send('POST', '/invitations/accept', {
    ...asked,
    email: 'eve@example.com',
  });
  assertProblem(again, 404, 'not_found');
});
after(async () => {
  await server.stop();
  await server[Symbol.asyncDispose]();
});

async function invite(email: string, role: string): Promise<Invitation & { token: string }> {
  const reply = await admin.send('POST', '/operators', { email, role });
  assert.equal(reply.status, 201, reply.text);
  return withToken(reply.body as unknown as Invitation);
}

function withToken(invitation: Invitation): Invitation & { token: string } {
  const token = new URL(invitation.invitation_url).hash.slice(1);
  server.noteSecret(token);
  return { ...invitation, token };
}

test('security 18: only the terminal’s link makes the first admin', async () => {
  await using fresh = await startServer();
  const stranger = browser(fresh);
  const asked = { email: 'eve@example.com', password: PASSWORD };
  assertProblem(await stranger.send('POST', '/session', asked), 401, 'wrong_credentials');
  assertProblem(
    await stranger.send('POST', '/operators', { email: 'eve@example.com', role: 'admin' }),
    401,
    'not_signed_in',
  );
  for (const token of ['', 'x', `mmi_${'A'.repeat(43)}`]) {
    const reply = await stranger.send('POST', '/invitations/accept', { ...asked, token });
    assertProblem(reply, token === '' ? 400 : 404, token === '' ? 'invalid' : 'not_found');
  }
  // An operator who was made meanwhile makes the link useless.
  const [, token = ''] = /welcome#(\S+)/.exec(fresh.output()) ?? [];
  await makeOperator(fresh, 'ada@example.com', 'viewer');
  assertProblem(await stranger.send('POST', '/invitations/accept', { ...asked, token }), 404, 'not_found');
  await fresh.stop();
});

test('an invitation is accepted once with a strong password, and signs in', async () => {
  const { token, operator } = await invite('grace@example.com', 'operator');
  assert.equal(operator.state, 'invited');
  const grace = browser(server);
  const inspected = await grace.send('POST', '/invitations/inspect', { token });
  const toPlatform = { organisation: null, needs: 'password' };
  assert.deepEqual(inspected.body, { email: 'grace@example.com', role: 'operator', ...toPlatform });
  for (const password of ['short', 'password1234', 'x'.repeat(200), 'grace@example.com']) {
    const weak = await grace.send('POST', '/invitations/accept', { token, password });
    assertProblem(weak, 400, 'invalid');
    assert.equal((weak.body['errors'] as { pointer: string }[])[0]?.pointer, '/password');
  }
  server.noteSecret(OTHER_PASSWORD);
  const asked = { token, password: OTHER_PASSWORD };
  const replies = await Promise.all([
    grace.send('POST', '/invitations/accept', asked),
    browser(server).send('POST', '/invitations/accept', asked),
  ]);
  assert.deepEqual(
    replies.map(({ status }) => status).toSorted((a, b) => a - b),
    [200, 404],
  );
  assertProblem(await browser(server).send('POST', '/invitations/accept', asked), 404, 'not_found');
  await browser(server).signIn('grace@example.com', OTHER_PASSWORD);
  await server.cli('operator', 'remove', 'grace@example.com');
});

test('an invitation is refused once expired, replaced, or without its operator', async () => {
  const first = await invite('late@example.com', 'viewer');
  const renewed = await admin.send('POST', `/operators/${first.operator.id}/invitation`);
  assert.equal(renewed.status, 201);
  const second = withToken(renewed.body as unknown as Invitation);
  const accept = (token: string) =>
    browser(server).send('POST', '/invitations/accept', { token, password: PASSWORD });
  assertProblem(await accept(first.token), 404, 'not_found');
  await admin.send('DELETE', `/operators/${first.operator.id}`);
  assertProblem(await accept(second.token), 404, 'not_found');

  await using short = await startServer({ env: { MINTMARK_FIRST_ADMIN_LINK: '1' } });
  const [, token = ''] = /welcome#(\S+)/.exec(short.output()) ?? [];
  await sleep(1100);
  const late = await browser(short).send('POST', '/invitations/inspect', { token });
  assertProblem(late, 404, 'not_found');
  await short.stop();
});

test('security 17: viewers may change nothing, operators neither operators nor keys', async () => {
  await makeOperator(server, 'viewer@example.com', 'viewer');
  await makeOperator(server, 'operator@example.com', 'operator');
  const { body } = await exchange(server.port, { method: 'GET', path: `${ADMIN}/openapi.json` });
  const paths = body['paths'] as Record<string, Record<string, { description?: string }>>;
  const tried = { viewer: 0, operator: 0 };
  for (const role of ['viewer', 'operator'] as const) {
    const somebody = browser(server);
    await somebody.signIn(`${role}@example.com`);
    for (const [template, operations] of Object.entries(paths)) {
      const path = template.replaceAll(/\{\w+\}/g, 'anything');
      for (const [method, { description = '' }] of Object.entries(operations)) {
        const forAdmins = description.includes('For operators with the role `admin`');
        const forOperators = description.includes('For operators with the role `operator` or `admin`');
        if (!forAdmins && !(forOperators && role === 'viewer')) continue;
        const reply = await somebody.send(method.toUpperCase(), path, method === 'get' ? undefined : {});
        assertProblem(reply, 403, 'forbidden');
        tried[role] += 1;
      }
    }
    // What no route forgets: all that change something, but for one's own session and profile, need more than a viewer is.
    for (const [path, operations] of Object.entries(paths)) {
      for (const [method, { description = '' }] of Object.entries(operations)) {
        if (method === 'get' || /^\/(session|profile|invitations|secret-links)/.test(path)) continue;
        // A POST for the sake of its body: it changes nothing.
        if (/\/(trust-check|token-preview)$/.test(path)) continue;
        assert.doesNotMatch(description, /of every role|For anybody/, `${method} ${path}`);
      }
    }
  }
  assert.ok(tried.viewer >= 4 && tried.operator >= 4, JSON.stringify(tried));
});

test('security 17: a removed, demoted or reset operator loses a live session', async () => {
  for (const [change, email] of [
    ['remove', 'removed@example.com'],
    ['demote', 'demoted@example.com'],
    ['reset', 'reset@example.com'],
  ] as const) {
    const { id } = await makeOperator(server, email, 'admin');
    const live = browser(server);
    await live.signIn(email);
    assert.equal((await live.get('/session')).status, 200);
    const reply =
      change === 'remove'
        ? await admin.send('DELETE', `/operators/${id}`)
        : change === 'demote'
          ? await admin.send('PATCH', `/operators/${id}`, { role: 'viewer' })
          : await admin.send('POST', `/operators/${id}/invitation`);
    assert.ok(reply.status < 300, reply.text);
    assertProblem(await live.get('/session'), 401, 'not_signed_in');
    const write = await live.send('POST', '/operators', { email: 'x@example.com', role: 'admin' });
    assertProblem(write, 401, 'not_signed_in');
    if (change === 'reset') {
      const { token } = withToken(reply.body as unknown as Invitation);
      const signIn = { email, password: PASSWORD };
      assertProblem(await live.send('POST', '/session', signIn), 401, 'wrong_credentials');
      const accepted = await live.send('POST', '/invitations/accept', { token, password: PASSWORD });
      assert.equal(accepted.status, 200, 'the link makes up for it');
    }
    if (change === 'demote') {
      await live.signIn(email);
      const again = await live.send('POST', '/operators', { email: 'x@example.com', role: 'admin' });
      assertProblem(again, 403, 'forbidden');
    }
    // By the command line, in another process, too.
    if (change !== 'remove') {
      await server.cli('operator', 'remove', email);
      assertProblem(await live.get('/session'), 401, 'not_signed_in');
    }
  }
});

test('a reset takes the second factor away, for who lost the device', async () => {
  const { id } = await makeOperator(server, 'lost@example.com', 'viewer');
  const lost = browser(server);
  await lost.signIn('lost@example.com');
  await turnOnSecondFactor(server, lost);
  const reply = await admin.send('POST', `/operators/${id}/invitation`);
  const { token } = withToken(reply.body as unknown as Invitation);
  const accepted = await lost.send('POST', '/invitations/accept', { token, password: PASSWORD });
  assert.equal((accepted.body['actor'] as { second_factor: boolean }).second_factor, false);
  await browser(server).signIn('lost@example.com');
  await server.cli('operator', 'remove', 'lost@example.com');
});

test('the last admin cannot be removed, demoted or reset, even by two', async () => {
  for (const [method, path, body] of [
    ['DELETE', `/operators/${adminId}`, undefined],
    ['PATCH', `/operators/${adminId}`, { role: 'operator' }],
    ['POST', `/operators/${adminId}/invitation`, undefined],
  ] as const) {
    const reply = await admin.send(method, path, body);
    assertProblem(reply, 409, 'conflict');
    assert.match(reply.body['detail'] as string, /is the last admin/);
  }
  const { id } = await makeOperator(server, 'second@example.com', 'admin');
  const second = browser(server);
  await second.signIn('second@example.com');
  const replies = await Promise.all([
    admin.send('DELETE', `/operators/${id}`),
    second.send('DELETE', `/operators/${adminId}`),
  ]);
  const done = replies.filter(({ status }) => status === 204);
  assert.equal(done.length, 1, replies.map(({ text }) => text).join('\n'));
  const left = await server.json<{ role: string; state: string; email: string }[]>('operator', 'list');
  assert.equal(left.filter(({ role, state }) => role === 'admin' && state === 'active').length, 1);
  if (left.some(({ email }) => email === 'ada@example.com')) return;
  // For the tests after this one.
  const made = await makeOperator(server, 'ada@example.com', 'admin');
  adminId = made.id;
  await admin.signIn('ada@example.com');
  await server.cli('operator', 'remove', 'second@example.com');
});

test('a repeated invitation under its Idempotency-Key is created once', async () => {
  const headers = { 'Sec-Fetch-Site': 'same-origin', 'Idempotency-Key': 'key-1' };
  const ask = (email: string) => admin.send('POST', '/operators', { email, role: 'viewer' }, headers);
  const first = await ask('once@example.com');
  assert.equal(first.status, 201, first.text);
  withToken(first.body as unknown as Invitation);
  assertProblem(await ask('once@example.com'), 409, 'replayed');
  assertProblem(await ask('another@example.com'), 409, 'conflict');
});

test('operators are listed in pages without hashes or sealed texts', async () => {
  for (let i = 0; i < 3; i++) await invite(`list${i}@example.com`, 'viewer');
  const emails: string[] = [];
  let next = '';
  do {
    const reply = await admin.get(`/operators?limit=2${next}`);
    assert.equal(reply.status, 200, reply.text);
    const page = reply.body as { items: Record<string, unknown>[]; next: string | null };
    const { items } = page;
    assert.ok(items.length <= 2);
    emails.push(...items.map(({ email }) => email as string));
    for (const item of items) {
      const names = ['created_at', 'email', 'id', 'last_seen_at', 'role', 'second_factor', 'state'];
      assert.deepEqual(Object.keys(item).toSorted(), names);
    }
    next = page.next === null ? '' : `&after=${page.next}`;
  } while (next !== '');
  assert.equal(new Set(emails).size, emails.length);
  const all = await server.json<{ email: string }[]>('operator', 'list');
  assert.deepEqual(
    emails,
    all.map(({ email }) => email),
  );
  for (const cursor of ['x', "' or 1=1 --", Buffer.from('["operators",{"a":1}]').toString('base64url')]) {
    assertProblem(await admin.get(`/operators?after=${encodeURIComponent(cursor)}`), 400, 'invalid');
  }
});

test('security 17: an e-mail address with a script is refused', async () => {
  for (const email of [
    '<script>alert(1)</script>@example.com',
    '"><img>@x',
    'a\u202E@example.com',
    'a@b\u0000',
  ]) {
    assertProblem(await admin.send('POST', '/operators', { email, role: 'viewer' }), 400, 'invalid');
  }
  assertProblem(
    await admin.send('POST', '/operators', { email: 'r@example.com', role: 'root' }),
    400,
    'invalid',
  );
  const taken = await admin.send('POST', '/operators', { email: 'ADA@example.com', role: 'viewer' });
  assertProblem(taken, 409, 'conflict');
});

test('a token with mintmark:admin manages operators, without session or profile', async () => {
  const made = await server.json<{ client_id: string; client_secret: string }>(
    ...(['api-user', 'create', '--name', 'Deployment', '--scope', 'mintmark:admin'] as const),
  );
  const client = await eventually(() => adminClient(server, made)); // once the server knows it
  const reply = await client.send('POST', '/operators', { email: 'bot@example.com', role: 'viewer' });
  assert.equal(reply.status, 201, reply.text);
  withToken(reply.body as unknown as Invitation);
  const { actor, expires_at: expiresAt } = (await client.get('/session')).body;
  assert.deepEqual(actor, {
    kind: 'api_user',
    id: made.client_id,
    name: 'Deployment',
    role: null,
    second_factor: null,
  });
  assert.equal(expiresAt, null);
  for (const [method, path, body] of [
    ['DELETE', '/session', undefined],
    ['GET', '/profile/sessions', undefined],
    ['PUT', '/profile/second-factor', { code: '000000' }],
    ['PUT', '/profile/password', { current_password: 'x', new_password: 'y' }],
  ] as const) {
    assertProblem(await client.send(method, path, body), 403, 'forbidden');
  }
});

test('every change to operators, refused or not, is audited without a token', async () => {
  const { operator, token } = await invite('audited@example.com', 'viewer');
  await admin.send('PATCH', `/operators/${operator.id}`, { role: 'operator' });
  await browser(server).send('POST', '/invitations/accept', { token, password: PASSWORD });
  await admin.send('POST', `/operators/${operator.id}/invitation`);
  await admin.send('DELETE', `/operators/${operator.id}`);
  await admin.send('DELETE', `/operators/${operator.id}`);
  const entries = await auditOf(server);
  const of = entries.filter(({ subject }) => subject.id === operator.id);
  assert.deepEqual(
    of.map(({ action, outcome }) => `${action} ${outcome}`),
    [
      'operator.invite done',
      'operator.update done',
      'operator.accept done',
      'operator.reset done',
      'operator.remove done',
      'operator.remove refused',
    ],
  );
  assert.deepEqual(of[1]?.before, { role: 'viewer' });
  assert.deepEqual(of[1]?.after, { role: 'operator' });
  assert.equal(of[0]?.actor.name, 'ada@example.com');
  assert.equal(of[2]?.actor.name, 'audited@example.com');
  assert.ok(!JSON.stringify(entries).includes(token));
});
