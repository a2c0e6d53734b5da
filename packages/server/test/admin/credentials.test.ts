import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// Credentials and signing keys through the admin API, on a server with a store of its own.

let server: TestServer;
let admin: AdminClient;
let user: MadeApiUser;

before(async () => {
  const store = await newStore();
  const made = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  user = await store.apiUser('Importer', '--scope', 'campaigns:read');
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000', MINTMARK_USAGE_FLUSH: '100' });
  admin = await adminClient(server, made);
});
after(async () => await server[Symbol.asyncDispose]());

interface Credential {
  id: string;
  name: string;
  state: string;
  expires_at: string | null;
  last_used_at: string | null;
  use_count: number;
  retirement_objection: string | null;
}

interface Made {
  credential: Credential;
  client_secret: string;
}

async function make(path: string, body: object, status = 201): Promise<Made & Record<string, unknown>> {
  const reply = await admin.send('POST', path, body);
  assert.equal(reply.status, status, reply.text);
  const made = reply.body as unknown as Made & Record<string, unknown>;
  if (made.client_secret !== undefined) server.noteSecret(made.client_secret);
  return made;
}

async function newUser(): Promise<{ path: string; clientId: string; secret: string; credentialId: string }> {
  const made = await make('/api-users', { name: 'Of a test', scopes: ['campaigns:read'] });
  const { client_id: clientId } = made['api_user'] as { client_id: string };
  return {
    path: `/api-users/${clientId}`,
    clientId,
    secret: made.client_secret,
    credentialId: made.credential.id,
  };
}

const credentialsOf = async (path: string): Promise<Credential[]> =>
  (await admin.get(`${path}/credentials`)).body['items'] as Credential[];

const tokenStatus = async (clientId: string, secret: string) =>
  (await server.post({ client_id: clientId, client_secret: secret })).status;

test('a secret is made beside the first one, works at once, and is listed without itself', async () => {
  const { path, clientId, secret, credentialId } = await newUser();
  const made = await make(`${path}/credentials`, { name: 'second', expires_at: '2100-01-01T00:00:00Z' });
  assert.deepEqual(
    [await tokenStatus(clientId, secret), await tokenStatus(clientId, made.client_secret)],
    [200, 200],
  );
  const reply = await admin.get(`${path}/credentials`);
  const items = reply.body['items'] as Credential[];
  assert.deepEqual(
    items.map(({ id, name, state }) => [id, name, state]),
    [
      [credentialId, 'first secret', 'live'],
      [made.credential.id, 'second', 'live'],
    ],
  );
  assert.ok(!reply.text.includes('digest') && !reply.text.includes('mms_'));
});

test('of a sixth live credential, a wrong name and a past expiry it is said why not', async () => {
  const { path } = await newUser();
  for (const [body, pointer] of [
    [{ name: ' ' }, '/name'],
    [{ name: 'x'.repeat(201) }, '/name'],
    [{ name: 'a', expires_at: '2001-01-01T00:00:00Z' }, '/expires_at'],
    [{ name: 'a', expires_at: 'tomorrow' }, '/expires_at'],
    [{ name: 'a', expires_at: '2030-13-01T00:00:00Z' }, '/expires_at'],
    [{ name: 'a', secret: 'mine' }, '/secret'],
  ] as const) {
    const reply = await admin.send('POST', `${path}/credentials`, body);
    assertProblem(reply, 400, 'invalid');
    assert.equal((reply.body['errors'] as { pointer: string }[])[0]?.pointer, pointer);
  }
  for (let i = 0; i < 4; i++) await make(`${path}/credentials`, { name: `more ${i}` });
  assertProblem(await admin.send('POST', `${path}/credentials`, { name: 'sixth' }), 409, 'conflict');
});

test('a secret that is asked for again under its key is made once and not shown again', async () => {
  const { path } = await newUser();
  const key = { 'Idempotency-Key': `of ${path}`.replaceAll(' ', '-') };
  const first = await admin.send('POST', `${path}/credentials`, { name: 'once' }, key);
  server.noteSecret(first.body['client_secret'] as string);
  const again = await admin.send('POST', `${path}/credentials`, { name: 'once' }, key);
  assertProblem(again, 409, 'replayed');
  const made = [{ kind: 'credential', id: (first.body['credential'] as Credential).id }];
  assert.deepEqual(again.body['made'], made);
  assert.equal((await credentialsOf(path)).length, 2);
});

test('a credential is renamed and dated again, and refused both once it has ended', async () => {
  const { path, credentialId } = await newUser();
  const changed = await admin.send('PATCH', `/credentials/${credentialId}`, {
    name: 'Renamed <b>',
    expires_at: '2100-01-01T00:00:00Z',
  });
  assert.deepEqual(
    [changed.body['name'], changed.body['expires_at']],
    ['Renamed <b>', '2100-01-01T00:00:00.000Z'],
  );
  const undated = await admin.send('PATCH', `/credentials/${credentialId}`, { expires_at: null });
  assert.deepEqual([undated.body['name'], undated.body['expires_at']], ['Renamed <b>', null]);
  assertProblem(await admin.send('PATCH', `/credentials/${credentialId}`, {}), 400, 'invalid');
  await admin.send('POST', `/credentials/${credentialId}/retire`, { force: true });
  assertProblem(await admin.send('PATCH', `/credentials/${credentialId}`, { name: 'x' }), 409, 'conflict');
  assert.deepEqual(
    (await credentialsOf(path)).map(({ state }) => state),
    ['retired'],
  );
});

test('a credential in use is retired only by force, and is useless from then on', async () => {
  const { path, clientId, secret, credentialId } = await newUser();
  assert.equal(await tokenStatus(clientId, secret), 200);
  const deadline = Date.now() + 10_000;
  while ((await credentialsOf(path))[0]?.last_used_at === null) assert.ok(Date.now() < deadline);
  const [used] = await credentialsOf(path);
  assert.match(used?.retirement_objection ?? '', /^it was used less than a minute ago/);
  const refused = await admin.send('POST', `/credentials/${credentialId}/retire`);
  assertProblem(refused, 409, 'unsafe');
  assert.match(refused.body['detail'] as string, /With `force` they are cut off/);
  assert.ok(!(refused.body['detail'] as string).includes('--force'));
  assert.equal(await tokenStatus(clientId, secret), 200);
  const forced = await admin.send('POST', `/credentials/${credentialId}/retire`, { force: true });
  assert.deepEqual([forced.status, forced.body['state']], [200, 'retired']);
  assert.equal(await tokenStatus(clientId, secret), 403);
});

test('a reset gives a new secret and lets the old ones end after the overlap', async () => {
  const { path, clientId, secret, credentialId } = await newUser();
  const made = await make(`${path}/reset`, { name: 'new', overlap_seconds: 3600 });
  const [ending] = made['ending'] as Credential[];
  assert.equal(ending?.id, credentialId);
  const endsIn = Date.parse(ending?.expires_at ?? '') - Date.now();
  assert.ok(endsIn > 3_500_000 && endsIn <= 3_600_000);
  assert.deepEqual(
    [await tokenStatus(clientId, secret), await tokenStatus(clientId, made.client_secret)],
    [200, 200],
  );
  const now = await make(`${path}/reset`, { name: 'newest', overlap_seconds: 0, force: true });
  const statuses = [secret, made.client_secret, now.client_secret].map((each) => tokenStatus(clientId, each));
  assert.deepEqual(await Promise.all(statuses), [403, 403, 200]);
});

test('what leaked is cut off in one step: credentials and tokens, with a fresh secret where one is asked for', async () => {
  const { path, clientId, secret, credentialId } = await newUser();
  const other = await make(`${path}/credentials`, { name: 'other' });
  const token = (await server.post({ client_id: clientId, client_secret: secret })).body['access_token'];
  const one = await admin.send('POST', `${path}/cut-off`, { credential_id: credentialId });
  assert.deepEqual(
    (one.body['retired'] as Credential[]).map(({ id }) => id),
    [credentialId],
  );
  assert.equal(one.body['client_secret'], undefined);
  assert.deepEqual(
    [await tokenStatus(clientId, secret), await tokenStatus(clientId, other.client_secret)],
    [403, 200],
  );
  assert.equal(await isActive(token as string), false);
  const all = await make(`${path}/cut-off`, { new_secret: true }, 200);
  assert.deepEqual(
    (all['retired'] as Credential[]).map(({ id }) => id),
    [other.credential.id],
  );
  assert.deepEqual(
    [await tokenStatus(clientId, other.client_secret), await tokenStatus(clientId, all.client_secret)],
    [403, 200],
  );
});

/** Whether the server still takes a token of its own: it must be one that the admin API knows. */
async function isActive(token: string): Promise<boolean> {
  const reply = await fetch(`${server.url}/admin/v1/api-users`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  return reply.status !== 401;
}

test('a credential or API user that there is not is 404 on every route', async () => {
  const nobody = '/api-users/api_00000000000000000000';
  const body = { name: 'a' };
  assertProblem(await admin.get(`${nobody}/credentials`), 404, 'not_found');
  assertProblem(await admin.send('POST', `${nobody}/credentials`, body), 404, 'not_found');
  assertProblem(
    await admin.send('POST', `${nobody}/reset`, { ...body, overlap_seconds: 0 }),
    404,
    'not_found',
  );
  assertProblem(await admin.send('POST', `${nobody}/cut-off`), 404, 'not_found');
  assertProblem(await admin.send('PATCH', '/credentials/0000000000', body), 404, 'not_found');
  assertProblem(await admin.send('POST', '/credentials/0000000000/retire'), 404, 'not_found');
  const cutOff = await admin.send('POST', `/api-users/${user.client_id}/cut-off`, {
    credential_id: '0000000000',
  });
  assertProblem(cutOff, 404, 'not_found');
});

test('a signing key is rotated by schedule once, and at once where that is asked for', async () => {
  const scheduled = await admin.send('POST', '/signing-keys/rotate');
  assert.deepEqual([scheduled.status, scheduled.body['state']], [201, 'announced']);
  assertProblem(await admin.send('POST', '/signing-keys/rotate'), 409, 'conflict');
  const now = await admin.send('POST', '/signing-keys/rotate', { mode: 'now', algorithm: 'EdDSA' });
  assert.deepEqual([now.body['state'], now.body['algorithm']], ['active', 'EdDSA']);
  const keys = (await admin.get('/signing-keys')).body['items'] as { kid: string; state: string }[];
  assert.equal(keys.length, 3);
  assert.equal(keys.find(({ kid }) => kid === now.body['kid'])?.state, 'active');
  const token = await server.post({ client_id: user.client_id, client_secret: user.client_secret });
  const [header = ''] = (token.body['access_token'] as string).split('.');
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
  assert.equal(kid, now.body['kid'], 'it signs from the answer on');
  assertProblem(await admin.send('POST', '/signing-keys/rotate', { mode: 'soon' }), 400, 'invalid');
});
