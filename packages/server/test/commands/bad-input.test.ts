// Test setup: own store, first.
// Stores, keys and ports that a server cannot work with: one line that says what to do, an exit code, nothing changed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { test } from 'node:test';
import { MIGRATION_NAMES } from '../../src/storage/migrations/names.ts';
import { pageBytesOf } from '@mintmark/test-support/page-bytes';
import { binary, type BinaryOptions } from '@mintmark/test-support/binary';
import { freePort, mintmark, startServer } from '@mintmark/test-support/server';
import { sqlOn, temporaryFolder, testStore } from '@mintmark/test-support/command-line';

interface Expected {
  code: number;
  /** What is said after `mintmark: `. */
  message: RegExp;
}

/** Every byte of every file in the folder. */
function contents(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('-shm'))
    .map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(paths.sort().map((path) => [path, readFileSync(path, 'base64')]));
}

/** The command fails with one line and the exit code, and leaves every file of the folder as it was. */
async function assertRefused(
  folder: string,
  args: readonly string[],
  expected: Expected,
  options: BinaryOptions = {},
): Promise<void> {
  const before = contents(folder);
  const env = { MINTMARK_DATA_DIR: folder, ...options.env };
  // serve as a process of its own, as it is started; the others here, for speed
  const { code, out, err } =
    args[0] === 'serve' || options.prefix !== undefined
      ? await binary(args, { ...options, env: { MINTMARK_PORT: String(await freePort()), ...env } })
      : await mintmark([...args], { env });
  const what = `mintmark ${args.join(' ')}:\n${out}${err}`;
  assert.equal(code, expected.code, what);
  assert.equal(out, '', what);
  assert.match(err, /^mintmark: [^\n]+\n$/, what);
  assert.match(err.slice('mintmark: '.length), expected.message);
  assert.deepEqual(Object.keys(contents(folder)), Object.keys(before), 'no file was made');
  assert.ok(JSON.stringify(contents(folder)) === JSON.stringify(before), 'no byte was changed');
}

const READS = ['api-user', 'list'];
const WRITES = ['api-user', 'create', '--name', 'x'];

async function everyCommandIsRefused(
  folder: string,
  expected: Expected,
  options?: BinaryOptions,
): Promise<void> {
  for (const args of [['serve'], ['migrate'], READS, WRITES]) {
    await assertRefused(folder, args, expected, options);
  }
}

test('a store file that is no database is not touched', async () => {
  const folder = temporaryFolder();
  const message = /^The file .*mintmark\.db is not a Mintmark store: name another with --database-url\.$/m;
  for (const text of ['x', 'a shopping list\n'.repeat(1000)]) {
    writeFileSync(join(folder, 'mintmark.db'), text);
    await everyCommandIsRefused(folder, { code: 5, message });
  }
  rmSync(folder, { recursive: true });
});

test("another program's database is not touched, in either journal mode", async () => {
  const message =
    /^The database .*mintmark\.db belongs to another program: name another file with --database-url\.$/m;
  for (const mode of ['delete', 'wal']) {
    const folder = temporaryFolder();
    const path = join(folder, 'mintmark.db');
    const other = new DatabaseSync(path);
    other.exec(
      `pragma journal_mode = ${mode}; create table songs (title text); insert into songs values ('Ode')`,
    );
    // While it is open what was written is in the journal only; afterwards it is in the file.
    await assertRefused(folder, WRITES, { code: 5, message });
    other.close();
    await everyCommandIsRefused(folder, { code: 5, message });
    sqlOn(path, 'pragma application_id = 42');
    sqlOn(path, 'drop table songs');
    await assertRefused(folder, WRITES, { code: 5, message });
    rmSync(folder, { recursive: true });
  }
});

test('a store that is newer than the program is not touched', async () => {
  using store = await testStore({ keys: true });
  store.sql("insert into kysely_migration (name, timestamp) values ('999-later', '2100-01-01')");
  const message =
    /^The store is newer than this program \(it has 999-later\): start the version that wrote it/;
  await everyCommandIsRefused(store.dataDir, { code: 5, message });
});

test('an outdated store is migrated by changing commands, not by reading ones', async () => {
  using store = await testStore();
  const empty = join(store.dataDir, 'empty');
  mkdirSync(empty);
  for (const args of [READS, WRITES]) {
    const message =
      /^There is no store at .*empty\/mintmark\.db: mintmark serve or mintmark migrate makes one/;
    await assertRefused(empty, args, { code: 5, message });
  }
  store.sql('delete from kysely_migration');
  for (const args of [READS, WRITES]) {
    const names = MIGRATION_NAMES.join(', ');
    const message = new RegExp(`^The store lacks the migrations ${names}: run mintmark migrate\\.$`, 'm');
    await assertRefused(store.dataDir, args, { code: 5, message });
  }
});

test('a missing folder is named, and none is made for a typo', async () => {
  const folder = temporaryFolder();
  const typo = join(folder, 'typo', 'data');
  const dataDir = { env: { MINTMARK_DATA_DIR: typo } };
  const noFolder = /^The folder .*typo does not exist: create it, or name another with --data-dir\.$/m;
  await assertRefused(folder, ['serve'], { code: 5, message: noFolder }, dataDir);
  await assertRefused(folder, ['migrate'], { code: 5, message: noFolder }, dataDir);
  await assertRefused(folder, READS, { code: 5, message: /^There is no store at .*typo/ }, dataDir);

  const url = ['--database-url', `sqlite:${join(typo, 'mintmark.db')}`];
  const noStoreFolder = /^The folder .*typo\/data does not exist: create it, or name another\.$/m;
  await assertRefused(folder, ['serve', ...url], { code: 5, message: noStoreFolder });
  const keyFile = ['--master-key-file', join(typo, 'master.key')];
  const noKeyFolder =
    /^The folder .*typo\/data of the master key file does not exist: create it, or name another/;
  await assertRefused(folder, ['serve', ...keyFile], { code: 3, message: noKeyFolder });
  const notFolder = ['--data-dir', join(folder, 'file')];
  writeFileSync(join(folder, 'file'), '');
  await assertRefused(folder, ['serve', ...notFolder], { code: 5, message: /cannot be made \(ENOTDIR\)/ });
  rmSync(folder, { recursive: true });
});

test('a wrong or missing master key stops the start', async () => {
  using store = await testStore({ keys: true });
  const file = join(store.dataDir, 'master.key');
  const wrongKey = { env: { MINTMARK_MASTER_KEY: 'ab'.repeat(32) } };
  const wrong =
    /^The master key is not the one under which this store's signing keys are encrypted: set MINTMARK_MASTER_KEY or MINTMARK_MASTER_KEY_FILE/;
  await assertRefused(store.dataDir, ['serve'], { code: 3, message: wrong }, wrongKey);
  for (const text of ['', 'no key', 'ab'.repeat(31)]) {
    writeFileSync(file, text);
    const message =
      /^The master key file .*master\.key does not hold 64 hexadecimal digits: put the right file back\.$/m;
    await assertRefused(store.dataDir, ['serve'], { code: 3, message });
  }
  rmSync(file);
  const missing =
    /^The master key file .*master\.key is missing, .*: put it back from your backup, or set MINTMARK_MASTER_KEY\.$/m;
  await assertRefused(store.dataDir, ['serve'], { code: 3, message: missing });
  mkdirSync(file);
  const before = readFileSync(store.path);
  const { code, err } = await store.run(['signing-key', 'rotate', '--now']);
  assert.equal(code, 3);
  assert.match(err, /^mintmark: The master key file .* cannot be read \(EISDIR\)[^\n]*\n$/);
  assert.ok(readFileSync(store.path).equals(before));
});

test('a bad master key file makes no store', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'master.key'), 'no key');
  await assertRefused(folder, ['serve'], { code: 3, message: /does not hold 64 hexadecimal digits/ });
  rmSync(folder, { recursive: true });
});

test('a locked store is waited for, then reported', async () => {
  using store = await testStore({ keys: true });
  const env = { MINTMARK_STORE_BUSY_TIMEOUT: '100' };
  const message =
    /^The store .*mintmark\.db is locked by another process: wait for it to finish, or stop it\.$/m;
  const other = new DatabaseSync(store.path);
  other.exec('begin immediate');
  for (const args of [['serve'], WRITES]) {
    await assertRefused(store.dataDir, args, { code: 5, message }, { env });
  }
  const reads = await store.run(READS, { env });
  assert.equal(reads.code, 0, 'reading waits for nobody');
  const free = setTimeout(() => other.exec('rollback'), 300);
  const waits = await store.run(WRITES);
  clearTimeout(free);
  assert.equal(waits.code, 0, waits.err);
  other.close();

  // In a process of its own: what reads the file in this one would give up the lock of this one (fcntl).
  const script = `
    const database = new (require('node:sqlite').DatabaseSync)(process.argv[1]);
    database.exec('pragma locking_mode = exclusive; update epoch set n = n');
    console.log('locked');
    process.stdin.resume().on('end', () => database.close());`;
  const exclusive = spawn(process.execPath, ['-e', script, store.path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(exclusive.stdout, 'data');
  await everyCommandIsRefused(store.dataDir, { code: 5, message }, { env });
  exclusive.stdin.end();
  await once(exclusive, 'exit');
});

test('a damaged store is not served, and the message advises a restore', async () => {
  using store = await testStore({ keys: true });
  store.sql('pragma journal_mode = delete'); // all of it in the one file
  const sound = readFileSync(store.path);
  const rows = store.sql(
    "select name, rootpage from sqlite_schema where name in ('signing_keys', 'kysely_migration')",
  );
  const pages = rows.map((row) => Number(row['rootpage']));
  const size = pageBytesOf(store.path);
  for (const [from, to] of [[100, size], ...pages.map((page) => [(page - 1) * size, page * size])] as const) {
    writeFileSync(store.path, Buffer.from(sound).fill(0xff, from, to));
    const message = /^The store .*mintmark\.db is damaged: stop the server and restore the last backup\.$/m;
    const { code, out, err } = await binary(['serve'], {
      env: { ...store.env, MINTMARK_PORT: String(await freePort()) },
    });
    assert.equal(code, 5, out + err);
    assert.equal(out, '');
    assert.match(err.slice('mintmark: '.length), message);
  }
  writeFileSync(store.path, sound.subarray(0, 5000)); // cut off
  const { code, err } = await store.run(READS);
  assert.equal(code, 5, err);
  assert.match(err, /^mintmark: The store .*mintmark\.db is damaged/);
});

test('a port in use stops the first start before anything is created', async () => {
  const folder = temporaryFolder();
  const dataDir = join(folder, 'data');
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  const env = { MINTMARK_DATA_DIR: dataDir, MINTMARK_PORT: String(port) };
  const message = new RegExp(
    `^Port ${port} on 127.0.0.1 is in use: stop what listens there, or choose another with --port`,
  );
  await assertRefused(folder, ['serve'], { code: 3, message }, { env });
  assert.ok(!existsSync(dataDir));
  other.close();
  await once(other, 'close');

  const server = await startServer({ dataDir, port });
  assert.notEqual(server.clientSecret, '', 'the secret is shown by the start that succeeds');
  const { status } = await server.post({ client_id: server.clientId, client_secret: server.clientSecret });
  assert.equal(status, 200);
  await server.stop();
  rmSync(folder, { recursive: true });
});

test('an address of another machine stops the start before anything is created', async () => {
  const folder = temporaryFolder();
  const message = /^192\.0\.2\.1 is not an address of this machine: choose another with --host\.$/m;
  await assertRefused(folder, ['serve', '--host', '192.0.2.1'], { code: 3, message });
  rmSync(folder, { recursive: true });
});

test('a copy of a store is accepted as a store', async () => {
  using store = await testStore({ keys: true });
  await store.cli(...WRITES);
  const copy = temporaryFolder();
  cpSync(store.dataDir, copy, { recursive: true });
  const { code, out } = await mintmark([...READS, '--json'], { env: { MINTMARK_DATA_DIR: copy } });
  assert.equal(code, 0);
  assert.equal((JSON.parse(out) as unknown[]).length, 1);
  rmSync(copy, { recursive: true });
});
