// Test setup: also on PostgreSQL.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { basic, exchange, FORM, formEncode, type Exchange, type Reply } from '@mintmark/test-support/http';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// Who may have a token: the ways to send credentials, and the one answer to all that are wrong.

const PASSWORD = 'Grüße, 100% + "mehr": ok';
const EXPIRES_AFTER_MS = 1000;

let server: TestServer;
let user: MadeApiUser;
let other: MadeApiUser;
let person: MadeApiUser;
let disabled: MadeApiUser;
let elsewhere: MadeApiUser;
let expired: { client_secret: string };
let retired: { id: string; client_secret: string };

before(async () => {
  const store = await newStore();
  user = await store.apiUser('Importer', '--username', 'Importer@Example.com');
  expired = await store.json(['credential', 'create', user.client_id, '--expires-in', '1s']);
  const expiredAt = Date.now() + EXPIRES_AFTER_MS;
  retired = await store.json(['credential', 'create', user.client_id]);
  await store.json(['credential', 'retire', retired.id, '--force']);
  other = await store.apiUser('Another');
  disabled = await store.apiUser('Disabled');
  await store.json(['api-user', 'disable', disabled.client_id, '--force']);
  elsewhere = await store.apiUser(
    'From elsewhere',
    '--allow-network',
    '192.0.2.0/24,2001:db8::/32,127.9.9.9',
  );
  person = await store.apiUser('A person', '--username', 'person@example.com', '--no-secret');
  await store.password(person.client_id, PASSWORD);
  server = await store.start({ MINTMARK_TRUSTED_PROXIES: '127.0.0.1' });
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, expiredAt - Date.now())));
});
after(async () => await server[Symbol.asyncDispose]());

async function ask(asked: Exchange): Promise<Reply> {
  const reply = await exchange(server.port, {
    ...asked,
    headers: { 'Content-Type': FORM, ...asked.headers },
  });
  if (reply.status === 200) server.noteSecret(reply.body['access_token'] as string);
  return reply;
}

function form(clientId: string, clientSecret: string): string {
  return `client_id=${formEncode(clientId)}&client_secret=${formEncode(clientSecret)}`;
}

const byForm = (id: string, secret: string, headers = {}) => ask({ body: form(id, secret), headers });
const byBasic = (id: string, secret: string) => ask({ headers: { Authorization: basic(id, secret) } });

/** The reply without what is different in each: its trace id and its time. */
function bytes({ status, headers, text, body }: Reply): string {
  const traceId = body['trace_id'] as string;
  const { date: _, ...others } = headers;
  return JSON.stringify([status, others, text]).replaceAll(traceId, '(trace id)');
}

test('HTTP Basic gets a token, with the scheme in any letter case', async () => {
  assert.equal((await byBasic(user.client_id, user.client_secret)).status, 200);
  const credentials = basic(user.client_id, user.client_secret).slice('Basic '.length);
  for (const scheme of ['basic', 'BASIC', 'bAsIc']) {
    const reply = await ask({ headers: { Authorization: `${scheme}   ${credentials}` }, body: 'scope=' });
    assert.equal(reply.status, 200, scheme);
  }
});

test('HTTP Basic with the same client_id in the form gets a token', async () => {
  const headers = { Authorization: basic(user.client_id, user.client_secret) };
  assert.equal((await ask({ headers, body: `client_id=${user.client_id}` })).status, 200);
});

test('form-encoded HTTP Basic gets a token with any special character', async () => {
  assert.equal((await byBasic('person@example.com', PASSWORD)).status, 200);
  const raw = `person%40example.com:${formEncode(PASSWORD).replaceAll('%3A', ':')}`;
  assert.match(raw, /%22:\+ok$/);
  const headers = { Authorization: `Basic ${Buffer.from(raw).toString('base64')}` };
  assert.equal((await ask({ headers })).status, 200);
});

test('credentials in HTTP Basic and in the form together are refused', async () => {
  const headers = { Authorization: basic(user.client_id, user.client_secret) };
  for (const body of [
    form(user.client_id, user.client_secret),
    `client_secret=${user.client_secret}`,
    `client_id=${other.client_id}`,
  ]) {
    const reply = await ask({ headers, body });
    assert.equal(reply.status, 400);
    assert.equal(reply.body['error'], 'invalid_request');
    assert.match(reply.body['error_description'] as string, /one or the other/);
  }
});

test('a malformed HTTP Basic header is refused with how to make one', async () => {
  const encoded = (text: string | Buffer) => `Basic ${Buffer.from(text).toString('base64')}`;
  for (const authorization of [
    'Basic',
    'Basic !!!!',
    'Basic YQ==YQ==',
    encoded('no-colon'),
    encoded('a:%zz'),
    encoded('a%00:b'),
    encoded('a:b\0'),
    encoded(Buffer.from([0x61, 0x3a, 0xff])),
  ]) {
    const reply = await ask({ headers: { Authorization: authorization } });
    assert.equal(reply.status, 400, authorization);
    assert.equal(reply.body['error'], 'invalid_request');
    assert.match(reply.body['error_description'] as string, /base64 of client_id:client_secret/);
  }
  assert.match((await ask({ headers: { Authorization: encoded(':x') } })).text, /client_id is missing/);
  assert.match((await ask({ headers: { Authorization: encoded('x:') } })).text, /client_secret is missing/);
});

test('an Authorization header of another scheme is ignored', async () => {
  for (const authorization of ['Bearer abc', 'Basically YTpi', 'Digest x=y', '']) {
    const reply = await byForm(user.client_id, user.client_secret, { Authorization: authorization });
    assert.equal(reply.status, 200, authorization);
  }
});

test('wrong credentials in HTTP Basic are 401 with WWW-Authenticate, otherwise 403', async () => {
  const wrong = await byBasic(user.client_id, other.client_secret);
  assert.equal(wrong.status, 401);
  assert.equal(wrong.body['error'], 'invalid_client');
  assert.match(wrong.headers['www-authenticate'] ?? '', /^Basic realm="[^"]+"/);
  const inForm = await byForm(user.client_id, other.client_secret);
  assert.equal(inForm.status, 403);
  assert.equal(inForm.headers['www-authenticate'], undefined);
  assert.equal(inForm.body['error_description'], wrong.body['error_description']);
});

test('every kind of wrong credential gets the same bytes', async () => {
  const { client_id: id, client_secret: secret } = user;
  const mistyped = secret.slice(0, -1) + (secret.endsWith('a') ? 'b' : 'a');
  const cases: [string, string][] = [
    ['api_00000000000000000000', secret],
    [`${id} `, secret],
    [id.toUpperCase(), secret],
    ['x'.repeat(4000), secret],
    ['__proto__', secret],
    [id, other.client_secret],
    [other.client_id, secret],
    [id, mistyped],
    [id, secret.slice(0, -1)],
    [id, `${secret}a`],
    [id, secret.toUpperCase()],
    [id, 'mms_'],
    [id, 'no secret at all'],
    [id, PASSWORD],
    ['nobody@example.com', PASSWORD],
    [person.client_id, `${PASSWORD}!`],
    [person.client_id, secret],
    [id, expired.client_secret],
    [id, retired.client_secret],
    [disabled.client_id, disabled.client_secret],
    [secret, id],
  ];
  const inForm = new Set<string>();
  const inBasic = new Set<string>();
  for (const [clientId, clientSecret] of cases) {
    inForm.add(bytes(await byForm(clientId, clientSecret)));
    inBasic.add(bytes(await byBasic(clientId, clientSecret)));
  }
  assert.equal(inForm.size, 1, Array.from(inForm).join('\n'));
  assert.equal(inBasic.size, 1, Array.from(inBasic).join('\n'));
  const [answer = ''] = inForm;
  assert.match(answer, /^\[403,.*invalid_client/);
});

test('the log has the exact reason by trace id, without unknown ids', async () => {
  const refusals: [string, string, string][] = [
    [user.client_id, expired.client_secret, 'expired_secret'],
    [user.client_id, retired.client_secret, 'retired_secret'],
    [user.client_id, other.client_secret, 'unknown_secret'],
    [disabled.client_id, disabled.client_secret, 'api_user_disabled'],
    [person.client_id, 'a wrong password', 'wrong_password'],
    ['an unknown id', user.client_secret, 'unknown_client_id'],
  ];
  const replies = await Promise.all(refusals.map(([id, secret]) => byForm(id, secret)));
  for (const [i, [id, , reason]] of refusals.entries()) {
    const line = await loggedLine(replies[i]?.body['trace_id'] as string);
    assert.equal(line['reason'], reason);
    assert.equal(line['clientId'], id === 'an unknown id' ? '(unknown)' : id);
  }
});

async function loggedLine(traceId: string): Promise<Record<string, unknown>> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const line = server
      .output()
      .split('\n')
      .find((text) => text.includes(traceId));
    if (line !== undefined) return JSON.parse(line) as Record<string, unknown>;
    assert.ok(Date.now() < deadline, `nothing is logged under ${traceId}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('a username works in any letter case; the token names the id', async () => {
  for (const username of ['Importer@Example.com', 'importer@example.com', 'IMPORTER@EXAMPLE.COM']) {
    for (const reply of [
      await byForm(username, user.client_secret),
      await byBasic(username, user.client_secret),
    ]) {
      assert.equal(reply.status, 200);
      const [, claims = ''] = (reply.body['access_token'] as string).split('.');
      const { sub, client_id } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<
        string,
        unknown
      >;
      assert.deepEqual([sub, client_id], [user.client_id, user.client_id]);
    }
  }
});

test('a password works with username and id in any Unicode form', async () => {
  assert.equal((await byForm('person@example.com', PASSWORD)).status, 200);
  assert.equal((await byForm(person.client_id, PASSWORD)).status, 200);
  assert.notEqual(PASSWORD.normalize('NFD'), PASSWORD);
  assert.equal((await byForm(person.client_id, PASSWORD.normalize('NFD'))).status, 200);
  assert.equal((await byForm(person.client_id, PASSWORD.toLowerCase())).status, 403);
});

test('a forbidden address gets unauthorized_client only with right credentials', async () => {
  const { client_id: id, client_secret: secret } = elsewhere;
  const from = (address: string) => ({ 'X-Forwarded-For': address });
  for (const address of ['198.51.100.1', '192.0.3.1', '2001:db9::1']) {
    const reply = await byForm(id, secret, from(address));
    assert.equal(reply.status, 403, address);
    assert.equal(reply.body['error'], 'unauthorized_client');
    assert.match(reply.body['error_description'] as string, /network address/);
    assert.equal((await byForm(id, user.client_secret, from(address))).body['error'], 'invalid_client');
  }
  for (const address of ['192.0.2.7', '2001:db8::1', '::ffff:192.0.2.8', '127.9.9.9']) {
    assert.equal((await byForm(id, secret, from(address))).status, 200, address);
  }
  assert.equal((await byForm(id, secret)).body['error'], 'unauthorized_client');
});

test('X-Forwarded-For counts only what the nearest trusted proxy saw', async () => {
  const { client_id: id, client_secret: secret } = elsewhere;
  const forwarded = (value: string) => byForm(id, secret, { 'X-Forwarded-For': value });
  assert.equal((await forwarded('192.0.2.7, 198.51.100.1')).status, 403);
  assert.equal((await forwarded('198.51.100.1, 192.0.2.7')).status, 200);
  assert.equal((await forwarded('not an address')).status, 403);
});
