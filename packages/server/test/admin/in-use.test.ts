import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import { testStore } from '@mintmark/test-support/command-line';
import type { Reply } from '@mintmark/test-support/http';
import { auditOf } from '@mintmark/test-support/operators';
import { mintmark, type TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';
import { withDatabase } from '@mintmark/test-support/store-under-test';

// What stops an API user asks first if callers use it, through the admin API and on the command line.
// The server keeps the default interval of usage, ten seconds: a caller of a moment ago has to count all the same.

let server: TestServer;
let admin: AdminClient;

before(async () => {
  const store = await newStore();
  const made = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000' });
  admin = await adminClient(server, made);
});
after(async () => await server[Symbol.asyncDispose]());

async function apiUser(name: string, calls = 0): Promise<MadeApiUser> {
  const { body } = await admin.send('POST', '/api-users', { name });
  const made = {
    client_id: (body['api_user'] as { client_id: string }).client_id,
    credential_id: (body['credential'] as { id: string }).id,
    client_secret: body['client_secret'] as string,
  };
  server.noteSecret(made.client_secret);
  for (let i = 0; i < calls; i++) await token(made, 200);
  return made;
}

async function token({ client_id, client_secret }: MadeApiUser, status: number): Promise<void> {
  assert.equal((await server.post({ client_id, client_secret })).status, status);
}

function assertInUse(reply: Reply, { credential_id }: MadeApiUser, tokens: number): void {
  assertProblem(reply, 409, 'unsafe');
  assert.match(
    reply.body['detail'] as string,
    new RegExp(`${credential_id}.*less than a minute ago from 127`),
  );
  const inUse = reply.body['in_use'] as Record<string, unknown>;
  assert.deepEqual([inUse['tokens_last_hour'], inUse['tokens_last_day']], [tokens, tokens]);
  const [credential] = inUse['credentials'] as Record<string, unknown>[];
  assert.deepEqual(
    [credential?.['id'], credential?.['kind'], credential?.['last_used_address'], credential?.['use_count']],
    [credential_id, 'secret', '127.0.0.1', tokens],
  );
}

test('disabling an API user in use names its callers, unless forced', async () => {
  const made = await apiUser('Disabled while in use', 2);
  const path = `/api-users/${made.client_id}/disable`;
  assertInUse(await admin.send('POST', path), made, 2);
  await token(made, 200);
  const forced = await admin.send('POST', path, { force: true });
  assert.deepEqual([forced.status, forced.body['enabled']], [200, false], forced.text);
  await token(made, 403);
  const undo = String(forced.body['undo']);
  assert.equal(undo, `POST /api-users/${made.client_id}/enable`);
  const [method = '', undoPath = ''] = undo.split(' ');
  assert.equal((await admin.send(method, undoPath)).status, 200);
  await token(made, 200);
  const [refused, done] = (await auditOf(server)).filter(({ action }) => action === 'api_user.disable');
  assert.deepEqual([refused?.outcome, done?.outcome], ['refused', 'done']);
  assert.equal(done?.after?.['forced'], true);
});

test('deleting an API user in use names its callers, unless forced', async () => {
  const made = await apiUser('Deleted while in use', 3);
  const path = `/api-users/${made.client_id}`;
  assertInUse(await admin.send('DELETE', path), made, 3);
  assertInUse(await admin.send('DELETE', `${path}?force=false&revoke_tokens=true`), made, 3);
  await token(made, 200);
  assert.equal((await admin.send('DELETE', `${path}?force=true`)).status, 204);
  await token(made, 403);
});

test('an unused or disabled API user needs no force', async () => {
  const quiet = await apiUser('Quiet');
  assert.equal((await admin.send('POST', `/api-users/${quiet.client_id}/disable`)).status, 200);
  assert.equal((await admin.send('DELETE', `/api-users/${quiet.client_id}`)).status, 204);
  const stopped = await apiUser('Stopped', 1);
  await admin.send('POST', `/api-users/${stopped.client_id}/disable`, { force: true });
  assert.equal((await admin.send('DELETE', `/api-users/${stopped.client_id}`)).status, 204);
});

test('only live credentials count: a retired one has no caller left', async () => {
  const made = await apiUser('Retired its only secret', 1);
  await admin.send('POST', `/credentials/${made.credential_id}/retire`, { force: true });
  assert.equal((await admin.send('DELETE', `/api-users/${made.client_id}`)).status, 204);
});

test('retire and reset count a caller of a moment ago, too', async () => {
  const retired = await apiUser('Retired a moment later', 1);
  assertInUse(await admin.send('POST', `/credentials/${retired.credential_id}/retire`), retired, 1);
  const reset = await apiUser('Reset a moment later', 1);
  const asked = { name: 'new', overlap_seconds: 0 };
  assertInUse(await admin.send('POST', `/api-users/${reset.client_id}/reset`, asked), reset, 1);
});

test('a cut-off stops an API user in use without a question', async () => {
  const made = await apiUser('Leaked', 1);
  const reply = await admin.send('POST', `/api-users/${made.client_id}/cut-off`, {});
  assert.equal(reply.status, 200, reply.text);
  await token(made, 403);
});

test('the commands disable and delete refuse with exit code 4 unless forced', async () => {
  const env = await withDatabase({ MINTMARK_DATA_DIR: server.dataDir });
  for (const verb of ['disable', 'delete']) {
    const made = await apiUser(`Command ${verb}`, 1);
    const refused = await mintmark(['api-user', verb, made.client_id], { env });
    assert.equal(refused.code, 4, refused.err);
    assert.match(refused.err, new RegExp(`${made.credential_id}.*less than a minute ago from 127.0.0.1`));
    assert.match(refused.err, /1 token in the last hour and 1 token in the last 24 hours/);
    assert.match(refused.err, /--force/);
    await token(made, 200);
    const forced = await mintmark(['api-user', verb, made.client_id, '--force'], { env });
    assert.equal(forced.code, 0, forced.err);
    if (verb === 'disable')
      assert.match(forced.err, new RegExp(`Undo: mintmark api-user enable ${made.client_id}`));
  }
});

test('without a server the command line disables and deletes what nobody uses', async () => {
  using alone = await testStore();
  const { client_id } = await alone.json<MadeApiUser>('api-user', 'create', '--name', 'Alone');
  await alone.cli('api-user', 'disable', client_id);
  await alone.cli('api-user', 'enable', client_id);
  await alone.cli('api-user', 'delete', client_id);
});
