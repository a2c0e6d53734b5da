// Test setup: PostgreSQL, Redis, own store, own limits, first.
// A PostgreSQL primary is killed and its standby promoted, under load.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SYSTEM } from '../../src/domain/actor.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { createApiUser } from '../../src/admin/api-user.ts';
import { openStore } from '../../src/store-files/open.ts';
import { refusedWith } from '../storage/store-contract.ts';
import { eventually } from '@mintmark/test-support/eventually';
import {
  becomes,
  keepWriting,
  readinessOf,
  report,
  startNodes,
  steadyLoad,
  statusOf,
} from '@mintmark/test-support/nodes';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';
import { startPostgres, startStandby, type TestPostgres } from '@mintmark/test-support/postgres';
import { redisMissing, startRedis } from '@mintmark/test-support/redis';
import { startSynchronousPair, urlOfAll } from '@mintmark/test-support/synchronous-pair';
import { apiUserSettings } from '@mintmark/test-support/temporary-store';
import type { TestServer } from '@mintmark/test-support/server';
import type { MadeApiUser } from '@mintmark/test-support/store';

const skip = postgresMissing();
const WITHIN_MS = 1000;
const STANDBY = 'standby1';
/** Calls per minute. */
const LIMIT = 30;
const MINUTE_MS = 60_000;

test(
  'a failover to a synchronous standby loses nothing and refuses no token',
  { skip: skip === false ? redisMissing() : skip },
  async () => {
    await using pair = await startSynchronousPair();
    const { primary, standby, url: DATABASE_URL } = pair;
    await using redis = await startRedis();
    await using nodes = await startNodes([DATABASE_URL, DATABASE_URL, DATABASE_URL], {
      REDIS_URL: redis.url,
      MINTMARK_PROCESSES: '3',
      MINTMARK_LIMITS_DEADLINE: '200', // with all on two cores
    });
    const user = await nodes.apiUser('Importer');
    const disabled = await nodes.apiUser('Exporter');
    const limited = await nodes.apiUser('Limited');
    await nodes.cli('api-user', 'update', limited.client_id, '--limit', String(LIMIT));
    for (const node of nodes.nodes) {
      await becomes(node, user, 200, 10_000);
      await becomes(node, disabled, 200, 10_000);
    }
    const limits = async () => (await Promise.all(nodes.nodes.map(readinessOf))).map((one) => one.limits);
    await eventually(
      async () => (await limits()).every((one) => one === 'shared'),
      5000,
      'limits are shared',
    );
    const { store } = await openStore(loadConfig({ DATABASE_URL, MINTMARK_MASTER_KEY: 'ab'.repeat(32) }), {
      watch: false,
    });
    const writer = keepWriting(store);
    const load = steadyLoad(nodes.nodes, user);
    await sleep(500);
    await nodes.cli('api-user', 'disable', disabled.client_id, '--force'); // the last that the old primary hears of
    await primary.kill();
    const killedAt = performance.now();
    const { passed, cameFree } = await passedOf(nodes.nodes, limited, 2 * LIMIT);
    assert.ok(passed >= LIMIT && passed <= LIMIT + cameFree, `${passed} of ${LIMIT} passed with no primary`);
    await standby.promote();
    const promotedAt = performance.now();
    await eventually(
      async () => {
        const all = await Promise.all(nodes.nodes.map(readinessOf));
        return all.every(({ staleSeconds }) => staleSeconds < 0.4);
      },
      15_000,
      'every node is in step again',
    );
    const recoveredMs = performance.now() - promotedAt;
    assert.deepEqual(Array.from(new Set(await limits())), ['shared']);
    for (const node of nodes.nodes) assert.equal(await statusOf(node, disabled), 403);
    const { issued, refused, p99Ms, slowestMs } = await load.stop();
    const later = steadyLoad(nodes.nodes, user);
    await sleep(500);
    const acknowledged = await writer.stop();
    const after = await later.stop();
    assert.deepEqual([...refused, ...after.refused], [], 'no token was refused that should have been issued');
    const kept = await store.knownApiUsers.byIds(acknowledged);
    await store.close();
    assert.equal(kept.length, acknowledged.length, 'every acknowledged change is there');
    await nodes.cli('api-user', 'disable', user.client_id, '--force');
    for (const node of nodes.nodes) await becomes(node, user, 403, WITHIN_MS);
    report('primary killed, synchronous standby promoted', {
      promotion_ms: promotedAt - killedAt,
      recovered_ms: recoveredMs,
      acknowledged: acknowledged.length,
      tokens: issued,
      p99_ms: p99Ms,
      slowest_ms: slowestMs,
      p99_after_ms: after.p99Ms,
    });
  },
);

test('after a lossy failover no node keeps the lost changes', { skip }, async () => {
  await using primary = await startPostgres();
  const database = await primary.newDatabase();
  await using standby = await startStandby(primary, STANDBY);
  const DATABASE_URL = urlOfAll([primary, standby], database);
  await using nodes = await startNodes([DATABASE_URL]);
  const [node] = nodes.nodes as [TestServer];
  const lost = await nodes.apiUser('Disabled, and that is lost');
  const kept = await nodes.apiUser('Kept');
  for (const each of [lost, kept]) await becomes(node, each, 200, 10_000);
  await caughtUp(primary);
  await standby.sql('select pg_wal_replay_pause()'); // and what it receives from now on it will not have
  await stopReceiving(primary);
  await nodes.cli('api-user', 'disable', lost.client_id, '--force');
  await becomes(node, lost, 403, WITHIN_MS);
  await primary.kill();
  await standby.sql('select pg_wal_replay_resume()');
  await standby.promote();
  // The same number of changes, made at another server before the node could ask.
  const config = loadConfig({
    DATABASE_URL: urlOfAll([standby], database),
    MINTMARK_MASTER_KEY: 'ab'.repeat(32),
  });
  const { store } = await openStore(config, { watch: false });
  await store.write((transaction) => transaction.changed('api_user', kept.client_id));
  await store.close();
  await becomes(node, lost, 200, 10_000); // what the store holds now
  assert.equal(await statusOf(node, kept), 200);
});

describe('a PostgreSQL that is a standby', { skip }, () => {
  test('alone in the URL is refused as read-only, beside the primary skipped', async () => {
    await using primary = await startPostgres();
    const database = await primary.newDatabase();
    await using standby = await startStandby(primary, STANDBY);
    const open = (servers: TestPostgres[]) =>
      openStore(
        loadConfig({ DATABASE_URL: urlOfAll(servers, database), MINTMARK_MASTER_KEY: 'ab'.repeat(32) }),
        {
          watch: false,
        },
      );
    const error = await refusedWith('read_only', open([standby]));
    assert.match(error.message, /takes no writes: name the primary, or all its servers separated by commas/);
    for (const servers of [
      [standby, primary],
      [primary, standby],
    ]) {
      const { store } = await open(servers);
      await createApiUser({ store, actor: SYSTEM, nowMs: 1 }, apiUserSettings());
      await store.close();
    }
    await primary.stop();
    const none = await refusedWith('unavailable', open([primary, standby]));
    assert.match(
      none.message,
      /^None of 127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+ takes writes: .*nothing listens there.*takes no/,
    );
  });
});

/** How many of so many calls, on each node in turn, are not over the limit; and how many came free meanwhile. */
async function passedOf(
  nodes: readonly TestServer[],
  user: MadeApiUser,
  calls: number,
): Promise<{ passed: number; cameFree: number }> {
  const startedAt = performance.now();
  let passed = 0;
  for (let i = 0; i < calls; i++) if ((await statusOf(nodes[i % nodes.length]!, user)) === 200) passed += 1;
  return { passed, cameFree: Math.ceil(((performance.now() - startedAt) / MINUTE_MS) * LIMIT) };
}

async function caughtUp(primary: TestPostgres): Promise<void> {
  await eventually(
    async () => {
      const [row] = await primary.sql<{ same: boolean }>(
        'select pg_current_wal_lsn() = replay_lsn as same from pg_stat_replication',
      );
      return row?.same === true;
    },
    10_000,
    'the standby has all of it',
  );
}

/** The standby is told nothing any more: the primary's sender to it is frozen, until both are killed. */
async function stopReceiving(primary: TestPostgres): Promise<void> {
  const [row] = await primary.sql<{ pid: number }>('select pid from pg_stat_replication');
  process.kill(row?.pid ?? 0, 'SIGSTOP');
}
