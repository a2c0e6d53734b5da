import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertProblem } from './support/admin.ts';
import {
  browser,
  codeOf,
  makeOperator,
  OTHER_PASSWORD,
  PASSWORD,
  SESSION_COOKIE,
  type Browser,
} from './support/operators.ts';
import { startServer, type TestServer } from './support/server.ts';

// What operators do about what is their own: password, second factor, sessions.

let server: TestServer;

before(async () => {
  const wide = { MINTMARK_SIGN_IN_LIMIT: '100000', MINTMARK_SIGN_IN_ADDRESS_LIMIT: '100000' };
  server = await startServer({ env: { ...wide, MINTMARK_SIGN_IN_ACCOUNT_LIMIT: '100000' } });
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

test('the second factor counts once a code confirmed it, and is turned off with the password', async () => {
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
  const off = (password: string) =>
    one.send('DELETE', '/profile/second-factor', { current_password: password });
  assertProblem(await off('wrong password'), 401, 'wrong_credentials');
  assert.equal((await off(PASSWORD)).status, 204);
  assertProblem(await off(PASSWORD), 409, 'conflict');
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
