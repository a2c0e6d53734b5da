import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import {
  ADMIN,
  adminClient,
  assertProblem,
  clientWith,
  type AdminClient,
} from '@mintmark/test-support/admin';
import { exchange } from '@mintmark/test-support/http';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// What all routes of the admin API have in common: who gets in, and how it answers.

let server: TestServer;
let admin: AdminClient;
let reader: AdminClient;
let nobody: AdminClient;
let users: Record<'admin' | 'reader' | 'other' | 'elsewhere' | 'demoted' | 'disabled' | 'moved', MadeApiUser>;

before(async () => {
  const store = await newStore();
  users = {
    admin: await store.apiUser('Deployment', '--scope', 'mintmark:admin'),
    reader: await store.apiUser('Dashboard', '--scope', 'mintmark:read'),
    other: await store.apiUser('Importer', '--scope', 'campaigns:read'),
    elsewhere: await store.apiUser(
      'E',
      '--scope',
      'mintmark:admin',
      '--audience',
      'https://api.example.com/',
    ),
    demoted: await store.apiUser('Demoted', '--scope', 'mintmark:admin'),
    moved: await store.apiUser('Moved', '--scope', 'mintmark:admin'),
    disabled: await store.apiUser('Disabled', '--scope', 'mintmark:admin'),
  };
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '100000' });
  admin = await adminClient(server, users.admin);
  reader = await adminClient(server, users.reader);
  nobody = await adminClient(server, users.other);
});
after(async () => await server[Symbol.asyncDispose]());

test('a token with the scope mintmark:admin or mintmark:read reads', async () => {
  for (const client of [admin, reader]) {
    const reply = await client.get('/signing-keys');
    assert.equal(reply.status, 200, reply.text);
    const items = reply.body['items'] as { state: string }[];
    assert.deepEqual(
      items.map(({ state }) => state),
      ['active'],
    );
    assert.equal(reply.headers['cache-control'], 'no-store');
    assert.equal(reply.headers['x-content-type-options'], 'nosniff');
    assert.match(reply.headers['content-security-policy'] as string, /default-src 'none'/);
  }
});

test('a token without such a scope is refused, and told which it needs', async () => {
  const reply = await nobody.get('/signing-keys');
  assertProblem(reply, 403, 'forbidden');
  assert.match(reply.headers['www-authenticate'] ?? '', /error="insufficient_scope", scope="mintmark:read"/);
});

test('a request without a token, with a broken one, or with another scheme is not signed in', async () => {
  for (const authorization of ['', 'Bearer x.y.z', 'Bearer', `Bearer ${admin.token}x`, 'Basic YTpi']) {
    const reply = await exchange(server.port, {
      method: 'GET',
      path: `${ADMIN}/signing-keys`,
      headers: authorization === '' ? {} : { Authorization: authorization },
    });
    assertProblem(reply, 401, 'not_signed_in');
    assert.match(reply.headers['www-authenticate'] ?? '', /^Bearer realm="mintmark"/);
  }
});

test('a token for another audience is not signed in', async () => {
  const client = await adminClient(server, users.elsewhere);
  assertProblem(await client.get('/signing-keys'), 401, 'not_signed_in');
});

test('a token outlives neither the scope nor the enabled state of its API user, nor its own revocation', async () => {
  const demoted = await adminClient(server, users.demoted);
  const disabled = await adminClient(server, users.disabled);
  await server.cli('api-user', 'update', users.demoted.client_id, '--scope', 'campaigns:read');
  await server.cli('api-user', 'disable', users.disabled.client_id, '--force');
  assertProblem(await demoted.get('/signing-keys'), 403, 'forbidden');
  assertProblem(await disabled.get('/signing-keys'), 401, 'not_signed_in');
  await server.cli('api-user', 'update', users.demoted.client_id, '--scope', 'mintmark:admin');
  assert.equal((await demoted.get('/signing-keys')).status, 200);
  await server.cli('api-user', 'revoke-tokens', users.demoted.client_id);
  const deadline = Date.now() + 5000;
  while ((await demoted.get('/signing-keys')).status === 200) assert.ok(Date.now() < deadline);
  assertProblem(await demoted.get('/signing-keys'), 401, 'not_signed_in');
});

test('a token is refused from an address that its API user may not have', async () => {
  const client = await adminClient(server, users.moved);
  assert.equal((await client.get('/signing-keys')).status, 200);
  await server.cli('api-user', 'update', users.moved.client_id, '--allow-network', '192.0.2.0/24');
  assertProblem(await client.get('/signing-keys'), 403, 'forbidden');
});

test('an unknown path is 404 and another method 405 with Allow, before anybody is asked who he is', async () => {
  const stranger = clientWith(server, 'none');
  assertProblem(await stranger.get('/nothing'), 404, 'not_found');
  assertProblem(await stranger.send('POST', '/nothing', '{broken'), 404, 'not_found');
  const reply = await stranger.send('DELETE', '/signing-keys?a=b', '{broken');
  assertProblem(reply, 405, 'method_not_allowed');
  assert.equal(reply.headers.allow, 'GET, HEAD');
});

test('the description is a valid OpenAPI 3.1 document that anybody may read', async () => {
  const { status, body } = await exchange(server.port, { method: 'GET', path: `${ADMIN}/openapi.json` });
  assert.equal(status, 200);
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(body));
  assert.ok(valid, JSON.stringify(errors));
  assert.equal(validator.version, '3.1');
});

test('an address that calls too often is told when to come again', async () => {
  const store = await newStore();
  const made = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  await using limited = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '4' });
  const client = await adminClient(limited, made);
  const stranger = clientWith(limited, 'none');
  // The first one reads the document that replies are checked against.
  for (let i = 0; i < 3; i++) assertProblem(await stranger.get('/signing-keys'), 401, 'not_signed_in');
  const reply = await client.get('/signing-keys');
  assertProblem(reply, 429, 'too_many');
  assert.ok(Number(reply.headers['retry-after']) > 0);
  // Tokens have their own limit.
  assert.equal((await limited.post(made as unknown as Record<string, string>)).status, 200);
});
