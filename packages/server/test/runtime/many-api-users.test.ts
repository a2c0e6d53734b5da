// Test setup: PostgreSQL.
// What holds where there are so many API users that what is done with all of them takes long.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SYSTEM } from '../../src/domain/actor.ts';
import { createApiUser } from '../../src/admin/api-user.ts';
import { openStore } from '../../src/store-files/open.ts';
import { createOverview } from '../../src/runtime/usage/overview.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { refusedWith } from '../storage/store-contract.ts';
import { eventually } from '@mintmark/test-support/eventually';
import { startPostgres, type TestPostgres } from '@mintmark/test-support/postgres';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';
import { postgresStore } from '@mintmark/test-support/postgres-store';
import { startServer } from '@mintmark/test-support/server';
import { apiUserSettings, temporaryStore } from '@mintmark/test-support/temporary-store';

test('a count of API users that takes long is given as it was before, and renewed behind the answer', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  let nowMs = Date.now();
  // As with millions: each count takes a second.
  const count = async (from: number, unhurried: boolean) => {
    const counted = await store.attention.count(from, unhurried);
    nowMs += 1000;
    return counted;
  };
  const overview = createOverview({ attention: { ...store.attention, count } }, () => nowMs, assert.fail);
  const total = async () => (await overview()).apiUsers?.total;
  const add = () => createApiUser({ store, actor: SYSTEM, nowMs }, apiUserSettings());

  await add();
  assert.equal(await total(), 1, 'the first waits for it');
  await add();
  nowMs += 10_000;
  assert.equal(await total(), 1, 'it is kept for twenty times as long as it took');
  nowMs += 20_000;
  assert.equal(await total(), 1, 'the one before, at once');
  await eventually(async () => {
    nowMs += 6000; // longer than an overview is kept
    assert.equal(await total(), 2);
  });
});

describe('on PostgreSQL, where a statement has a timeout', { skip: postgresMissing() }, () => {
  let server: TestPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  test('the overview is there without the first count, which may take longer, and has it later', async () => {
    await using opened = await postgresStore(server, { MINTMARK_POSTGRES_STATEMENT_TIMEOUT: '500' });
    await createApiUser({ store: opened.store, actor: SYSTEM, nowMs: Date.now() }, apiUserSettings());
    // For everybody but the owner of the table, each row that is counted takes longer than a statement may.
    await server.sql(
      `create role slow login password 'slow';
       grant all on all tables in schema public to slow;
       grant all on all sequences in schema public to slow;
       alter table api_users enable row level security;
       create policy slowly on api_users
         using (current_query() not like '%count(*)%' or pg_sleep(1.5) is not null);`,
      opened.database,
    );
    const url = new URL(server.url(opened.database));
    [url.username, url.password] = ['slow', 'slow'];
    const config = loadConfig({ ...opened.env, DATABASE_URL: url.href });
    const { store } = await openStore(config, { watch: true });
    try {
      await refusedWith('unavailable', store.attention.count(0, false));
      let nowMs = Date.now();
      const overview = createOverview(store, () => nowMs, assert.fail);
      assert.equal((await overview()).apiUsers, null);
      await eventually(async () => {
        nowMs += 6000; // longer than an overview is kept
        assert.deepEqual((await overview()).apiUsers, { total: 1, enabled: 1, active: 0 });
      });
      const counting = assert.rejects(
        store.attention.count(0, true),
        'a store that is closed waits for no count',
      );
      await eventually(async () => {
        const running = `select 1 from pg_stat_activity where query like '%count(*)%' and state = 'active' and usename = 'slow'`;
        assert.equal((await server.sql(running)).length, 1);
      });
      await store.close();
      await counting;
    } finally {
      await store.close();
    }
  });

  test('a server that could not take all into memory tries again', async () => {
    await using opened = await postgresStore(server);
    await createApiUser({ store: opened.store, actor: SYSTEM, nowMs: Date.now() }, apiUserSettings());
    const locked = server
      .sql('begin; lock table credentials in access exclusive mode; select pg_sleep(600)', opened.database)
      .catch(() => undefined);
    await using started = await startServer({
      env: {
        ...opened.env,
        MINTMARK_POSTGRES_STATEMENT_TIMEOUT: '1000',
        MINTMARK_TEST_POSTGRES_FOLLOW_TIMEOUT: '50',
      },
    });
    await eventually(async () => assert.match(started.output(), /not all in memory/));
    await server.sql(
      `select pg_terminate_backend(pid) from pg_stat_activity where query like '%lock table credentials%' and pid <> pg_backend_pid()`,
    );
    await locked;
    await eventually(async () => {
      const reply = await fetch(`http://127.0.0.1:${started.port}/readyz`);
      assert.equal(((await reply.json()) as { all_in_memory: boolean }).all_in_memory, true);
    }, 20_000);
  });
});
