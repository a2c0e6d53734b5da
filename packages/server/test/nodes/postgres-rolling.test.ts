// Test setup: PostgreSQL, Redis, own store, own limits, first, long.
// Three nodes on a PostgreSQL pair, with limits in Redis, that are put to sleep, restarted and upgraded under load.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { eventually } from '@mintmark/test-support/eventually';
import {
  disabledWithin,
  keySet,
  kidOf,
  readinessOf,
  report,
  startNodes,
  statusOf,
  tokenOf,
  type Nodes,
} from '@mintmark/test-support/nodes';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';
import { redisMissing, startRedis, type TestRedis } from '@mintmark/test-support/redis';
import type { TestServer } from '@mintmark/test-support/server';
import type { MadeApiUser } from '@mintmark/test-support/store';
import { startSynchronousPair, type SynchronousPair } from '@mintmark/test-support/synchronous-pair';
import { underLoad } from '@mintmark/test-support/under-load';

const NODES = 3;
const ISSUER = 'http://tokens.example.com/marketing';
const WITHIN_MS = 1000;
const STARTED_MS = 60_000;
const ANNOUNCE_S = 2;
/** How long the migration of the next version holds its tables. */
const MIGRATION_MS = 2000;
const NEXT_VERSION = new URL('../../../test-support/src/next-version.mjs', import.meta.url).pathname;
const SETTINGS = {
  MINTMARK_ISSUER: ISSUER,
  MINTMARK_PROCESSES: String(NODES),
  MINTMARK_LIMITS_DEADLINE: '200', // with all on two cores
  MINTMARK_DRAIN: '500',
  MINTMARK_JWKS_MAX_AGE: '1',
  MINTMARK_KEY_ANNOUNCE: String(ANNOUNCE_S),
};

describe('three nodes on a PostgreSQL pair and Redis', { skip: postgresMissing() || redisMissing() }, () => {
  let pair: SynchronousPair;
  let redis: TestRedis;
  let three: Nodes;
  let user: MadeApiUser;
  before(async () => {
    pair = await startSynchronousPair();
    redis = await startRedis();
    three = await startNodes(
      Array.from({ length: NODES }, () => pair.url),
      { ...SETTINGS, REDIS_URL: redis.url },
    );
    user = await three.knownUser();
  });
  after(async () => {
    await three[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
    await pair[Symbol.asyncDispose]();
  });

  async function rotate(...options: string[]): Promise<{ kid: string; activates_at: string }> {
    return JSON.parse(await three.cli('signing-key', 'rotate', ...options, '--json')) as {
      kid: string;
      activates_at: string;
    };
  }

  test('a node that sleeps while its key is withdrawn and an API user disabled goes by neither when it wakes', async () => {
    const [awake, , asleep] = three.nodes as [TestServer, TestServer, TestServer];
    const disabled = await three.knownUser();
    asleep.process.kill('SIGSTOP');
    let waiting: Promise<[string, number]>[];
    let kid: string;
    try {
      await three.cli('api-user', 'disable', disabled.client_id, '--force');
      ({ kid } = await rotate('--compromised'));
      await sleep(WITHIN_MS + 500);
      // The first that it sees.
      waiting = Array.from({ length: 4 }, () =>
        Promise.all([tokenOf(asleep, user), statusOf(asleep, disabled)]),
      );
      await sleep(200);
    } finally {
      asleep.process.kill('SIGCONT');
    }
    const keys = createLocalJWKSet(await keySet(awake));
    for (const [token, status] of await Promise.all(waiting)) {
      assert.equal(kidOf(token), kid);
      await jwtVerify(token, keys, { issuer: ISSUER });
      assert.equal(status, 403);
    }
  });

  test('a key that is announced is published by all nodes before any signs, and a node that sleeps as it becomes active signs with it', async () => {
    const [awake, , asleep] = three.nodes as [TestServer, TestServer, TestServer];
    await using load = await underLoad(three.nodes, user);
    const { kid, activates_at } = await rotate();
    await eventually(
      async () => {
        const sets = await Promise.all(three.nodes.map(keySet));
        return sets.every(({ keys }) => keys.some((key) => key.kid === kid));
      },
      WITHIN_MS,
      'all nodes publish it',
    );
    for (const node of three.nodes) {
      const signedBy = kidOf(await tokenOf(node, user));
      // A busy machine may take longer over these than the announcement does.
      if (Date.now() < Date.parse(activates_at)) assert.notEqual(signedBy, kid);
    }
    asleep.process.kill('SIGSTOP');
    let waiting: Promise<string>;
    let p99Ms: number;
    try {
      await eventually(
        async () => {
          return kidOf(await tokenOf(awake, user)) === kid;
        },
        2000 * ANNOUNCE_S,
        'another signs with it',
      );
      p99Ms = load.lapP99Ms();
      waiting = tokenOf(asleep, user);
      await sleep(100);
    } finally {
      asleep.process.kill('SIGCONT');
    }
    const continuedAt = performance.now();
    const token = await waiting;
    const recoveredMs = performance.now() - continuedAt;
    assert.equal(kidOf(token), kid);
    await jwtVerify(token, createLocalJWKSet(await keySet(awake)), { issuer: ISSUER });
    const { issued, afterMs } = await load.stop();
    report('a node asleep as a key becomes active', { issued, p99Ms, afterMs, recoveredMs });
  });

  test('a restart of one node after the other refuses no token and breaks no connection', async () => {
    await using load = await underLoad(three.nodes, user);
    const tookMs: number[] = [];
    const seenMs: number[] = [];
    for (const node of Array.from(three.nodes)) {
      const startedAt = performance.now();
      await node.stop();
      seenMs.push(
        await disabledWithin(
          three,
          three.nodes.filter((each) => each !== node),
        ),
      );
      const again = await three.startAgain(node);
      await eventually(async () => (await readinessOf(again)).code === 200, STARTED_MS, 'it is ready');
      tookMs.push(performance.now() - startedAt);
      await load.more();
    }
    const p99Ms = load.lapP99Ms();
    const { issued, afterMs } = await load.stop();
    report('rolling restart', {
      issued,
      p99Ms,
      afterMs,
      nodeMs: Math.max(...tookMs),
      seenMs: Math.max(...seenMs),
    });
  });

  test('an upgrade of one node after the other, whose first one migrates for seconds, refuses no token', async () => {
    const [first, ...others] = Array.from(three.nodes) as [TestServer, TestServer, TestServer];
    await using load = await underLoad(three.nodes, user);
    const next = { NODE_OPTIONS: `--import=${NEXT_VERSION}`, NEXT_VERSION_HOLDS_MS: String(MIGRATION_MS) };
    const startedAt = performance.now();
    await first.stop();
    const upgraded = await three.startAgain(first, next);
    const firstMs = performance.now() - startedAt;
    assert.match(upgraded.output(), /"migrated":\["999-next"\]/);
    assert.ok(firstMs >= MIGRATION_MS);
    three.commandsOf({ settings: next }); // those of the version before refuse a store that is newer
    // Of two versions on one store, and what one of them writes the other follows.
    const seenMs = await disabledWithin(three);
    const { kid } = await rotate('--now');
    for (const node of three.nodes) {
      await eventually(
        async () => kidOf(await tokenOf(node, user)) === kid,
        WITHIN_MS,
        'it signs with the new key',
      );
    }
    await load.more();
    for (const node of others) {
      await node.stop();
      await three.startAgain(node, next);
      await load.more();
    }
    const p99Ms = load.lapP99Ms();
    const { issued, afterMs } = await load.stop();
    await disabledWithin(three);
    report('rolling upgrade', { issued, p99Ms, afterMs, firstMs, seenMs });
  });
});
