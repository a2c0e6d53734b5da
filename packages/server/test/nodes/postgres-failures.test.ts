// Test setup: PostgreSQL, own store, own limits, first, long.
// What fails between the servers and PostgreSQL: each done to real ones, under a steady load of token requests.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../src/config/load-config.ts';
import { openStore } from '../../src/store-files/open.ts';
import { eventually } from '@mintmark/test-support/eventually';
import {
  becomes,
  keepWriting,
  readinessOf,
  report,
  startNodes,
  statusOf,
  steadyLoad,
  type Nodes,
} from '@mintmark/test-support/nodes';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';
import { startPostgres, type TestPostgres } from '@mintmark/test-support/postgres';
import { tcpProxy, type TcpProxy } from '@mintmark/test-support/tcp-proxy';
import type { TestServer } from '@mintmark/test-support/server';
import type { MadeApiUser } from '@mintmark/test-support/store';

const WITHIN_MS = 1000;
const STALE_MAX_S = 3;
const skip = postgresMissing();

describe('between nodes and their PostgreSQL', { skip }, () => {
  let server: TestPostgres;
  let proxy: TcpProxy;
  let nodes: Nodes;
  let connected: TestServer;
  /** Reaches the database through the proxy alone. */
  let behind: TestServer;
  let database: string;
  let user: MadeApiUser;

  before(async () => {
    server = await startPostgres({ durable: true });
    proxy = await tcpProxy(server.port);
    database = await server.newDatabase();
    const url = server.url(database);
    const urls = [url, url.replace(`:${server.port}/`, `:${proxy.port}/`)].map(
      (each, i) => `${each}?application_name=node${i}`,
    );
    nodes = await startNodes(urls, { MINTMARK_STALE_MAX: String(STALE_MAX_S) });
    [connected, behind] = nodes.nodes as [TestServer, TestServer];
  });
  after(async () => {
    await nodes[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  /** Disables it and gives back when the last token was issued after that, in milliseconds. */
  async function disabledWithin(node: TestServer, who: MadeApiUser): Promise<number> {
    await nodes.cli('api-user', 'disable', who.client_id, '--force');
    const tookMs = await becomes(node, who, 403, WITHIN_MS);
    await nodes.cli('api-user', 'enable', who.client_id);
    await becomes(node, who, 200, WITHIN_MS);
    return tookMs;
  }

  async function backends(node: number): Promise<{ pid: number; query: string }[]> {
    return await server.sql(
      `select pid, query from pg_stat_activity where application_name = 'node${node}' and backend_type = 'client backend'`,
    );
  }

  test('an ended LISTEN connection is restored, and changes are seen meanwhile', async () => {
    user = await nodes.knownUser();
    // Its last statement is the LISTEN, or a heartbeat.
    const listening = async () =>
      (await backends(0)).filter(({ query }) => /^(listen|select 1$)/.test(query));
    await eventually(async () => (await listening()).length === 1, 5000, 'it listens');
    const [first] = await listening();
    await server.sql(`select pg_terminate_backend(${first?.pid})`);
    const endedAt = performance.now();
    const meanwhile = await disabledWithin(connected, user);
    await eventually(
      async () => {
        const [now] = await listening();
        return now !== undefined && now.pid !== first?.pid;
      },
      5000,
      'it listens again',
    );
    report('LISTEN ended', { change_seen_ms: meanwhile, listens_again_ms: performance.now() - endedAt });
  });

  test('any frozen server process delays changes by at most a second', async () => {
    const load = steadyLoad([connected], user);
    const other = await nodes.knownUser();
    const slowest = { ms: 0, frozen: 0 };
    for (const { pid } of await backends(0)) {
      process.kill(pid, 'SIGSTOP');
      try {
        slowest.ms = Math.max(slowest.ms, await disabledWithin(connected, other));
        slowest.frozen += 1;
      } finally {
        process.kill(pid, 'SIGCONT');
      }
    }
    const { refused, p99Ms } = await load.stop();
    assert.deepEqual(refused, []);
    assert.ok(slowest.frozen >= 2, 'the one that polls, and the one that listens');
    report('a frozen server process', {
      processes: slowest.frozen,
      slowest_change_ms: slowest.ms,
      p99_ms: p99Ms,
    });
  });

  for (const how of ['cut', 'silence'] as const) {
    test(`a node without its database (${how}) serves until the stale bound`, async () => {
      user = await nodes.knownUser();
      const cutOff = await nodes.knownUser();
      const load = steadyLoad([connected], user);
      proxy[how]();
      const cutAt = performance.now();
      await nodes.cli('api-user', 'disable', cutOff.client_id, '--force');
      const disabledAt = performance.now();
      assert.ok((await becomes(connected, cutOff, 403, WITHIN_MS)) < WITHIN_MS, 'the other node follows');
      assert.equal(await statusOf(behind, user), 200, 'tokens for whom it knows');
      const unknown = { ...user, client_id: 'api_nobody' };
      await becomes(behind, unknown, 503, 5000);
      await becomes(behind, user, 503, (STALE_MAX_S + 2) * 1000);
      const refusedAfterMs = performance.now() - cutAt;
      assert.ok(performance.now() - disabledAt < (STALE_MAX_S + 2) * 1000);
      assert.equal(await statusOf(behind, cutOff), 503, 'who was disabled has outlived the bound nowhere');
      const readiness = await readinessOf(behind);
      assert.deepEqual([readiness.code, readiness.status], [503, 'stale']);
      assert.ok(readiness.staleSeconds >= STALE_MAX_S);
      assert.equal((await readinessOf(connected)).code, 200);
      proxy.mend();
      const recoveredMs = await becomes(behind, user, 200, 10_000);
      assert.equal(await statusOf(behind, cutOff), 403, 'what happened meanwhile is known at once');
      const { refused, p99Ms } = await load.stop();
      assert.deepEqual(refused, [], 'the connected node refused nothing');
      report(`a node cut off (${how})`, {
        refuses_after_ms: refusedAfterMs,
        recovered_ms: recoveredMs,
        p99_of_the_other_ms: p99Ms,
      });
    });
  }
});

describe('a PostgreSQL under two nodes', { skip }, () => {
  test('that is killed and restarted loses nothing, and the nodes recover', async () => {
    await using server = await startPostgres({ durable: true });
    const database = await server.newDatabase();
    await using nodes = await startNodes([server.url(database), server.url(database)]);
    const [connected, behind] = nodes.nodes as [TestServer, TestServer];
    const config = loadConfig({ DATABASE_URL: server.url(database), MINTMARK_MASTER_KEY: 'ab'.repeat(32) });
    const { store } = await openStore(config, { watch: false });
    const user = await nodes.knownUser();
    const writer = keepWriting(store);
    const load = steadyLoad([connected, behind], user);
    await sleep(300);
    await server.kill();
    const killedAt = performance.now();
    await sleep(1000);
    assert.equal(await statusOf(connected, { ...user, client_id: 'api_nobody' }), 503, 'it may exist by now');
    const away = await readinessOf(connected);
    assert.equal(away.code, 200, 'within the bound it is ready');
    assert.ok(away.staleSeconds > 0.5, 'and says how stale it is');
    await server.start();
    const backAt = performance.now();
    await eventually(
      async () => {
        const both = await Promise.all([connected, behind].map(readinessOf));
        return both.every(({ staleSeconds }) => staleSeconds < 0.5);
      },
      10_000,
      'the nodes are in step again',
    );
    const recoveredMs = performance.now() - backAt;
    await sleep(300);
    const acknowledged = await writer.stop();
    const { issued, refused, p99Ms } = await load.stop();
    assert.deepEqual(refused, [], 'no token was refused that should have been issued');
    const kept = new Set((await store.knownApiUsers.byIds(acknowledged)).map((row) => row.client_id));
    const changes = await store.changes.after(0, 1_000_000);
    await store.close();
    assert.equal(kept.size, acknowledged.length, 'every acknowledged write is there');
    assert.ok(changes.every(({ n }, i) => n === i + 1));
    await nodes.cli('api-user', 'disable', user.client_id, '--force');
    for (const node of [connected, behind]) await becomes(node, user, 403, WITHIN_MS);
    report('PostgreSQL killed and started again', {
      away_ms: backAt - killedAt,
      recovered_ms: recoveredMs,
      acknowledged: acknowledged.length,
      tokens: issued,
      p99_ms: p99Ms,
    });
  });
});
