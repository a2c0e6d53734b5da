import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore } from '@mintmark/test-support/store';

// API users through the admin API, on a server with a store of its own.

let server: TestServer;
let admin: AdminClient;
let reader: AdminClient;

before(async () => {
  const store = await newStore();
  const made = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  const read = await store.apiUser('Dashboard', '--scope', 'mintmark:read');
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000' });
  admin = await adminClient(server, made);
  reader = await adminClient(server, read);
});
after(async () => await server[Symbol.asyncDispose]());

interface ApiUser {
  client_id: string;
  name: string;
  version: number;
  [member: string]: unknown;
}

async function create(body: object): Promise<{ user: ApiUser; secret: string }> {
  const reply = await admin.send('POST', '/api-users', body);
  assert.equal(reply.status, 201, reply.text);
  const made = reply.body as { api_user: ApiUser; client_secret?: string };
  const secret = made.client_secret ?? '';
  if (secret !== '') server.noteSecret(secret);
  return { user: made.api_user, secret };
}

test('an API user is made with a secret that works, and read back without it', async () => {
  const settings = {
    name: 'Newsletter importer',
    username: 'Newsletter@example.com',
    contact: 'Team mail',
    scopes: ['campaigns:read'],
    audiences: ['https://api.example.com/'],
    limit_per_minute: 60,
    allowed_networks: ['127.0.0.0/8'],
  };
  const reply = await admin.send('POST', '/api-users', {
    ...settings,
    secret: { name: 'production', expires_at: '2100-01-01T00:00:00+01:00' },
  });
  assert.equal(reply.status, 201, reply.text);
  assert.equal(reply.headers.etag, '"1"');
  const { api_user, credential, client_secret } = reply.body as Record<string, Record<string, unknown>>;
  server.noteSecret(client_secret as unknown as string);
  assert.match(client_secret as unknown as string, /^mms_/);
  assert.equal(credential?.['name'], 'production');
  assert.equal(credential?.['expires_at'], '2099-12-31T23:00:00.000Z');
  assert.equal(credential?.['state'], 'live');
  const clientId = api_user?.['client_id'] as string;
  const read = await reader.get(`/api-users/${clientId}`);
  assert.equal(read.headers.etag, '"1"');
  assert.deepEqual(read.body, api_user);
  for (const [name, value] of Object.entries(settings)) assert.deepEqual(read.body[name], value, name);
  assert.deepEqual((await reader.get('/api-users/newsletter@EXAMPLE.com')).body, api_user);
  const token = await server.post({ client_id: clientId, client_secret: client_secret as unknown as string });
  assert.equal(token.status, 200, token.text);
});

test('an API user made without a secret has none', async () => {
  const reply = await admin.send('POST', '/api-users', { name: 'Without', secret: false });
  assert.deepEqual(Object.keys(reply.body), ['api_user']);
});

test('a setting that cannot be is refused with the member that it is in', async () => {
  const wrong: [object, string][] = [
    [{}, '/name'],
    [{ name: '' }, '/name'],
    [{ name: 'x'.repeat(201) }, '/name'],
    [{ name: 'a\nb' }, '/name'],
    [{ name: 'half a character: \ud800' }, '/name'],
    [{ name: 'turned \u2066around' }, '/name'],
    [{ name: 'a', limit_per_minute: '60' }, '/limit_per_minute'],
    [{ name: 'a', limit_per_minute: 0 }, '/limit_per_minute'],
    [{ name: 'a', scopes: ['two words'] }, '/scopes'],
    [{ name: 'a', scopes: 'campaigns:read' }, '/scopes'],
    [{ name: 'a', allowed_networks: ['300.0.0.0/8'] }, '/allowed_networks'],
    [{ name: 'a', username: 'api_x' }, '/username'],
    [{ name: 'a', audiences: ['nowhere'] }, '/audiences'],
    [{ name: 'a', enabled: true }, '/enabled'],
    [{ name: 'a', client_id: 'mine' }, '/client_id'],
    [{ name: 'a', secret: { name: '' } }, '/secret'],
    [{ name: 'a', secret: { expires_at: '2001-01-01T00:00:00Z' } }, '/secret/expires_at'],
    [{ name: 'a', secret: { expires_at: '2030-99-01T00:00:00Z' } }, '/secret'],
  ];
  for (const [body, member] of wrong) {
    const reply = await admin.send('POST', '/api-users', body);
    assertProblem(reply, 400, 'invalid');
    const pointers = (reply.body['errors'] as { pointer: string }[]).map(({ pointer }) => pointer);
    assert.ok(
      pointers.some((pointer) => pointer.startsWith(member)),
      `${JSON.stringify(body)}: ${reply.text}`,
    );
    assert.doesNotMatch(reply.text, /\[\^|pattern/, 'nobody is shown a regular expression');
  }
  const { user } = await create({ name: 'First', username: 'taken-name', secret: false });
  const taken = await admin.send('POST', '/api-users', { name: 'Second', username: 'TAKEN-name' });
  assertProblem(taken, 409, 'conflict');
  assert.match(taken.body['detail'] as string, new RegExp(user.client_id));
});

test('a body that is no JSON, of another type, or too long is refused', async () => {
  assertProblem(await admin.send('POST', '/api-users', '{"name":'), 400, 'invalid');
  assertProblem(await admin.send('POST', '/api-users', '["name"]'), 400, 'invalid');
  assertProblem(await admin.send('POST', '/api-users', '{"name":"a","__proto__":{}}'), 400, 'invalid');
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
  assertProblem(await admin.send('POST', '/api-users', 'name=a', form), 415, 'unsupported_media_type');
  const long = JSON.stringify({ name: 'x'.repeat(70_000) });
  assertProblem(await admin.send('POST', '/api-users', long), 413, 'too_large');
});

test('a change is made from the version that it was made for, and refused from any other', async () => {
  const { user } = await create({ name: 'Before', contact: 'somebody', secret: false });
  const path = `/api-users/${user.client_id}`;
  assertProblem(await admin.send('PATCH', path, { name: 'After' }), 428, 'precondition_required');
  const changed = await admin.send('PATCH', path, { name: 'After', contact: null }, { 'If-Match': '"1"' });
  assert.equal(changed.status, 200, changed.text);
  assert.equal(changed.headers.etag, '"2"');
  assert.deepEqual(
    [changed.body['name'], changed.body['contact'], changed.body['version']],
    ['After', null, 2],
  );
  for (const tag of ['"1"', 'W/"2"', '"x"', '""', '2']) {
    const stale = await admin.send('PATCH', path, { name: 'Lost' }, { 'If-Match': tag });
    assertProblem(stale, 412, 'stale');
  }
  for (const action of ['disable', 'enable', 'revoke-tokens']) {
    assertProblem(await admin.send('POST', `${path}/${action}`, {}, { 'If-Match': '"1"' }), 412, 'stale');
  }
  assertProblem(await admin.send('DELETE', path, undefined, { 'If-Match': '"1"' }), 412, 'stale');
  assert.equal((await reader.get(path)).body['name'], 'After');
  const any = await admin.send('PATCH', path, { name: 'Whatever' }, { 'If-Match': '*' });
  assert.equal(any.headers.etag, '"3"');
  const oneOf = await admin.send('PATCH', path, { name: 'One of' }, { 'If-Match': '"1", "3"' });
  assert.equal(oneOf.headers.etag, '"4"');
  assertProblem(await admin.send('PATCH', path, {}, { 'If-Match': '*' }), 400, 'invalid');
});

test('a change that changes nothing leaves the version as it is, and nothing in the audit log', async () => {
  const { user } = await create({ name: 'The same', secret: false });
  const path = `/api-users/${user.client_id}`;
  const same = await admin.send('PATCH', path, { name: 'The same' }, { 'If-Match': '*' });
  assert.deepEqual([same.status, same.headers.etag], [200, '"1"']);
  assert.equal((await admin.send('POST', `${path}/enable`, {})).headers.etag, '"1"');
  const history = await reader.get(`${path}/history`);
  assert.deepEqual(
    (history.body['items'] as { action: string }[]).map(({ action }) => action),
    ['api_user.create'],
  );
});

test('a text of any characters comes back as it was given, or is refused', async () => {
  const character = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 });
  const texts = fc.record({ name: character, contact: character });
  await fc.assert(
    fc.asyncProperty(texts, async (given) => {
      const reply = await admin.send('POST', '/api-users', { ...given, secret: false });
      if (reply.status === 400) return assertProblem(reply, 400, 'invalid');
      assert.equal(reply.status, 201, reply.text);
      const { name, contact, client_id } = reply.body['api_user'] as Record<string, string>;
      const found = (await reader.get(`/api-users/${client_id}`)).body;
      for (const one of [
        { name, contact },
        { name: found['name'], contact: found['contact'] },
      ]) {
        assert.deepEqual(one, { ...given });
      }
    }),
    { numRuns: 60 },
  );
});

test('of two changes that are made from the same version at once one is refused', async () => {
  const { user } = await create({ name: 'Race', secret: false });
  const replies = await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      admin.send('PATCH', `/api-users/${user.client_id}`, { name: `Race ${i}` }, { 'If-Match': '"1"' }),
    ),
  );
  const statuses = replies.map(({ status }) => status).sort((a, b) => a - b);
  assert.deepEqual(statuses, [200, ...Array<number>(7).fill(412)]);
});

test('an API user is disabled, enabled and deleted, and its tokens are revoked where that is asked for', async () => {
  const { user, secret } = await create({ name: 'Switched', scopes: ['mintmark:read'] });
  const credentials = { client_id: user.client_id, client_secret: secret };
  const client = await adminClient(server, credentials);
  const path = `/api-users/${user.client_id}`;
  const disabled = await admin.send('POST', `${path}/disable`, { force: true });
  assert.deepEqual([disabled.status, disabled.body['enabled']], [200, false]);
  assertProblem(await client.get('/api-users'), 401, 'not_signed_in');
  const enabled = await admin.send('POST', `${path}/enable`);
  assert.deepEqual([enabled.status, enabled.body['enabled']], [200, true]);
  assert.equal((await client.get('/api-users')).status, 200);
  const revoked = await admin.send('POST', `${path}/revoke-tokens`);
  assert.equal(revoked.status, 200);
  assert.match(revoked.body['revoked_issued_before'] as string, /^20\d\d-.*Z$/);
  assertProblem(await client.get('/api-users'), 401, 'not_signed_in');
  const deleted = await admin.send('DELETE', `${path}?revoke_tokens=true&force=true`);
  assert.deepEqual([deleted.status, deleted.text], [204, '']);
  assertProblem(await admin.get(path), 404, 'not_found');
  assert.equal((await server.post(credentials)).status, 403);
});

test('an id that nobody has is 404 on every route', async () => {
  const path = '/api-users/api_00000000000000000000';
  const any = { 'If-Match': '*' };
  assertProblem(await admin.get(path), 404, 'not_found');
  assertProblem(await admin.send('PATCH', path, { name: 'a' }, any), 404, 'not_found');
  assertProblem(await admin.send('DELETE', path), 404, 'not_found');
  for (const action of ['disable', 'enable', 'revoke-tokens']) {
    assertProblem(await admin.send('POST', `${path}/${action}`), 404, 'not_found');
  }
});

test('security 17: a text that would be a script comes back as the data that it is, from everywhere', async () => {
  const script = `<script>alert("x")</script><img src=x onerror='alert(1)'>`;
  const { user } = await create({
    name: script,
    contact: script,
    username: '"><svg/onload=alert(1)>',
    secret: false,
  });
  assert.equal(user.name, script);
  const found = await admin.get(`/api-users?search=${encodeURIComponent('<SCRIPT>')}`);
  const [item] = found.body['items'] as ApiUser[];
  assert.deepEqual([item?.name, item?.['contact']], [script, script]);
  const quoted = await admin.get(`/api-users/${encodeURIComponent(script)}`);
  assertProblem(quoted, 404, 'not_found');
  for (const reply of [found, quoted]) {
    assert.match(reply.headers['content-type'] ?? '', /^application\/(problem\+)?json/);
    assert.equal(reply.headers['x-content-type-options'], 'nosniff');
  }
});

test('a creation that is asked for twice under one key is made once', async () => {
  const body = { name: 'Once', secret: false };
  const key = { 'Idempotency-Key': 'deploy-1' };
  const [first, second] = [
    await admin.send('POST', '/api-users', body, key),
    await admin.send('POST', '/api-users', body, key),
  ];
  assert.deepEqual([first.status, second.status], [201, 201]);
  assert.deepEqual(second.body, first.body);
  const other = await admin.send('POST', '/api-users', { ...body, name: 'Other' }, key);
  assertProblem(other, 409, 'conflict');
  const found = await admin.get('/api-users?search=once');
  assert.equal((found.body['items'] as unknown[]).length, 1);
});

test('security 15: a creation with a secret, asked for again under its key, names what was made and shows no secret', async () => {
  const key = { 'Idempotency-Key': 'deploy-2' };
  const replies = await Promise.all(
    Array.from({ length: 4 }, () => admin.send('POST', '/api-users', { name: 'Once with secret' }, key)),
  );
  const made = replies.filter(({ status }) => status === 201);
  assert.equal(made.length, 1);
  const first = made[0]?.body as { api_user: ApiUser; credential: { id: string }; client_secret: string };
  server.noteSecret(first.client_secret);
  for (const reply of replies.filter(({ status }) => status !== 201)) {
    assertProblem(reply, 409, 'replayed');
    assert.deepEqual(reply.body['made'], [
      { kind: 'api_user', id: first.api_user.client_id },
      { kind: 'credential', id: first.credential.id },
    ]);
    assert.ok(!reply.text.includes('mms_'));
  }
});

test('a key is that of one caller, and a refused creation does not use it up', async () => {
  const another = await create({ name: 'Another admin', scopes: ['mintmark:admin'] });
  const other = await adminClient(server, {
    client_id: another.user.client_id,
    client_secret: another.secret,
  });
  const key = { 'Idempotency-Key': 'mine' };
  const body = { name: 'Of two', secret: false };
  assertProblem(await admin.send('POST', '/api-users', { ...body, username: 'x' }, key), 400, 'invalid');
  const replies = [
    await admin.send('POST', '/api-users', body, key),
    await other.send('POST', '/api-users', body, key),
  ];
  assert.deepEqual(
    replies.map(({ status }) => status),
    [201, 201],
  );
  assert.notEqual(clientIdOf(replies[0]), clientIdOf(replies[1]));
  assertProblem(await admin.send('POST', '/api-users', body, { 'Idempotency-Key': 'ü' }), 400, 'invalid');
});

function clientIdOf(reply: { body: Record<string, unknown> } | undefined): unknown {
  return (reply?.body as { api_user: ApiUser } | undefined)?.api_user.client_id;
}
