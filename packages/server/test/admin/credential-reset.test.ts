import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { RETIRED_WHEN_QUIET_MS } from '../../src/domain/credential.ts';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import { eventually } from '@mintmark/test-support/eventually';
import { mintmark, type TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser, type TestStore } from '@mintmark/test-support/store';
import { sqlOn } from '@mintmark/test-support/store-under-test';

// A reset: a new secret or password for an API user whose old one is lost, and the end of the old ones.

const PASSWORD = 'quarry lantern sorrel 17';
const HOUR_MS = 3_600_000;

let store: TestStore;
let server: TestServer;
let admin: AdminClient;

before(async () => {
  store = await newStore();
  const made = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000', MINTMARK_USAGE_FLUSH: '100' });
  admin = await adminClient(server, made);
});
after(async () => await server[Symbol.asyncDispose]());

interface Credential {
  id: string;
  kind: string;
  state: string;
  expires_at: string | null;
  retire_when_quiet_from: string | null;
  last_used_at: string | null;
}

interface ResetAnswer {
  credential: Credential;
  client_secret?: string;
  ending: Credential[];
}

async function reset(user: MadeApiUser, body: object): Promise<ResetAnswer> {
  const reply = await admin.send('POST', `/api-users/${user.client_id}/reset`, { name: 'reset', ...body });
  assert.equal(reply.status, 201, reply.text);
  const made = reply.body as unknown as ResetAnswer;
  if (made.client_secret !== undefined) server.noteSecret(made.client_secret);
  return made;
}

/** One that the server knows. */
async function apiUser(name: string, ...options: string[]): Promise<MadeApiUser> {
  const made = await store.apiUser(name, ...options);
  server.noteSecret(made.client_secret);
  await eventually(async () => assert.equal(await status(made.client_id, made.client_secret), 200));
  return made;
}

function password(text: string): { password: string } {
  server.noteSecret(text);
  return { password: text };
}

const status = async (clientId: string, secret: string): Promise<number> =>
  (await server.post({ client_id: clientId, client_secret: secret })).status;

async function credentialsOf(user: MadeApiUser): Promise<Credential[]> {
  const { body } = await admin.get(`/api-users/${user.client_id}/credentials`);
  return body['items'] as Credential[];
}

async function used(user: MadeApiUser, id: string): Promise<void> {
  await eventually(async () => {
    const found = (await credentialsOf(user)).find((credential) => credential.id === id);
    assert.ok(found?.last_used_at, `${id} was used`);
  });
}

void test('a reset gives a password that works by client id and username', async () => {
  const user = await apiUser('Forgotten', '--username', 'forgotten@example.com');
  const made = await reset(user, { ...password(PASSWORD), overlap_seconds: 3600 });
  assert.deepEqual([made.credential.kind, made.client_secret], ['password', undefined]);
  assert.equal(await status(user.client_id, PASSWORD), 200);
  assert.equal(await status('forgotten@example.com', PASSWORD), 200);
  assert.equal(await status(user.client_id, user.client_secret), 200, 'the secret works for an hour more');
  assert.deepEqual(
    made.ending.map(({ id }) => id),
    [user.credential_id],
  );
});

void test('a reset without overlap ends secrets and the password alike', async () => {
  const user = await apiUser('Both kinds');
  await reset(user, { ...password(PASSWORD), overlap_seconds: 3600 });
  const made = await reset(user, { overlap_seconds: 0, end_password: true, force: true });
  assert.deepEqual(made.ending.map(({ kind, state }) => `${kind} ${state}`).toSorted(), [
    'password retired',
    'secret retired',
  ]);
  assert.equal(await status(user.client_id, PASSWORD), 403);
  assert.equal(await status(user.client_id, user.client_secret), 403);
  assert.equal(await status(user.client_id, made.client_secret ?? ''), 200);
});

void test('a new password replaces a live one at once, unforced when quiet', async () => {
  const user = await apiUser('Two passwords');
  const first = await reset(user, { ...password(PASSWORD), overlap_seconds: 3600 });
  assert.equal(await status(user.client_id, PASSWORD), 200);
  await used(user, first.credential.id);
  const body = { name: 'second', ...password(`${PASSWORD} more`), when_quiet: true };
  const refused = await admin.send('POST', `/api-users/${user.client_id}/reset`, body);
  assertProblem(refused, 409, 'unsafe');
  assert.equal(await status(user.client_id, PASSWORD), 200, 'a refused reset changes nothing');
  const made = await reset(user, { ...body, force: true });
  assert.equal(made.ending.find(({ kind }) => kind === 'password')?.state, 'retired');
  assert.equal(made.ending.find(({ kind }) => kind === 'secret')?.state, 'live');
  assert.equal(await status(user.client_id, PASSWORD), 403);
  assert.equal(await status(user.client_id, `${PASSWORD} more`), 200);
});

void test('a weak password is refused by its member and never quoted', async () => {
  const user = await apiUser('Weak');
  for (const weak of ['short one', 'aaaabbbbaaaabbbb', 'x'.repeat(129), `mms_${'a1b2c3'.repeat(4)}`, '']) {
    for (const [path, more] of [
      ['reset', { when_quiet: true }],
      ['credentials', {}],
    ] as const) {
      const body = { name: 'weak', password: weak, ...more };
      const reply = await admin.send('POST', `/api-users/${user.client_id}/${path}`, body);
      assert.ok(reply.status === 400 || reply.status === 422, reply.text);
      const [fault] = reply.body['errors'] as { pointer: string }[];
      assert.equal(fault?.pointer, '/password');
      assert.ok(weak === '' || !reply.text.includes(weak));
    }
  }
  assert.equal((await credentialsOf(user)).length, 1);
  assert.equal(await status(user.client_id, user.client_secret), 200);
});

void test('a password is created beside the secrets, one at a time', async () => {
  const user = await apiUser('Beside');
  const path = `/api-users/${user.client_id}/credentials`;
  const made = await admin.send('POST', path, { name: 'typed', ...password(PASSWORD) });
  assert.deepEqual([made.status, made.body['client_secret']], [201, undefined], made.text);
  assert.equal(await status(user.client_id, PASSWORD), 200);
  const second = await admin.send('POST', path, { name: 'typed', ...password(`${PASSWORD} 2`) });
  assertProblem(second, 409, 'conflict');
});

void test('a reset says how the old ones end in exactly one way', async () => {
  const user = await apiUser('One way');
  for (const ends of [{}, { overlap_seconds: 60, when_quiet: true }]) {
    const reply = await admin.send('POST', `/api-users/${user.client_id}/reset`, { name: 'x', ...ends });
    assert.ok(reply.status === 400 || reply.status === 422, reply.text);
    assert.match(reply.text, /either overlap_seconds or when_quiet/);
  }
});

void test('a repeated reset is recognised without a digest of its password', async () => {
  const user = await apiUser('Replayed');
  const path = `/api-users/${user.client_id}/reset`;
  const body = { name: 'once', ...password(`${PASSWORD} once`), overlap_seconds: 60 };
  const key = { 'Idempotency-Key': 'a-reset' };
  assert.equal((await admin.send('POST', path, body, key)).status, 201);
  assertProblem(await admin.send('POST', path, body, key), 409, 'replayed');
  const [row] = sqlOn(join(server.dataDir, 'mintmark.db'), 'select request from idempotency_keys');
  const digest = hash('sha256', JSON.stringify(['POST', `/marketing/admin/v1${path}`, body]), 'base64url');
  assert.notEqual(row?.['request'], digest, 'it could be guessed');
});

/** Moves what the store knows of a credential into the past. */
function age(id: string, column: 'last_used_at' | 'retire_when_quiet_from', agoMs: number): void {
  const [table, key] =
    column === 'last_used_at' ? ['credential_usage', 'credential_id'] : ['credentials', 'id'];
  const database = join(server.dataDir, 'mintmark.db');
  sqlOn(database, `update ${table} set ${column} = ? where ${key} = ?`, Date.now() - agoMs, id);
}

void test(
  'credentials that are retired when quiet end once nothing uses them',
  { timeout: 60_000 },
  async () => {
    const users = await Promise.all(
      ['Due', 'Used yesterday', 'Marked today', 'Unproven'].map((name) => apiUser(name)),
    );
    const [due, yesterday, today, unproven] = users as [MadeApiUser, MadeApiUser, MadeApiUser, MadeApiUser];
    for (const user of users) {
      assert.equal(await status(user.client_id, user.client_secret), 200);
      await used(user, user.credential_id);
      const { credential, client_secret: fresh = '', ending } = await reset(user, { when_quiet: true });
      assert.deepEqual([ending[0]?.state, ending[0]?.expires_at], ['live', null]);
      assert.ok(ending[0]?.retire_when_quiet_from);
      if (user === unproven) continue;
      assert.equal(await status(user.client_id, fresh), 200);
      await used(user, credential.id);
    }
    const past = RETIRED_WHEN_QUIET_MS + 60_000;
    for (const user of users) {
      age(user.credential_id, 'retire_when_quiet_from', user === today ? HOUR_MS : past);
      age(user.credential_id, 'last_used_at', user === yesterday ? 24 * HOUR_MS : past);
    }
    await eventually(async () => {
      const old = (await credentialsOf(due)).find(({ id }) => id === due.credential_id);
      assert.equal(old?.state, 'retired'); // a poll with the secret would be a use
    }, 30_000);
    await eventually(async () => assert.equal(await status(due.client_id, due.client_secret), 403));
    for (const user of [yesterday, today, unproven]) {
      assert.equal(await status(user.client_id, user.client_secret), 200);
    }
    const { body } = await admin.get(`/audit?action=credential.retire&subject=${due.client_id}`);
    const [entry] = body['items'] as { actor: { kind: string }; subject: { id: string } }[];
    assert.deepEqual([entry?.actor.kind, entry?.subject.id], ['system', due.credential_id]);
  },
);

void test('the command line resets to a password, and when quiet', async () => {
  const user = await apiUser('By command');
  const args = ['credential', 'reset', user.client_id, '--password-stdin', '--when-quiet'];
  server.noteSecret(`${PASSWORD} typed`);
  const made = await store.json<{ kind: string; client_secret?: string }>(args, `${PASSWORD} typed\n`);
  assert.deepEqual([made.kind, made.client_secret], ['password', undefined]);
  await eventually(async () => assert.equal(await status(user.client_id, `${PASSWORD} typed`), 200));
  const list = await server.cli('credential', 'list', user.client_id);
  assert.match(list, new RegExp(`${user.credential_id}.*when quiet`));
  const both = ['credential', 'reset', user.client_id, '--overlap', '1h', '--when-quiet'];
  const { code, err } = await mintmark(both, { env: { MINTMARK_DATA_DIR: server.dataDir } });
  assert.notEqual(code, 0);
  assert.match(err, /--when-quiet.*cannot be used with.*--overlap/);
});
