// Test setup: PostgreSQL, own store.
// A store is copied from one database into another.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { PRIMARY_KEYS, TABLE_NAMES } from '../../src/storage/schema.ts';
import { binary, BINARY } from '@mintmark/test-support/binary';
import { testStore, type TestStore } from '@mintmark/test-support/command-line';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';
import { startPostgres, type TestPostgres } from '@mintmark/test-support/postgres';
import { mintmark, startServer } from '@mintmark/test-support/server';

/** More than one batch of some tables, and less of others. */
const ROWS = 1234;
/** Tables with one row, which is there from the first migration on. */
const ONE_ROW = new Set(['epoch', 'audit_head']);

interface Column {
  name: string;
  type: string;
  notnull: number;
}

/** Rows in every table, with whatever a text or a number can be. */
function fill(path: string): void {
  const database = new DatabaseSync(path);
  const all = (statement: string) => database.prepare(statement).all() as unknown[];
  const valueOf = (table: string, { name, type, notnull }: Column, i: number): string | number | null => {
    if (notnull === 0 && i % 3 === 0 && !keyOf(table).includes(name)) return null;
    if (/^integer$/i.test(type)) return i % 2_000_000;
    if (/^bigint$/i.test(type)) return keyOf(table).at(0) === name ? i : 2 ** 41 + i;
    return `${table} ${name} ${String(i).padStart(5, '0')} ü "quoted" 'it' \\ 😀`;
  };
  database.exec('begin');
  for (const table of TABLE_NAMES.filter((name) => !ONE_ROW.has(name))) {
    const columns = all(`pragma table_info(${table})`) as Column[];
    const parents = all(`pragma foreign_key_list(${table})`) as { table: string; from: string; to: string }[];
    const marks = columns.map(() => '?').join(', ');
    const insert = database.prepare(
      `insert into ${table} (${columns.map(({ name }) => `"${name}"`).join(', ')}) values (${marks})`,
    );
    for (let i = 0; i < (table === 'api_users' || table === 'credentials' ? ROWS : 77); i++) {
      const values = columns.map((column) => {
        const parent = parents.find(({ from }) => from === column.name);
        if (parent === undefined) return valueOf(table, column, i);
        return valueOf(parent.table, { name: parent.to, type: 'text', notnull: 1 }, i);
      });
      insert.run(...values);
    }
  }
  database.exec('update epoch set n = 5000; update audit_head set n = 77; commit');
  database.close();
}

function keyOf(table: string): readonly string[] {
  return PRIMARY_KEYS[table as keyof typeof PRIMARY_KEYS];
}

interface Copied {
  tables: { table: string; rows: number; written: number; sha256: string }[];
  different: string[];
}

const written = ({ tables }: Copied) => tables.reduce((sum, each) => sum + each.written, 0);
const sums = ({ tables }: Copied) => tables.map(({ table, rows, sha256 }) => [table, rows, sha256]);

async function copy(from: string, to: string, ...options: string[]): Promise<Copied> {
  const { code, out, err } = await mintmark(['store', 'copy', from, to, '--json', ...options]);
  assert.equal(code, 0, err);
  return JSON.parse(out) as Copied;
}

async function refused(
  from: string,
  to: string,
  code: number,
  text: RegExp,
  ...options: string[]
): Promise<void> {
  const run = await mintmark(['store', 'copy', from, to, ...options]);
  assert.equal(run.code, code, run.err);
  assert.match(run.err, text);
}

const urlOf = (store: TestStore) => `sqlite:${store.path}`;
const beside = (store: TestStore, name: string) => `sqlite:${join(store.dataDir, name)}`;

test('the columns by which a copy goes through each table are those of its primary key', async () => {
  using store = await testStore();
  for (const table of TABLE_NAMES) {
    const columns = store.sql('select name from pragma_table_info(?) where pk > 0 order by pk', table);
    assert.deepEqual(
      columns.map(({ name }) => name),
      PRIMARY_KEYS[table],
      table,
    );
  }
});

test('a copy of a SQLite store has every row, can be told by its sums, and is another store from then on', async () => {
  using store = await testStore();
  fill(store.path);
  const first = await copy(urlOf(store), beside(store, 'copy.db'));
  assert.deepEqual(first.different, []);
  assert.deepEqual(first.tables.find(({ table }) => table === 'api_users')?.rows, ROWS);
  assert.equal(
    written(first),
    first.tables.reduce((sum, { rows }) => sum + rows, 0),
  );
  const back = await copy(beside(store, 'copy.db'), beside(store, 'back.db'));
  assert.deepEqual(sums(back), sums(first));
  store.sql("delete from api_users where client_id < 'api_users client_id 00100'");
  const changed = await copy(urlOf(store), beside(store, 'another.db'));
  assert.notDeepEqual(sums(changed), sums(first));
});

test('a store that holds anything is not copied over, nor onto itself, nor from where there is none', async () => {
  using store = await testStore({ keys: true });
  using other = await testStore({ keys: true });
  const text = /is not empty: name an empty database, or bring an earlier copy up to date with --update/;
  await refused(urlOf(store), urlOf(other), 3, text);
  await refused(urlOf(store), urlOf(store), 3, /^mintmark: Both are /);
  await refused(
    urlOf(store),
    urlOf(other),
    3,
    /it is under another master key\. Nothing was changed/,
    '--update',
  );
  other.sql('delete from kysely_migration where name = (select max(name) from kysely_migration)');
  await refused(urlOf(store), urlOf(other), 3, text); // and is not migrated for that
  await refused(beside(store, 'none.db'), urlOf(other), 5, /There is no store at/);
  await refused('postgres://me:hush@h', urlOf(other), 2, /^(?!.*hush).*the name of the database is missing/s);
});

test('a copy that is brought up to date takes over what was added, changed and removed, and writes nothing else', async () => {
  using store = await testStore({ keys: true });
  await store.cli('api-user', 'create', '--name', 'Gone', '--username', 'taken@example.com');
  const { client_id } = await store.json<{ client_id: string }>('api-user', 'create', '--name', 'Stays');
  await copy(urlOf(store), beside(store, 'copy.db'));
  const again = await copy(urlOf(store), beside(store, 'copy.db'), '--update');
  assert.equal(written(again), 0);
  const [gone] = store.sql("select client_id from api_users where name = 'Gone'");
  await store.cli('api-user', 'delete', String(gone?.['client_id']));
  // The name that was another's in the copy, where it may be only once.
  await store.cli('api-user', 'update', client_id, '--username', 'taken@example.com');
  await store.cli('api-user', 'create', '--name', 'New');
  const updated = await copy(urlOf(store), beside(store, 'copy.db'), '--update');
  assert.deepEqual(updated.different, []);
  assert.ok(written(updated) < 25, `${written(updated)} rows`);
  const names = await mintmark(['api-user', 'list', '--json'], {
    env: { DATABASE_URL: beside(store, 'copy.db') },
  });
  const users = JSON.parse(names.out) as { name: string }[];
  assert.deepEqual(users.map(({ name }) => name).toSorted(), ['New', 'Stays']);
});

test('a copy that is used by now is not brought back to what its source holds', async () => {
  using store = await testStore({ keys: true });
  await copy(urlOf(store), beside(store, 'copy.db'));
  const made = await mintmark(['api-user', 'create', '--name', 'Made in the copy'], {
    env: { DATABASE_URL: beside(store, 'copy.db') },
  });
  assert.equal(made.code, 0, made.err);
  await store.cli('api-user', 'create', '--name', 'Made in the source');
  const text = /has changes of its own since it was copied .*Nothing was changed/;
  await refused(urlOf(store), beside(store, 'copy.db'), 3, text, '--update');
  await copy(beside(store, 'copy.db'), beside(store, 'further.db'));
});

test('a copy that was cut off is used by nothing, goes on where it was, and refuses another source', async () => {
  using store = await testStore();
  fill(store.path);
  const to = beside(store, 'copy.db');
  // Killed in the middle: as soon as some of the API users are there.
  const child = spawn(process.execPath, [BINARY, 'store', 'copy', urlOf(store), to], { stdio: 'ignore' });
  const there = () => {
    try {
      using copied = new DatabaseSync(join(store.dataDir, 'copy.db'), { readOnly: true });
      return Number(copied.prepare('select count(*) as n from api_users').get()?.['n']);
    } catch {
      return 0; // not made yet
    }
  };
  while (there() === 0 && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 1));
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  if (child.exitCode === null) {
    const env = { DATABASE_URL: to, MINTMARK_MASTER_KEY: 'ab'.repeat(32) };
    for (const args of [
      ['api-user', 'list'],
      ['serve', '--port', '0'],
    ]) {
      const { code, err } = await mintmark(args, { env });
      assert.equal(code, 5);
      assert.match(
        err,
        /^mintmark: The store is an unfinished copy of .*mintmark\.db: complete it with the same mintmark store copy/,
      );
    }
    using other = await testStore();
    await refused(urlOf(other), to, 3, /is an unfinished copy of .*: complete that, or name another/);
  }
  const already = there();
  const completed = await copy(urlOf(store), to, ...(child.exitCode === null ? [] : ['--update']));
  assert.deepEqual(completed.different, []);
  const users = completed.tables.find(({ table }) => table === 'api_users');
  assert.equal(users?.written, ROWS - already, 'what was there was not written again');
  assert.deepEqual(sums(await copy(urlOf(store), beside(store, 'whole.db'))), sums(completed));
});

describe('between SQLite and PostgreSQL', { skip: postgresMissing() }, () => {
  let server: TestPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  test('a copy there and one back have the same rows', async () => {
    using store = await testStore();
    fill(store.path);
    const url = server.url(await server.newDatabase());
    const there = await copy(urlOf(store), url);
    assert.deepEqual(there.different, []);
    assert.equal(
      (await copy(urlOf(store), url, '--update')).tables.reduce((sum, each) => sum + each.written, 0),
      0,
    );
    const back = await copy(url, beside(store, 'back.db'));
    assert.deepEqual(sums(back), sums(there));
    const further = await copy(url, server.url(await server.newDatabase()));
    assert.deepEqual(sums(further), sums(there));
  });

  test('a store that is copied while a server writes to it is that of one moment, and serves the same tokens', async () => {
    await using running = await startServer({
      env: { MINTMARK_USAGE_FLUSH: '100', MINTMARK_ADDRESS_LIMIT: '1000000' },
    });
    const state = { over: false };
    const right = { client_id: running.clientId, client_secret: running.clientSecret };
    const writing = (async () => {
      for (let i = 0; !state.over; i++) {
        await running.cli('api-user', 'create', '--name', `made meanwhile ${i}`);
        await running.post(right);
      }
    })();
    const url = server.url(await server.newDatabase());
    const copied = await copy(`sqlite:${join(running.dataDir, 'mintmark.db')}`, url);
    state.over = true;
    await writing;
    const rows = (name: string) => copied.tables.find(({ table }) => table === name)?.rows ?? 0;
    assert.deepEqual(copied.different, []);
    // Each command made one API user, one secret and two entries.
    assert.equal(rows('credentials'), rows('api_users'));
    const env = { DATABASE_URL: url, MINTMARK_MASTER_KEY_FILE: join(running.dataDir, 'master.key') };
    const verified = await binary(['audit', 'verify'], { env });
    assert.equal(verified.code, 0, verified.out + verified.err);
    await using moved = await startServer({ env });
    for (const each of [running, moved]) assert.equal((await each.post(right)).status, 200);
    const keys = await fetch(`${moved.url}/.well-known/jwks.json`);
    assert.equal(await keys.text(), await (await fetch(`${running.url}/.well-known/jwks.json`)).text());
    moved.noteSecret(running.clientSecret);
  });
});
