// Test setup: PostgreSQL, own store, own limits, first.
// How a process deals with its connections to PostgreSQL, and with those that it does not get.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { SYSTEM } from '../../src/domain/actor.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { createApiUser } from '../../src/admin/api-user.ts';
import { openMigratedStore } from '../../src/store-files/open.ts';
import type { Store } from '../../src/storage/store.ts';
import { eventually } from '@mintmark/test-support/eventually';
import { startPostgres, type TestPostgres } from '@mintmark/test-support/postgres';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';
import { postgresStore } from '@mintmark/test-support/postgres-store';
import { apiUserSettings } from '@mintmark/test-support/temporary-store';

/** So far behind may a process be that reaches its store. */
const IN_STEP_MS = 1000;

describe('a PostgreSQL database', { skip: postgresMissing() }, () => {
  let server: TestPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  async function connections(database: string): Promise<number> {
    const [row] = await server.sql<{ n: string }>(
      `select count(*) as n from pg_stat_activity where datname = '${database}'`,
    );
    return Number(row?.n);
  }

  /** As a migration of API users. */
  async function locked(database: string): Promise<AsyncDisposable & { release(): Promise<void> }> {
    const client = new pg.Client({ connectionString: server.url(database) });
    await client.connect();
    await client.query('begin; lock table api_users in access exclusive mode');
    const release = async () => await client.end();
    return { release, [Symbol.asyncDispose]: release };
  }

  test('gives one process at most its share of connections', async () => {
    await using opened = await postgresStore(server, { MINTMARK_POSTGRES_CONNECTIONS: '6' });
    const { store } = opened;
    store.onWake(() => undefined);
    await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        i % 10 === 0
          ? createApiUser({ store, actor: SYSTEM, nowMs: 1 }, apiUserSettings())
          : i % 2 === 0
            ? store.apiUsers.any()
            : store.knownApiUsers.byName('x', 'x'),
      ),
    );
    const count = await connections(opened.database);
    assert.ok(count <= 6, `${count} connections`);
    assert.ok(count >= 3);
  });

  test('without free connections serves waiting requests with the existing ones', async () => {
    await using opened = await postgresStore(server);
    await opened.store.close();
    await server.sql(`create role three login password 'three' connection limit 3`);
    await server.sql('grant all on all tables in schema public to three', opened.database);
    const DATABASE_URL = `postgres://three:three@127.0.0.1:${server.port}/${opened.database}`;
    const settings = { ...opened.env, DATABASE_URL, MINTMARK_TEST_POSTGRES_FOLLOW_TIMEOUT: '10000' };
    const store = await openMigratedStore(loadConfig(settings));
    try {
      await Promise.all([lookUp(store, 1), store.changes.epoch(), store.apiUsers.any()]);
      await using lock = await locked(opened.database);
      const waiting = Promise.all([...lookUps(store, 50), store.changes.epoch()]);
      await eventually(
        () => /too many connections/.test(server.log()),
        5000,
        'more connections were refused',
      );
      await lock.release();
      await waiting;
    } finally {
      await store.close();
    }
  });

  test('with look-ups behind a lock stays bounded and in step', async () => {
    await using opened = await postgresStore(server, { MINTMARK_TEST_POSTGRES_FOLLOW_TIMEOUT: '100' });
    const { store, database } = opened;
    await using lock = await locked(database);
    const waiting = Promise.all(lookUps(store, 200));
    for (let i = 0; i < 15; i++) {
      await sleep(100);
      const askedAt = performance.now();
      await store.changes.epoch();
      assert.ok(performance.now() - askedAt < IN_STEP_MS);
      const count = await connections(database);
      assert.ok(count < 30, `${count} connections, of which a process may have 10`);
    }
    await lock.release();
    await waiting;
  });
});

async function lookUp(store: Store, i: number): Promise<void> {
  assert.deepEqual(await store.knownApiUsers.byName(`api_${i}`, `api_${i}`), []);
}

function lookUps(store: Store, count: number): Promise<void>[] {
  return Array.from({ length: count }, (_, i) => lookUp(store, i));
}
