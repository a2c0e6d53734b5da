// Test setup: PostgreSQL, own store.
// A SQLite store is backed up and restored, while a server runs on it.
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { SYSTEM } from '../../src/domain/actor.ts';
import { revocationDigest } from '../../src/domain/revocation.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { restore } from '../../src/store-files/backup.ts';
import { backupSqlite } from '../../src/storage/sqlite/backup.ts';
import { pageBytesOf } from '@mintmark/test-support/page-bytes';
import { testStore, type TestStore } from '@mintmark/test-support/command-line';
import { becomes, statusOf } from '@mintmark/test-support/nodes';
import { mintmark, startServer, type TestServer } from '@mintmark/test-support/server';
import type { MadeApiUser } from '@mintmark/test-support/store';
import { temporaryStore } from '@mintmark/test-support/temporary-store';
import { eventually } from '@mintmark/test-support/eventually';

const WITHIN_MS = 5000; // a second, with time to spare on a busy machine

const count = (file: string, table: string): number => {
  using database = new DatabaseSync(file, { readOnly: true });
  return Number(database.prepare(`select count(*) as n from ${table}`).get()?.['n']);
};

test('a backup is one sound owner-only file, made during writes', async () => {
  await using server = await startServer({
    env: { MINTMARK_USAGE_FLUSH: '100', MINTMARK_ADDRESS_LIMIT: '1000000' },
  });
  const state = { over: false };
  const writing = (async () => {
    for (let i = 0; !state.over; i++) {
      await server.cli('api-user', 'create', '--name', `made meanwhile ${i}`);
      await server.post({ client_id: server.clientId, client_secret: server.clientSecret });
    }
  })();
  const files: string[] = [];
  for (let i = 0; i < 5; i++) {
    const file = join(server.dataDir, `backup-${i}.db`);
    assert.match(
      await server.cli('store', 'backup', file),
      /\d+ bytes, read through and on the disk\. The master key is not in it/,
    );
    files.push(file);
  }
  state.over = true;
  await writing;
  for (const file of files) {
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(count(file, 'credentials'), count(file, 'api_users'), 'of one moment');
    const doctor = await mintmark(['doctor'], {
      env: { DATABASE_URL: `sqlite:${file}`, MINTMARK_MASTER_KEY_FILE: join(server.dataDir, 'master.key') },
    });
    assert.equal(doctor.code, 0, doctor.out);
  }
  const beside = readdirSync(server.dataDir).filter((name) =>
    /partial|backup.*-(wal|shm|journal)/.test(name),
  );
  assert.deepEqual(
    beside.filter((name) => name.includes('partial')),
    [],
  );
  await server.stop();
});

test('a backup overwrites nothing and leaves nothing when it fails', async () => {
  using store = await testStore({ keys: true });
  const file = join(store.dataDir, 'there.db');
  writeFileSync(file, 'something of mine');
  const taken = await store.run(['store', 'backup', file]);
  assert.equal(taken.code, 5);
  assert.match(taken.err, /there\.db exists: name another, or remove it/);
  assert.equal(readFileSync(file, 'utf8'), 'something of mine');
  const folder = await store.run(['store', 'backup', store.dataDir]);
  assert.equal(folder.code, 5);
  assert.match(folder.err, /is a folder: name a file in it\.$/m);
  const nowhere = await store.run(['store', 'backup', join(store.dataDir, 'no', 'folder.db')]);
  assert.equal(nowhere.code, 5);
  assert.match(nowhere.err, /cannot be (written|opened)/);
  const none = await store.run([
    'store',
    'backup',
    file,
    '--database-url',
    `sqlite:${store.dataDir}/none.db`,
  ]);
  assert.equal(none.code, 5);
  assert.match(none.err, /There is no store at/);
  const postgres = await store.run([
    'store',
    'backup',
    file,
    '--database-url',
    'postgres://me@nowhere.invalid/x',
  ]);
  assert.equal(postgres.code, 3);
  assert.match(postgres.err, /pg_dump and pg_restore.*mintmark store copy makes a SQLite file of it/);
});

test('a backup is not written through what lies in its place already', async () => {
  using store = await testStore({ keys: true });
  const [mine, file] = [join(store.dataDir, 'mine'), join(store.dataDir, 'backup.db')];
  writeFileSync(mine, 'something of mine');
  symlinkSync(mine, `${file}.partial`); // somebody else may have put it into a folder that many write to
  await store.cli('store', 'backup', file);
  assert.ok(readFileSync(mine, 'utf8') === 'something of mine', 'it was written over');
  assert.equal(lstatSync(file).isFile(), true);
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('a store that is restored twice in a second is kept twice', async () => {
  await using opened = await temporaryStore();
  const config = { ...loadConfig({}), databaseUrl: { kind: 'sqlite', path: opened.path } as const };
  const file = join(dirname(opened.path), 'backup.db');
  await backupSqlite(opened.path, file);
  const nowMs = Date.now();
  const kept = [await restore(config, SYSTEM, file, nowMs), await restore(config, SYSTEM, file, nowMs)];
  const names = kept.map(({ before }) => before ?? '');
  assert.equal(names[1], `${names[0]}-2`);
  for (const name of names) assert.equal(count(name, 'api_users'), 0);
});

test('a restore under a running server undoes and reports later changes', async () => {
  await using server = await startServer();
  const made = async (name: string): Promise<MadeApiUser> => {
    const user = await server.json<MadeApiUser>('api-user', 'create', '--name', name);
    await becomes(server, user, 200, WITHIN_MS);
    return user;
  };
  const [disabled, revoked] = [await made('Disabled later'), await made('Revoked later')];
  const file = join(server.dataDir, 'backup.db');
  await server.cli('store', 'backup', file);

  const late = await made('Made later');
  await server.cli('api-user', 'disable', disabled.client_id, '--force');
  await server.cli('api-user', 'revoke-tokens', revoked.client_id);
  await becomes(server, disabled, 403, WITHIN_MS);
  await eventually(() => isListed(server, revoked.client_id));

  const { before, taken_back } = await server.json<{ before: string; taken_back: Record<string, number> }>(
    'store',
    'restore',
    file,
  );
  assert.deepEqual(taken_back, {
    'api_user.create': 1,
    'credential.create': 1,
    'api_user.disable': 1,
    'api_user.revoke_tokens': 1,
  });
  await becomes(server, disabled, 200, WITHIN_MS); // enabled, as it was then
  await becomes(server, late, 403, WITHIN_MS); // not made yet
  await eventually(async () => !(await isListed(server, revoked.client_id)));
  assert.equal((await fetch(new URL('/readyz', server.url))).status, 200);
  const { items } = await server.json<{ items: { action: string }[] }>('audit', 'list');
  assert.equal(items[0]?.action, 'store.restore');
  await server.cli('audit', 'verify');

  await server.cli('api-user', 'disable', disabled.client_id, '--force'); // the change feed goes on from there
  await becomes(server, disabled, 403, WITHIN_MS);

  const text = await server.cli('store', 'restore', before); // and back to what there was
  assert.match(text, /^Restored\.\nWhat was there is in .*before-restore-\d{8}T\d{6}(-2)?\.\nTaken back: /);
  assert.match(
    text,
    /Tokens that were revoked since the backup are good again.*signing-key rotate --compromised/,
  );
  await becomes(server, late, 200, WITHIN_MS);
  assert.equal(await statusOf(server, disabled), 403);
  await server.stop();
});

test('a restore refuses unsound and newer stores and changes nothing', async () => {
  using store = await testStore({ keys: true });
  await store.cli('api-user', 'create', '--name', 'Importer');
  const before = await store.cli('api-user', 'list');
  const file = join(store.dataDir, 'backup.db');
  await store.cli('store', 'backup', file);
  const cases: [change: (file: string) => void, text: RegExp][] = [
    [
      (path) =>
        writeFileSync(path, 'no database at all, and longer than a header of one would be. '.repeat(9)),
      /is not a Mintmark store/,
    ],
    [
      (path) => execOn(path, "insert into kysely_migration values ('999-later', 'x')"),
      /newer than this program \(it has 999-later\)/,
    ],
    [(path) => execOn(path, 'pragma application_id = 1'), /belongs to another program/],
    [damage, /damaged/],
    [
      (path) => execOn(path, "insert into meta values ('unfinished_copy', '/data/mintmark.db')"),
      /is an unfinished copy of \/data\/mintmark\.db/,
    ],
    [(path) => writeFileSync(path, ''), /There is no backup at .*bad\.db/],
  ];
  for (const [change, text] of cases) {
    const bad = join(store.dataDir, 'bad.db');
    writeFileSync(bad, readFileSync(file));
    change(bad);
    const { code, err } = await store.run(['store', 'restore', bad]);
    assert.equal(code, 5, err);
    assert.match(err, text);
  }
  for (const name of ['none.db', '.']) {
    const none = await store.run(['store', 'restore', join(store.dataDir, name)]);
    assert.equal(none.code, 5);
    assert.match(none.err, /There is no backup at /);
  }
  using other = await testStore({ keys: true });
  await other.cli('store', 'backup', join(other.dataDir, 'backup.db'));
  const another = await store.run(['store', 'restore', join(other.dataDir, 'backup.db')]);
  assert.equal(another.code, 3, another.err);
  assert.match(another.err, /is of another store .*under another master key\. Nothing was changed/);
  assert.equal(await store.cli('api-user', 'list'), before);
  assert.deepEqual(
    readdirSync(store.dataDir).filter((name) => name.includes('before-restore')),
    [],
  );
});

const LAST_MIGRATION_UNDONE =
  'delete from kysely_migration where name = (select max(name) from kysely_migration)';

test('a damaged, empty or older store is replaced and kept aside', async () => {
  using store = await testStore({ keys: true });
  await store.cli('api-user', 'create', '--name', 'Importer');
  const backup = join(store.dataDir, 'backup.db');
  await store.cli('store', 'backup', backup);
  const untold = /^What is taken back cannot be told: what was there is damaged, or of another version/m;
  const cases: [change: (path: string) => void, says: RegExp][] = [
    [damage, untold],
    [(path) => execOn(path, "insert into kysely_migration values ('999-later', 'x')"), untold],
    [(path) => execOn(path, LAST_MIGRATION_UNDONE), untold],
    [(path) => writeFileSync(path, ''), /^Restored\.\nTokens/],
  ];
  for (const [change, says] of cases) {
    for (const file of ['-wal', '-shm']) rmSync(`${store.path}${file}`, { force: true });
    change(store.path);
    const { code, out, err } = await store.run(['store', 'restore', backup]);
    assert.equal(code, 0, err);
    assert.match(out, says);
    assert.match(await store.cli('api-user', 'list'), /Importer/);
    const { items } = await store.json<{ items: { action: string }[] }>('audit', 'list');
    assert.equal(items[0]?.action, 'store.restore');
  }
  const kept = readdirSync(store.dataDir).filter((name) => /before-restore-\w+(-\d+)?$/.test(name));
  assert.equal(kept.length, 3);
  for (const name of kept) assert.equal(statSync(join(store.dataDir, name)).mode & 0o777, 0o600);
});

test('a restore reports a signing key that it brings back', async () => {
  using store = await testStore({ keys: true });
  const file = join(store.dataDir, 'backup.db');
  await store.cli('store', 'backup', file);
  const before = await store.cli('signing-key', 'list');
  await store.cli('signing-key', 'rotate', '--compromised');
  const text = await store.cli('store', 'restore', file);
  assert.match(text, /^Taken back: 1 × signing_key\.rotate/m);
  assert.match(text, /^Signing keys are those of the backup: one that was withdrawn since signs again/m);
  assert.equal(await store.cli('signing-key', 'list'), before);
});

for (const [ofStore, ofBackup] of [
  [8192, 4096],
  [4096, 8192],
] as const) {
  test(`a backup with pages of ${ofBackup} bytes replaces a store with ${ofStore}`, async () => {
    using store = await testStore({ keys: true });
    await store.cli('api-user', 'create', '--name', 'Importer');
    const [file, backedUp] = [join(store.dataDir, 'paged.db'), join(store.dataDir, 'backup.db')];
    await store.cli('store', 'backup', backedUp);
    copyWithPages(backedUp, file, ofBackup);
    if (ofStore !== pageBytesOf(store.path)) {
      for (const beside of ['', '-wal', '-shm']) rmSync(`${store.path}${beside}`, { force: true });
      copyWithPages(backedUp, store.path, ofStore);
    }
    await using server = await startServer({ dataDir: store.dataDir });
    const late = await server.json<MadeApiUser>('api-user', 'create', '--name', 'Made later');
    await becomes(server, late, 200, WITHIN_MS);
    await server.cli('store', 'restore', file);
    await becomes(server, late, 403, WITHIN_MS);
    assert.match(await server.cli('api-user', 'list'), /Importer/);
    await server.cli('audit', 'verify');
    assert.equal(pageBytesOf(store.path), ofStore);
    assert.ok(!readdirSync(store.dataDir).some((name) => name.includes('restoring')));
    await server.stop();
  });
}

function copyWithPages(from: string, to: string, pageBytes: number): void {
  using database = new DatabaseSync(from, { readOnly: true });
  database.exec(`pragma page_size = ${pageBytes}`);
  database.prepare('vacuum into ?').run(to);
}

test('a restore into an empty folder creates the store, given its key', async () => {
  using store = await testStore({ keys: true });
  const file = join(store.dataDir, 'backup.db');
  await store.cli('api-user', 'create', '--name', 'Importer');
  await store.cli('store', 'backup', file);
  using fresh = await emptyFolder(store);
  const restored = await fresh.run(['store', 'restore', file]);
  assert.equal(restored.code, 0, restored.err);
  assert.match(restored.out, /^Restored\.\nTokens that were revoked/);
  assert.match(await fresh.cli('api-user', 'list'), /Importer/);
  assert.equal(statSync(fresh.path).mode & 0o777, 0o600);
  const rotated = await fresh.run(['signing-key', 'rotate']);
  assert.equal(rotated.code, 3);
  assert.match(rotated.err, /master key file .* is missing/);
});

test('a restore creates the data folder only with a possible master key', async () => {
  using store = await testStore({ keys: true });
  const file = join(store.dataDir, 'backup.db');
  await store.cli('store', 'backup', file);
  const folder = join(store.dataDir, 'new');
  const run = async (key: string) =>
    await mintmark(['store', 'restore', file, '--data-dir', folder, '--master-key-file', key]);
  const refused = await run(join(store.dataDir, 'no', 'master.key'));
  assert.equal(refused.code, 3);
  assert.match(refused.err, /The folder .* of the master key file does not exist/);
  assert.equal(existsSync(folder), false);
  const restored = await run(join(store.dataDir, 'master.key'));
  assert.equal(restored.code, 0, restored.err);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
});

async function emptyFolder(like: TestStore): Promise<TestStore> {
  const store = await testStore();
  for (const name of readdirSync(store.dataDir)) rmSync(join(store.dataDir, name));
  chmodSync(store.dataDir, statSync(like.dataDir).mode & 0o777);
  return store;
}

function execOn(path: string, statement: string): void {
  using database = new DatabaseSync(path);
  database.exec(statement);
}

function damage(path: string): void {
  const [bytes, page] = [readFileSync(path), pageBytesOf(path)];
  writeFileSync(path, bytes.fill(0x5a, 3 * page, bytes.length - page));
}

async function isListed({ url }: TestServer, clientId: string): Promise<boolean> {
  const response = await fetch(`${url}/oauth2/revocations`);
  return Buffer.from(await response.arrayBuffer()).includes(Buffer.from(revocationDigest(clientId), 'hex'));
}
