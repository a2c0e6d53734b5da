import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import { testStore } from '@mintmark/test-support/command-line';
import { undoMigrations } from '@mintmark/test-support/former-migrations';
import type { Reply } from '@mintmark/test-support/http';
import { auditOf, browser, makeOperator, type Browser } from '@mintmark/test-support/operators';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';
import { onPostgres, SQLITE_ONLY } from '@mintmark/test-support/store-under-test';

// Client ids of deleted API users are never used again: who holds tokens or rules for one would take the new one for the old.

const NDJSON = { 'Content-Type': 'application/x-ndjson' };

type Json = Record<string, unknown>;

let server: TestServer;
let admin: AdminClient;
let onDuty: Browser;

before(async () => {
  const store = await newStore();
  const made = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000' });
  admin = await adminClient(server, made);
  await makeOperator(server, 'duty@example.com', 'operator');
  onDuty = browser(server);
  await onDuty.signIn('duty@example.com');
});
after(async () => await server[Symbol.asyncDispose]());

async function apiUser(settings: Json): Promise<MadeApiUser> {
  const { body, text } = await admin.send('POST', '/api-users', settings);
  assert.ok(body['client_secret'] !== undefined, text);
  server.noteSecret(body['client_secret'] as string);
  return {
    client_id: (body['api_user'] as { client_id: string }).client_id,
    credential_id: (body['credential'] as { id: string }).id,
    client_secret: body['client_secret'] as string,
  };
}

async function deleted(settings: Json): Promise<MadeApiUser> {
  const made = await apiUser(settings);
  assert.equal((await admin.send('DELETE', `/api-users/${made.client_id}`)).status, 204);
  return made;
}

/** A line with a secret that the importer chose. */
function ownLine(clientId: string): Json {
  const digest = createHash('sha256').update('mine').digest('base64url');
  const credentials = [{ id: 'mineminemi', kind: 'secret', name: 'mine', digest }];
  return { client_id: clientId, name: 'Mine', credentials };
}

function firstLine({ text }: Reply): Json {
  return JSON.parse(text.split('\n', 1)[0] ?? '') as Json;
}

async function importByAdmin(line: Json, query = ''): Promise<Json> {
  return firstLine(await admin.send('POST', `/api-users/import${query}`, JSON.stringify(line), NDJSON));
}

async function importOnDuty(line: Json, query = ''): Promise<Reply> {
  const headers = { 'Sec-Fetch-Site': 'same-origin', ...NDJSON };
  return await onDuty.send('POST', `/api-users/import${query}`, line, headers);
}

function assertNeverAgain(line: Json, pointer: string): void {
  const [error] = (line['errors'] ?? []) as Json[];
  assert.deepEqual([line['outcome'], line['code'], error?.['pointer']], ['refused', 'conflict', pointer]);
  assert.match(line['detail'] as string, /deleted/);
}

test('security 12: an operator cannot delete an API user that may do everything', async () => {
  const powerful = await apiUser({ name: 'Powerful', scopes: ['campaigns:read', 'mintmark:admin'] });
  const path = `/api-users/${powerful.client_id}`;
  for (const query of ['', '?force=true', '?force=true&revoke_tokens=true']) {
    const reply = await onDuty.send('DELETE', path + query);
    assertProblem(reply, 403, 'forbidden');
    assert.match(reply.body['detail'] as string, /mintmark:admin/);
  }
  assert.equal((await server.post({ ...powerful })).status, 200);
  const last = (await auditOf(server)).findLast(({ action }) => action === 'api_user.delete');
  assert.deepEqual(
    [last?.outcome, last?.actor.name, last?.subject.id],
    ['refused', 'duty@example.com', powerful.client_id],
  );
});

test('security 12: nobody imports the client id of a deleted API user', async () => {
  const gone = await deleted({ name: 'Gone', scopes: ['mintmark:admin'] });
  assertNeverAgain(firstLine(await importOnDuty(ownLine(gone.client_id))), '/client_id');
  assertNeverAgain(await importByAdmin(ownLine(gone.client_id)), '/client_id');
  assertNeverAgain(
    await importByAdmin(ownLine(gone.client_id.toUpperCase().replace('API', 'api'))),
    '/client_id',
  );
  assertProblem(await admin.get(`/api-users/${gone.client_id}`), 404, 'not_found');
  const [kept, taken] = (
    await admin.send(
      'POST',
      '/api-users/import',
      ['kept-1', 'kept-1'].map((client_id) => JSON.stringify({ client_id, name: 'Kept' })).join('\n'),
      NDJSON,
    )
  ).text
    .split('\n')
    .map((line) => (line === '' ? {} : (JSON.parse(line) as Json)));
  assert.deepEqual([kept?.['outcome'], taken?.['code']], ['made', 'conflict']);
});

test('security 12: no username is the client id of a deleted API user', async () => {
  await importByAdmin({ client_id: 'legacy-17', name: 'Legacy' });
  await admin.send('DELETE', '/api-users/legacy-17');
  for (const username of ['legacy-17', 'LEGACY-17']) {
    const created = await onDuty.send('POST', '/api-users', { name: 'Heir', username });
    assertProblem(created, 409, 'conflict');
    assert.deepEqual(
      (created.body['errors'] as Json[]).map(({ pointer }) => pointer),
      ['/username'],
    );
    assertNeverAgain(await importByAdmin({ name: 'Heir', username }), '/username');
    const plain = await apiUser({ name: 'Plain' });
    const changed = await onDuty.send(
      'PATCH',
      `/api-users/${plain.client_id}`,
      { username },
      { 'If-Match': '*', 'Sec-Fetch-Site': 'same-origin' },
    );
    assertProblem(changed, 409, 'conflict');
  }
});

test('an admin restores a deleted API user from an export by flag', async () => {
  const made = await apiUser({ name: 'Restored', scopes: ['campaigns:read'] });
  const exported = (await admin.get('/api-users/export?digests=true')).text
    .split('\n')
    .find((line) => line.includes(made.client_id));
  const line = JSON.parse(exported ?? '') as Json;
  await admin.send('DELETE', `/api-users/${made.client_id}`);
  assert.equal((await server.post({ ...made })).status, 403);
  assertProblem(await importOnDuty(line, '?restore_deleted=true'), 403, 'forbidden');
  assert.equal((await importOnDuty(line, '?restore_deleted=1')).status, 400);
  assertNeverAgain(await importByAdmin(line, '?restore_deleted=false'), '/client_id');
  assert.equal((await importByAdmin(line, '?restore_deleted=true'))['outcome'], 'made');
  assert.equal((await server.post({ ...made })).status, 200);
  await admin.send('DELETE', `/api-users/${made.client_id}?force=true`);
  assertNeverAgain(await importByAdmin(line), '/client_id');
});

test('the command line restores a deleted API user with --restore-deleted only', async () => {
  using store = await testStore();
  const made = await store.json<MadeApiUser>('api-user', 'create', '--name', 'Once');
  const exported = await store.cli('api-user', 'export', '--digests');
  await store.cli('api-user', 'delete', made.client_id);
  const refused = await store.run(['api-user', 'import'], { stdin: exported });
  assert.equal(refused.code, 3, refused.out);
  assert.match(refused.out, /--restore-deleted|restore_deleted/);
  const restored = await store.run(['api-user', 'import', '--restore-deleted'], { stdin: exported });
  assert.equal(restored.code, 0, restored.out);
  assert.equal(await store.cli('api-user', 'export', '--digests'), exported);
});

test('ids deleted before the upgrade or by an older process count', async () => {
  using store = await testStore();
  const earlier = await store.json<MadeApiUser>('api-user', 'create', '--name', 'Before');
  const during = await store.json<MadeApiUser>('api-user', 'create', '--name', 'During');
  const exported = await store.cli('api-user', 'export');
  await store.cli('api-user', 'delete', earlier.client_id);
  for (const statement of undoMigrations('011-deleted-client-ids', onPostgres ? 'postgres' : 'sqlite'))
    store.sql(statement);
  await store.cli('migrate');
  store.sql('delete from credentials where client_id = ?', during.client_id);
  store.sql('delete from api_users where client_id = ?', during.client_id); // as a program of the version before does
  const { code, out } = await store.run(['api-user', 'import'], { stdin: exported });
  assert.equal(code, 3);
  const outcomes = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Json);
  assert.deepEqual(
    outcomes.map((line) => line['code']),
    ['conflict', 'conflict'],
  );
});

test('a restored backup does not free ids issued since', { skip: SQLITE_ONLY }, async () => {
  using store = await testStore({ keys: true });
  const kept = await store.json<MadeApiUser>('api-user', 'create', '--name', 'Kept');
  const backup = `${store.dataDir}/backup.db`;
  await store.cli('store', 'backup', backup);
  const later = await store.json<MadeApiUser>('api-user', 'create', '--name', 'Later');
  const gone = await store.json<MadeApiUser>('api-user', 'create', '--name', 'Gone');
  const exported = await store.cli('api-user', 'export');
  await store.cli('api-user', 'delete', gone.client_id);
  await store.cli('store', 'restore', backup);
  const { out } = await store.run(['api-user', 'import'], { stdin: exported });
  assert.match(out, new RegExp(`There is an API user .*${kept.client_id}`));
  for (const { client_id } of [later, gone])
    assert.match(out, new RegExp(`${client_id}.* of a deleted API user`));
});
