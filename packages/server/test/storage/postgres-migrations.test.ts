// Test setup: PostgreSQL, own store, own limits, first.
// Migrations of a PostgreSQL database that is in use, or in which one of them fails.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { loadConfig } from '../../src/config/load-config.ts';
import { openStore } from '../../src/store-files/open.ts';
import { eventually } from '@mintmark/test-support/eventually';
import { migrationsFrom, undoMigrations } from '@mintmark/test-support/former-migrations';
import { startPostgres, type TestPostgres } from '@mintmark/test-support/postgres';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';

/** The first two run on a database that is in use; what came later is made after them. */
const FIRST = '007-api-user-filters';
const ALL = migrationsFrom(FIRST);

describe('the migrations of a PostgreSQL database', { skip: postgresMissing() }, () => {
  let server: TestPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  /** What a program of the version before `ALL` left. */
  async function formerDatabase(): Promise<string> {
    const database = await server.newDatabase();
    await migrate(database);
    await server.sql(undoMigrations(FIRST, 'postgres').join('; '), database);
    return database;
  }

  /** Gives back what was migrated. */
  async function migrate(database: string): Promise<string[]> {
    const config = loadConfig({ DATABASE_URL: server.url(database) });
    const { store, migrated } = await openStore(config, { watch: false });
    await store.close();
    return migrated;
  }

  async function applied(database: string): Promise<string[]> {
    const rows = await server.sql<{ name: string }>(
      `select name from kysely_migration where name >= '${FIRST}' order by name`,
      database,
    );
    return rows.map(({ name }) => name);
  }

  /** Another program in the middle of a transaction. */
  async function transaction(database: string): Promise<pg.Client & AsyncDisposable> {
    const client = new pg.Client({ connectionString: server.url(database) });
    await client.connect();
    await client.query('begin');
    return Object.assign(client, { [Symbol.asyncDispose]: async () => await client.end() });
  }

  async function migrationWaits(database: string): Promise<void> {
    await eventually(
      async () => {
        const waiting = await server.sql(
          `select 1 from pg_stat_activity where datname = '${database}' and wait_event_type = 'Lock'`,
        );
        return waiting.length === 1;
      },
      10_000,
      'the migration waits for a lock',
    );
  }

  test('are committed one by one: a process of the former version that deletes an API user is in nobody’s way', async () => {
    const database = await formerDatabase();
    await using deleting = await transaction(database);
    await deleting.query(`delete from credentials where client_id = 'api_1'`);
    const migrating = migrate(database);
    await migrationWaits(database);
    assert.deepEqual(await applied(database), [FIRST]);
    await deleting.query(`delete from api_users where client_id = 'api_1'`);
    await deleting.query('commit');
    assert.deepEqual(await migrating, ALL);
  });

  test('are made again where a deadlock ended one', async () => {
    const database = await formerDatabase();
    await using other = await transaction(database);
    await other.query('lock table kysely_migration in exclusive mode');
    const migrating = migrate(database);
    await migrationWaits(database); // with a lock on API users, which the other now wants
    await other.query(`delete from api_users where client_id = 'api_1'`);
    await other.query('commit');
    assert.deepEqual(await migrating, ALL);
    assert.match(server.log(), /deadlock detected/);
  });

  test('stay made up to the one that fails, from which the next start goes on', async () => {
    const database = await formerDatabase();
    await server.sql('create table credentials_passwords (id int)', database);
    await assert.rejects(migrate(database), /"credentials_passwords" already exists/);
    assert.deepEqual(await applied(database), [FIRST]);
    await server.sql('drop table credentials_passwords', database);
    assert.deepEqual(await migrate(database), ALL.slice(1));
    assert.deepEqual(await applied(database), ALL);
  });

  test('wait for the process that makes one, and where there are none to make nobody waits', async () => {
    const database = await formerDatabase();
    await using other = await transaction(database);
    await other.query('select pg_advisory_lock(3853314791062309107)'); // of Kysely
    const migrating = migrate(database);
    await migrationWaits(database);
    await other.query('select pg_advisory_unlock(3853314791062309107)');
    assert.deepEqual(await migrating, ALL);
    await other.query('select pg_advisory_lock(3853314791062309107)');
    assert.deepEqual(await migrate(database), []);
  });
});
