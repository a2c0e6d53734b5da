// Test setup: PostgreSQL, own store, own limits, first.
// What can be wrong with a PostgreSQL database, and what the program says then.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { SYSTEM } from '../../src/domain/actor.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { createApiUser } from '../../src/admin/api-user.ts';
import { openMigratedStore, openStore } from '../../src/store-files/open.ts';
import { postgresError } from '../../src/storage/postgres/error.ts';
import { StoreError, type StoreErrorCode } from '../../src/storage/store-error.ts';
import { refusedWith } from './store-contract.ts';
import { eventually } from '@mintmark/test-support/eventually';
import { PASSWORD, startPostgres, type TestPostgres } from '@mintmark/test-support/postgres';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';
import { postgresStore } from '@mintmark/test-support/postgres-store';
import { apiUserSettings } from '@mintmark/test-support/temporary-store';
import { freePort } from '@mintmark/test-support/server';

describe('a PostgreSQL database', { skip: postgresMissing() }, () => {
  let server: TestPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  const configFor = (url: string, settings: Record<string, string> = {}) =>
    loadConfig({ DATABASE_URL: url, MINTMARK_MASTER_KEY: 'ab'.repeat(32), ...settings });

  /** Opens it and closes it again. */
  async function open(url: string, settings: Record<string, string> = {}): Promise<string[]> {
    const { store, migrated } = await openStore(configFor(url, settings), { watch: true });
    await store.close();
    return migrated;
  }

  async function refused(code: StoreErrorCode, url: string, text: RegExp): Promise<void> {
    const error = await refusedWith(code, open(url));
    assert.match(error.message, text);
    assert.ok(!inspect(error, { depth: 9 }).includes(PASSWORD), 'the password is shown');
  }

  test('is reopened without a migration, and refused unmigrated by readers', async () => {
    const database = await server.newDatabase();
    const config = configFor(server.url(database));
    await refusedWith('missing', openMigratedStore(config));
    assert.notDeepEqual(await open(server.url(database)), []);
    assert.deepEqual(await open(server.url(database)), []);
    await (await openMigratedStore(config)).close();
    await server.sql(`delete from kysely_migration where name > '002'`, database);
    await refusedWith('not_migrated', openMigratedStore(config));
    await server.sql(`insert into kysely_migration values ('999-later', 'now')`, database);
    assert.match((await refusedWith('newer', openMigratedStore(config))).message, /999-later/);
    await refused('newer', server.url(database), /start the version that wrote it/);
  });

  test('with another program’s tables is refused as not ours, unchanged', async () => {
    const database = await server.newDatabase();
    await server.sql('create table api_users (id int)', database);
    await refused('not_ours', server.url(database), /tables of another program \(api_users\): name another/);
    const tables = `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'`;
    assert.deepEqual(await server.sql(tables, database), [{ relname: 'api_users' }]);
    await server.sql('drop table api_users', database);
    await server.sql(`create table kysely_migration (name text, timestamp text)`, database);
    await server.sql(`insert into kysely_migration values ('theirs', 'now')`, database);
    await refused('not_ours', server.url(database), /\(kysely_migration\)/);
  });

  test('with other tables of another program is shared with it', async () => {
    const database = await server.newDatabase();
    await server.sql('create table theirs (id int)', database);
    assert.notDeepEqual(await open(server.url(database)), []);
  });

  test('whose first migration was cut off is migrated by the next start', async () => {
    const database = await server.newDatabase();
    await server.sql(
      `create table kysely_migration (name varchar(255) primary key, timestamp varchar(255) not null);
       create table kysely_migration_lock (id varchar(255) primary key, is_locked integer default 0 not null)`,
      database,
    );
    assert.notDeepEqual(await open(server.url(database)), []);
  });

  test('that is missing or refuses its user is reported with advice', async () => {
    const url = server.url('nowhere');
    await refused(
      'missing',
      url,
      /no database nowhere on PostgreSQL at 127\.0\.0\.1:\d+: make it \(createdb -O mintmark nowhere\)/,
    );
    const wrong = server.url('postgres').replace(/:[^:@]*@/, ':wrong-secret@');
    await refused('cannot_open', wrong, /refuses the user mintmark: check user and password in DATABASE_URL/);
    await refused(
      'cannot_open',
      server.url('postgres').replace(/:[^:@]*@/, '@'),
      /asks for a password, and there is none/,
    );
    await server.sql(`create role guest login password 'guest'`);
    const guest = `postgres://guest:guest@127.0.0.1:${server.port}/${await server.newDatabase()}`;
    await refused(
      'cannot_open',
      guest,
      /lacks a right in the database .*: make it the owner \(alter database/,
    );
    const given = { MINTMARK_DATABASE_PASSWORD: PASSWORD };
    const without = server.url(await server.newDatabase()).replace(/:[^:@]*@/, '@');
    assert.notDeepEqual(await open(without, given), [], 'the password may come by a variable of its own');
    const empty = without.replace('@', ':@');
    await refused('cannot_open', empty, /asks for a password, and there is none/);
    assert.deepEqual(await open(empty, given), [], 'an empty password is none');
  });

  test('on an absent server or unknown host is reported out of reach', async () => {
    const port = await freePort();
    await refused(
      'unavailable',
      `postgres://mintmark@127.0.0.1:${port}/x`,
      /out of reach: nothing listens there: start it/,
    );
    await refused(
      'unavailable',
      'postgres://mintmark@nowhere.invalid/x?sslmode=disable',
      /out of reach: the host name/,
    );
    await refused('unavailable', 'postgres:///x?host=/nonexistent', /out of reach: there is no such socket/);
    await refused('unavailable', `postgres:///x?host=/${'x'.repeat(120)}`, /out of reach: connect EINVAL/);
    const both = `postgres://mintmark@127.0.0.1:${port},127.0.0.1:${server.port}/x`;
    await refused('cannot_open', both, /^None of 127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+ takes writes: /);
  });

  test('is reached through the socket of its server as well', async () => {
    const database = await server.newDatabase();
    // The port is part of the socket's name.
    const url = `postgres://mintmark:${encodeURIComponent(PASSWORD)}@${encodeURIComponent(server.folder)}:${server.port}/${database}`;
    assert.notDeepEqual(await open(url), []);
  });

  test('in another encoding than UTF-8 is refused with how to make one', async () => {
    await server.sql(`create database latin template template0 encoding 'LATIN1' locale 'C'`);
    await refused(
      'cannot_open',
      server.url('latin'),
      /encoded in LATIN1: make it with createdb --encoding UTF8/,
    );
  });

  test('that is read-only is refused as such, also while open', async () => {
    await using opened = await postgresStore(server);
    await createApiUser({ store: opened.store, actor: SYSTEM, nowMs: 1 }, apiUserSettings());
    await server.sql(`alter database ${opened.database} set default_transaction_read_only = on`);
    await refused('read_only', server.url(opened.database), /takes no writes: name the primary/);
    await endConnections(opened.database);
    await refusedWith(
      'read_only',
      createApiUser({ store: opened.store, actor: SYSTEM, nowMs: 1 }, apiUserSettings()),
    );
    await server.sql(`alter database ${opened.database} reset default_transaction_read_only`);
    await eventually(
      async () => {
        try {
          await createApiUser({ store: opened.store, actor: SYSTEM, nowMs: 1 }, apiUserSettings());
          return true;
        } catch {
          return false;
        }
      },
      5000,
      'writes again',
    );
  });

  test('locked by another writer is reported locked after the timeout', async () => {
    await using opened = await postgresStore(server, { MINTMARK_STORE_BUSY_TIMEOUT: '100' });
    const other = await opened.another();
    const held = Promise.withResolvers<void>();
    const holding = other.write(() => held.promise);
    await eventually(
      async () => {
        const locks = await server.sql(`select 1 from pg_locks where locktype = 'advisory' and granted`);
        return locks.length > 0;
      },
      5000,
      'the lock is held',
    );
    const error = await refusedWith(
      'locked',
      createApiUser({ store: opened.store, actor: SYSTEM, nowMs: 1 }, apiUserSettings()),
    );
    assert.match(error.message, /locked by another process/);
    assert.equal(await opened.store.apiUsers.any(), false, 'reading goes on meanwhile');
    held.resolve();
    await holding;
    await createApiUser({ store: opened.store, actor: SYSTEM, nowMs: 1 }, apiUserSettings());
  });

  test('with a writer silent in mid-change is soon written by others', async () => {
    await using opened = await postgresStore(server, { MINTMARK_STORE_BUSY_TIMEOUT: '3000' });
    const other = await opened.another();
    const held = Promise.withResolvers<void>();
    const silent = other.write(async ({ changed }) => {
      await changed('api_user', 'never');
      await held.promise;
    });
    await eventually(
      async () => {
        const locks = await server.sql(`select 1 from pg_locks where locktype = 'advisory' and granted`);
        return locks.length > 0;
      },
      5000,
      'the lock is held',
    );
    await createApiUser({ store: opened.store, actor: SYSTEM, nowMs: 1 }, apiUserSettings());
    held.resolve();
    await refusedWith('unavailable', silent);
    assert.equal(await opened.store.changes.epoch(), 1, 'nothing of its change is left');
  });

  test('whose server ends all connections is used again by the next statement', async () => {
    await using opened = await postgresStore(server);
    for (let i = 0; i < 5; i++) {
      await createApiUser({ store: opened.store, actor: SYSTEM, nowMs: 1 }, apiUserSettings());
      await endConnections(opened.database);
      await opened.store.changes.epoch();
    }
    assert.equal(await opened.store.changes.epoch(), 5);
  });

  test('with a later version’s extra column still works here', async () => {
    await using opened = await postgresStore(server);
    const { clientId } = await createApiUser(
      { store: opened.store, actor: SYSTEM, nowMs: 1 },
      apiUserSettings(),
    );
    const read = async () => (await opened.store.apiUsers.find(clientId))?.name;
    for (let i = 0; i < 8; i++) assert.equal(await read(), 'Importer'); // until its plan is kept
    const rename = (name: string) =>
      opened.store.write(async ({ apiUsers }) => {
        const user = await apiUsers.find(clientId);
        assert.ok(user);
        await apiUsers.update({ ...user, name, version: user.version + 1 });
      });
    for (let i = 0; i < 8; i++) await rename('Importer');
    await server.sql('alter table api_users add column added_later text', opened.database);
    assert.equal(await read(), 'Importer');
    await rename('Exporter');
    assert.equal(await read(), 'Exporter');
  });

  test('with a number this program cannot hold is refused', async () => {
    await using opened = await postgresStore(server);
    await server.sql('update epoch set n = 9007199254740993', opened.database);
    await assert.rejects(opened.store.changes.epoch(), /9007199254740993 is too large a number/);
  });

  test('keeps text in the order of its bytes whatever its locale is', async () => {
    await using opened = await postgresStore(server);
    const { store } = opened;
    const ids: string[] = [];
    for (let i = 0; i < 30; i++)
      ids.push((await createApiUser({ store, actor: SYSTEM, nowMs: 1 }, apiUserSettings())).clientId);
    assert.deepEqual(
      (await store.apiUsers.list({ after: null, limit: 100 })).map(({ clientId }) => clientId),
      ids.toSorted(),
    );
    const collations = await server.sql(
      `select distinct collation_name from information_schema.columns
       where table_schema = 'public' and data_type = 'text'`,
      opened.database,
    );
    assert.deepEqual(collations, [{ collation_name: 'C' }]);
  });

  test('asked for a name with a zero byte in it finds nothing', async () => {
    await using opened = await postgresStore(server);
    await createApiUser(
      { store: opened.store, actor: SYSTEM, nowMs: 1 },
      apiUserSettings({ username: 'someone' }),
    );
    assert.equal(await opened.store.apiUsers.find('\0'), undefined);
    assert.deepEqual(await opened.store.knownApiUsers.byName('someone\0', 'someone\0'), []);
  });

  test('whose server has no free connections says so with advice', async () => {
    const database = await server.newDatabase();
    await server.sql(`create role few login password 'few' connection limit 0`);
    await server.sql(`grant create on schema public to few`, database);
    const url = `postgres://few:few@127.0.0.1:${server.port}/${database}`;
    await refused(
      'unavailable',
      url,
      /no connection left: raise its max_connections, or lower MINTMARK_POSTGRES_CONN/,
    );
  });

  test('behind something other than PostgreSQL is reported out of reach in time', async () => {
    const { createServer } = await import('node:net');
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as { port: number };
    const startedAt = performance.now();
    const url = `postgres://mintmark@127.0.0.1:${port}/x`;
    const error = await refusedWith(
      'unavailable',
      open(url, { MINTMARK_TEST_POSTGRES_CONNECT_TIMEOUT: '200' }),
    );
    assert.match(error.message, /no connection within 200 ms/);
    assert.ok(performance.now() - startedAt < 2000);
    connect(port).destroy();
    silent.close();
  });

  /** As a restart of the server does. */
  async function endConnections(database: string): Promise<void> {
    const others = `from pg_stat_activity where datname = '${database}' and pid <> pg_backend_pid()`;
    await server.sql(`select pg_terminate_backend(pid) ${others}`);
    await eventually(
      async () => (await server.sql(`select 1 ${others}`)).length === 0,
      5000,
      'they are gone',
    );
  }
});

test('each SQLSTATE an operator can meet is explained, a bug stays one', () => {
  const place = { server: { host: 'db', port: 5432 }, target: { database: 'tokens', user: 'mintmark' } };
  const states: Record<string, StoreErrorCode> = {
    '08006': 'unavailable',
    '08P01': 'unavailable',
    '23505': 'conflict',
    '25006': 'read_only',
    '25P04': 'unavailable',
    '26000': 'cannot_open',
    '28P01': 'cannot_open',
    '28000': 'cannot_open',
    '3D000': 'missing',
    '40001': 'locked',
    '40P01': 'locked',
    '42501': 'cannot_open',
    '42P05': 'cannot_open',
    '53100': 'full',
    '53300': 'unavailable',
    '55P03': 'locked',
    '57014': 'unavailable',
    '57P01': 'unavailable',
    '57P03': 'unavailable',
    '58030': 'unavailable',
    EACCES: 'unavailable',
    XX000: 'unavailable',
    XX001: 'corrupt',
  };
  for (const [code, expected] of Object.entries(states)) {
    const error = postgresError(Object.assign(new Error('it failed'), { code }), place);
    assert.ok(error instanceof StoreError, code);
    assert.equal(error.code, expected, code);
  }
  for (const code of ['42601', '42P01', undefined]) {
    assert.ok(!(postgresError(Object.assign(new Error('a bug'), { code }), place) instanceof StoreError));
  }
});

test('a database URL is parsed like psql, and errors quote nothing', () => {
  const targetOf = (url: string) => {
    const database = loadConfig({ DATABASE_URL: url }).databaseUrl;
    assert.ok(database.kind === 'postgres');
    return database.target;
  };
  const full = targetOf(
    'postgresql://me:p%40ss%2Fw@[::1]:6000,db.example.com,10.0.0.1:7/tokens?sslmode=verify-ca&sslrootcert=/ca.pem',
  );
  assert.deepEqual(full.servers, [
    { host: '::1', port: 6000 },
    { host: 'db.example.com', port: 5432 },
    { host: '10.0.0.1', port: 7 },
  ]);
  assert.deepEqual([full.user, full.password?.reveal(), full.database], ['me', 'p@ss/w', 'tokens']);
  assert.deepEqual([full.tls.mode, full.tls.rootCertificateFile], ['verify-ca', '/ca.pem']);
  assert.equal(targetOf('postgres://h/d').password, null);
  assert.ok(!inspect(loadConfig({ DATABASE_URL: 'postgres://me:hush@h/d' }), { depth: 9 }).includes('hush'));
  const wrong: [string, RegExp][] = [
    ['postgres://me:hush@h', /the name of the database is missing/],
    ['postgres://me:hush@h:99999/d', /a port from 1 to 65535/],
    ['postgres://me:hush@/d', /a server is a host name/],
    ['postgres://me:hu%sh@h/d', /the password has a %/],
    ['postgres://me:hush@h/d?sslmode=prefer', /sslmode is one of disable, require, verify-ca, verify-full/],
    ['postgres://me:hush@h/d?password=hush', /the parameters may be application_name, host, /],
    ['postgres:me:hush@h/d', /or postgres:\/\/user/],
    ['postgres://me:hush/d', /.+/],
    ['me:hush@h/d', /or postgres:\/\/user/],
    [' postgres://me:hush@h/d', /" postgres:\/\/…@h\/d" is not allowed/],
  ];
  for (const [url, text] of wrong) {
    assert.throws(
      () => loadConfig({ DATABASE_URL: url }),
      (error: Error) => {
        assert.match(error.message, text, url);
        assert.ok(!/hu%?sh/.test(error.message), error.message);
        return true;
      },
    );
  }
});
