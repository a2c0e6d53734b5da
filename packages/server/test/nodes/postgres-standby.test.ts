// Test setup: PostgreSQL, own store, own limits, first.
// A synchronous standby that hangs: commits wait for it, and nobody knows whether they were made.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { synchronousStandbys } from '../../src/storage/postgres/standby.ts';
import { binary } from '@mintmark/test-support/binary';
import { eventually } from '@mintmark/test-support/eventually';
import {
  becomes,
  readinessOf,
  startNodes,
  statusOf,
  steadyLoad,
  type Nodes,
} from '@mintmark/test-support/nodes';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';
import { startSynchronousPair, type SynchronousPair } from '@mintmark/test-support/synchronous-pair';
import type { TestServer } from '@mintmark/test-support/server';
import type { MadeApiUser } from '@mintmark/test-support/store';

const skip = postgresMissing();
const NOTICED_MS = 20_000;

describe('with a synchronous standby that hangs', { skip }, () => {
  let pair: SynchronousPair;
  let nodes: Nodes;
  let node: TestServer;
  let user: MadeApiUser;

  before(async () => {
    pair = await startSynchronousPair();
    nodes = await startNodes([pair.url], {
      MINTMARK_USAGE_FLUSH: '200',
      MINTMARK_POSTGRES_STATEMENT_TIMEOUT: '1000',
      MINTMARK_STORE_BUSY_TIMEOUT: '500',
    });
    [node] = nodes.nodes as [TestServer];
    user = await nodes.apiUser('Importer');
    await becomes(node, user, 200, 10_000);
  });
  after(async () => {
    await nodes[Symbol.asyncDispose]();
    await pair[Symbol.asyncDispose]();
  });

  test('usage whose write had an unknown outcome is counted once', async () => {
    const counted = async () => {
      const [row] = await pair.primary.sql<{ n: string }>(
        `select coalesce(sum(tokens), 0) as n from usage_minutes where client_id = '${user.client_id}'`,
        'test_1',
      );
      return Number(row?.n);
    };
    await eventually(async () => (await counted()) === 1, 10_000, 'the first token is written');
    const load = steadyLoad([node], user);
    await eventually(async () => (await counted()) > 1, 10_000, 'some are written');
    const frozen = await freeze(pair);
    try {
      await eventually(
        async () => {
          return (await metric(node, 'usage_flush_failures_total')) >= 3;
        },
        NOTICED_MS,
        'writes fail',
      );
    } finally {
      frozen.thaw();
    }
    const { issued, refused } = await load.stop();
    assert.deepEqual(refused, [], 'tokens go on');
    await eventually(async () => (await counted()) >= 1 + issued, NOTICED_MS, 'all are written');
    assert.equal(await statusOf(node, user), 200);
    await eventually(async () => (await counted()) > 1 + issued, NOTICED_MS, 'a later one is written');
    assert.equal(await counted(), 1 + issued + 1);
  });

  test('log, readiness, metric, doctor and errors name the standby', async () => {
    const frozen = await freeze(pair);
    try {
      const change = nodes.cli('api-user', 'create', '--name', 'Waits');
      await assert.rejects(change, /synchronous standby.* Whether the change was made is not known/s);
      const next = nodes.cli('api-user', 'create', '--name', 'Waits too');
      await assert.rejects(next, /synchronous standby.* The change was not made/s);
      await eventually(async () => (await changesOf(node)) !== 'ok', NOTICED_MS, 'readiness says so');
      assert.equal(await changesOf(node), 'waiting_for_standby');
      assert.equal((await readinessOf(node)).code, 200);
      assert.equal(await statusOf(node, user), 200);
      assert.ok((await metric(node, 'standby_wait_seconds')) > 3);
      assert.match(node.output(), /PostgreSQL waits for a synchronous standby that hangs/);
      assert.match(await doctor(), /waiting for a synchronous standby for \d+ s/);
      await eventually(
        () => /synchronous standby[^\n]*usage could not be written/.test(node.output()),
        NOTICED_MS,
        'usage says so',
      );
      assert.doesNotMatch(node.output(), /locked by another process/);
    } finally {
      frozen.thaw();
    }
    await eventually(async () => (await changesOf(node)) === 'ok', NOTICED_MS, 'all is well');
  });

  test('doctor warns of a single synchronous standby', async () => {
    assert.match(await doctor(), /every change waits for 1 synchronous standby, and 1 can answer/);
  });

  async function doctor(): Promise<string> {
    const env = { DATABASE_URL: pair.url, MINTMARK_MASTER_KEY: 'ab'.repeat(32) };
    return (await binary(['doctor'], { env })).out;
  }
});

test('names of synchronous standbys are read in every form', () => {
  for (const [names, connected, needed, available] of [
    ['', 2, 0, 0],
    ['standby1', 1, 1, 1],
    ['a, "b c"', 2, 1, 2],
    ['*', 3, 1, 3],
    ['FIRST 2 (a, b, c)', 3, 2, 3],
    ['any 1 ( a,b )', 1, 1, 1],
    ['2 ("x, y", z)', 2, 2, 2],
  ] as const) {
    assert.deepEqual(synchronousStandbys(names, connected), { needed, available }, names);
  }
});

async function changesOf({ port }: TestServer): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  return ((await response.json()) as { changes: string }).changes;
}

/** Freezes what sends the log to the standby: to the primary the standby hangs. */
async function freeze({ primary }: SynchronousPair): Promise<{ thaw(): void }> {
  const [row] = await primary.sql<{ pid: number }>('select pid from pg_stat_replication');
  const pid = row?.pid ?? 0;
  process.kill(pid, 'SIGSTOP');
  return { thaw: () => process.kill(pid, 'SIGCONT') };
}

async function metric({ port }: TestServer, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(new RegExp(`^mintmark_${name} (.+)$`, 'm').exec(text)?.[1]);
}
