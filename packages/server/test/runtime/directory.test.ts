// Test setup: also on PostgreSQL.
import assert from 'node:assert/strict';
import { backup, DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { SYSTEM } from '../../src/domain/actor.ts';
import {
  createDirectory,
  type Directory,
  type DirectorySettings,
} from '../../src/runtime/directory/directory.ts';
import { isDenial } from '../../src/domain/denial.ts';
import { createApiUser, deleteApiUser, updateApiUser } from '../../src/admin/api-user.ts';
import { createSecret } from '../../src/admin/credential.ts';
import type { KnownApiUserRows } from '../../src/storage/tables/known-api-user.ts';
import type { Store } from '../../src/storage/store.ts';
import { join } from 'node:path';
import { startServer } from '@mintmark/test-support/server';
import { SQLITE_ONLY } from '@mintmark/test-support/store-under-test';
import { apiUserSettings, temporaryStore } from '@mintmark/test-support/temporary-store';
import { NO_ORGANISATIONS } from '@mintmark/test-support/no-organisations';
import { eventually } from '@mintmark/test-support/eventually';

const SETTINGS: DirectorySettings = {
  directoryMax: 1000,
  unknownMax: 10,
  unknownTtlMs: 5000,
  lookupsMax: 100,
  lookupTimeoutMs: 2000,
  staleMaxSeconds: 900,
  audience: 'https://api.example.com/',
  apiUserLimit: 250,
};

/** The store's own rows, and how often each read was made. */
function counted(store: Store): { rows: KnownApiUserRows; reads: () => number } {
  let reads = 0;
  const count = <A extends unknown[], R>(read: (...args: A) => R) => {
    return (...args: A): R => {
      reads += 1;
      return read(...args);
    };
  };
  const { byName, byIds, page, readAll, anyPassword } = store.knownApiUsers;
  const rows = {
    byName: count(byName),
    byIds: count(byIds),
    page: count(page),
    readAll,
    anyPassword: count(anyPassword),
  };
  return { rows, reads: () => reads };
}

async function fill(store: Store, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++)
    ids.push((await createApiUser({ store, actor: SYSTEM, nowMs: 1 }, apiUserSettings())).clientId);
  return ids;
}

async function idFound(directory: Directory, name: string, nowMs = 0): Promise<string | undefined> {
  const found = await directory.find(name, nowMs);
  return found === undefined ? undefined : isDenial(found) ? found.denied : found.clientId;
}

test('a thousand simultaneous requests for an unread API user cost one read', async () => {
  await using opened = await temporaryStore();
  const [id = ''] = await fill(opened.store, 1);
  const { rows, reads } = counted(opened.store);
  const directory = createDirectory(rows, SETTINGS, () => 0, NO_ORGANISATIONS);
  const found = await Promise.all(Array.from({ length: 1000 }, () => idFound(directory, id)));
  assert.deepEqual(new Set(found), new Set([id]));
  assert.equal(reads(), 1);
  assert.ok(!(directory.find(id, 0) instanceof Promise), 'from then on it is in memory');
});

test('an unknown name is remembered until its time or a change', async () => {
  await using opened = await temporaryStore();
  const { rows, reads } = counted(opened.store);
  const directory = createDirectory(rows, SETTINGS, () => 0, NO_ORGANISATIONS);
  for (const nowMs of [0, 0, 4999])
    assert.equal(await idFound(directory, 'late@example.com', nowMs), undefined);
  assert.equal(reads(), 1);
  assert.equal(await idFound(directory, 'late@example.com', 5000), undefined);
  assert.equal(reads(), 2);
  const { clientId } = await createApiUser(
    { store: opened.store, actor: SYSTEM, nowMs: 1 },
    apiUserSettings({ username: 'late@example.com' }),
  );
  assert.equal(await idFound(directory, 'late@example.com', 5001), undefined, 'not told yet');
  await directory.refresh([clientId]);
  assert.equal(await idFound(directory, 'Late@Example.com', 5001), clientId);
});

test('unknown names beyond the bound are forgotten, not kept', async () => {
  await using opened = await temporaryStore();
  const { rows, reads } = counted(opened.store);
  const directory = createDirectory(rows, SETTINGS, () => 0, NO_ORGANISATIONS);
  for (let i = 0; i < 25; i++) await idFound(directory, `unknown ${i}`);
  assert.equal(reads(), 25);
  await idFound(directory, 'unknown 24');
  assert.equal(reads(), 25, 'the newest is remembered');
  await idFound(directory, 'unknown 0');
  assert.equal(reads(), 26, 'the oldest was forgotten: at most 10 are kept');
});

test('too long or, once all are in memory, unknown names are free', async () => {
  await using opened = await temporaryStore();
  await fill(opened.store, 3);
  const { rows, reads } = counted(opened.store);
  const directory = createDirectory(rows, SETTINGS, () => 0, NO_ORGANISATIONS);
  assert.equal(directory.find('x'.repeat(257), 0), undefined);
  assert.equal(reads(), 0);
  await directory.load();
  const before = reads();
  for (let i = 0; i < 100; i++) assert.equal(directory.find(`unknown ${i}`, 0), undefined);
  assert.equal(reads(), before);
});

test('look-ups beyond their bound are refused as unavailable, not queued', async () => {
  await using opened = await temporaryStore();
  const directory = createDirectory(
    opened.store.knownApiUsers,
    { ...SETTINGS, lookupsMax: 5 },
    () => 0,
    NO_ORGANISATIONS,
  );
  const found = await Promise.all(Array.from({ length: 9 }, (_, i) => idFound(directory, `unknown ${i}`)));
  assert.equal(found.filter((name) => name === 'temporarily_unavailable').length, 4);
  assert.equal(await idFound(directory, 'later'), undefined, 'afterwards there is room again');
});

test('a directory smaller than the store keeps its bound and serves everybody', async () => {
  await using opened = await temporaryStore();
  const ids = await fill(opened.store, 300);
  const directory = createDirectory(
    opened.store.knownApiUsers,
    { ...SETTINGS, directoryMax: 100 },
    () => 0,
    NO_ORGANISATIONS,
  );
  await directory.load();
  for (let round = 0; round < 2; round++) {
    for (const id of ids) assert.equal(await idFound(directory, id), id);
    assert.deepEqual(directory.status(), { entries: 100, complete: false });
  }
  assert.equal(await idFound(directory, 'nobody'), undefined);
});

test('a recently used API user stays when others must go', async () => {
  await using opened = await temporaryStore();
  const ids = await fill(opened.store, 300);
  const directory = createDirectory(
    opened.store.knownApiUsers,
    { ...SETTINGS, directoryMax: 100 },
    () => 0,
    NO_ORGANISATIONS,
  );
  const [busy = '', ...others] = ids;
  await directory.find(busy, 0);
  for (const id of others) {
    assert.ok(!(directory.find(busy, 0) instanceof Promise), 'it never leaves the memory');
    await directory.find(id, 0);
  }
});

for (const [again, gone] of [
  [false, 64], // of the first 64 each is passed over, because it was used twice
  [true, 0],
] as const) {
  test(`where each was ${again ? 'found again' : 'used'}, number ${gone} goes for another`, async () => {
    await using opened = await temporaryStore();
    const ids = await fill(opened.store, 101);
    const directory = createDirectory(
      opened.store.knownApiUsers,
      { ...SETTINGS, directoryMax: 100 },
      () => 0,
      NO_ORGANISATIONS,
    );
    for (const id of ids.slice(0, 100)) {
      await directory.find(id, 0);
      await directory.find(id, 0, again);
    }
    await directory.find(ids[100] ?? '', 0);
    const absent = ids.filter((id) => directory.find(id, 0, true) instanceof Promise);
    assert.deepEqual(absent, [ids[gone]]);
  });
}

test('without the store the known are served up to the bound', async () => {
  await using opened = await temporaryStore();
  const [id = ''] = await fill(opened.store, 1);
  let staleMs = 0;
  const directory = createDirectory(opened.store.knownApiUsers, SETTINGS, () => staleMs, NO_ORGANISATIONS);
  await directory.load();
  await opened.store.close();
  staleMs = 899_999;
  assert.equal(await idFound(directory, id), id);
  assert.equal(await idFound(directory, 'unknown'), 'temporarily_unavailable', 'it may exist by now');
  staleMs = 900_001;
  assert.equal(await idFound(directory, id), 'temporarily_unavailable');
});

test('API users of another past are looked up before they are answered', async () => {
  await using opened = await temporaryStore();
  const [id = '', gone = '', late = ''] = await fill(opened.store, 3);
  const pages = Promise.withResolvers<never>();
  const rows = { ...opened.store.knownApiUsers };
  const directory = createDirectory(rows, SETTINGS, () => 0, NO_ORGANISATIONS);
  await directory.load();
  await deleteApiUser({ store: opened.store, actor: SYSTEM, nowMs: 1 }, gone);
  await updateApiUser({ store: opened.store, actor: SYSTEM, nowMs: 1 }, id, { limitPerMinute: 7 });

  rows.page = () => pages.promise; // of millions there are many
  const loading = directory.loadAnew();
  const found = await directory.find(id, 0);
  assert.equal(found !== undefined && !isDenial(found) && found.policy.limitPerMinute, 7);
  assert.ok(!(directory.find(id, 0) instanceof Promise), 'from then on it is in memory');
  assert.equal(await idFound(directory, gone), undefined);
  assert.equal(directory.status().entries, 2);

  rows.byName = () => Promise.reject(new Error('out of reach'));
  assert.equal(await idFound(directory, late), late, 'as on a process that is cut off');
  pages.reject(new Error('out of reach'));
  await assert.rejects(loading, /out of reach/);
});

test('a load is complete with its last page, before the cache shrinks', async () => {
  await using opened = await temporaryStore();
  await fill(opened.store, 1);
  const rows = { ...opened.store.knownApiUsers };
  const directory = createDirectory(rows, SETTINGS, () => 0, NO_ORGANISATIONS);
  await directory.load();
  const completeAtTheEnd: boolean[] = [];
  rows.readAll = async (work) => {
    const result = await work();
    completeAtTheEnd.push(directory.status().complete);
    return result;
  };
  await directory.load();
  assert.deepEqual(completeAtTheEnd, [true]);
});

const PUT_BACK = 'a server on a restored older store forgets newer API users';

test(PUT_BACK, { skip: SQLITE_ONLY }, async () => {
  await using server = await startServer();
  await using opened = await temporaryStore({
    DATABASE_URL: `sqlite:${join(server.dataDir, 'mintmark.db')}`,
  });
  const { store } = opened;
  const asked = (owner: string) => ({ owner, name: 'first', expiresAt: null });
  const old = await createApiUser({ store, actor: SYSTEM, nowMs: Date.now() }, apiUserSettings());
  const oldSecret = (await createSecret({ store, actor: SYSTEM, nowMs: Date.now() }, asked(old.clientId)))
    .secret;
  const copy = join(opened.dataDir, 'copy.db');
  const source = new DatabaseSync(join(server.dataDir, 'mintmark.db'), { readOnly: true });
  await backup(source, copy);
  source.close();

  const late = await createApiUser({ store, actor: SYSTEM, nowMs: Date.now() }, apiUserSettings());
  const lateSecret = (await createSecret({ store, actor: SYSTEM, nowMs: Date.now() }, asked(late.clientId)))
    .secret;
  await updateApiUser({ store, actor: SYSTEM, nowMs: Date.now() }, old.clientId, { enabled: false });
  for (const secret of [oldSecret, lateSecret]) server.noteSecret(secret);
  const status = async (client_id: string, client_secret: string) =>
    (await server.post({ client_id, client_secret })).status;
  await eventually(async () => (await status(late.clientId, lateSecret)) === 200);
  await eventually(async () => (await status(old.clientId, oldSecret)) === 403);

  const older = new DatabaseSync(copy);
  await backup(older, join(server.dataDir, 'mintmark.db'));
  older.close();
  await eventually(async () => (await status(late.clientId, lateSecret)) === 403);
  await eventually(async () => (await status(old.clientId, oldSecret)) === 200);
  assert.equal((await fetch(new URL('/readyz', server.url))).status, 200);
  await deleteApiUser({ store, actor: SYSTEM, nowMs: Date.now() }, old.clientId, { force: true });
  await eventually(async () => (await status(old.clientId, oldSecret)) === 403);
  await server.stop();
});
