// Test setup: Redis, own limits.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCrowd } from '@mintmark/test-support/crowd';
import { eventually } from '@mintmark/test-support/eventually';
import { report } from '@mintmark/test-support/nodes';
import { redisMissing, startRedis, type TestRedis } from '@mintmark/test-support/redis';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// Three processes on one store that count limits together in a Redis, to which everything happens that can.

const NODES = 3;
const CONNECTIONS = 64;
const MINUTE_MS = 60_000;
const BURST = 1500;
const SMALL = 60;
/** More than the default: here Redis, three processes and their callers have two cores between them. */
const DEADLINE_MS = 200;
/** Nobody who keeps far below this is refused, whatever happens. */
const PLENTY = 90_000;

describe('limits of three processes in Redis', { skip: redisMissing() }, () => {
  let redis: TestRedis;
  const nodes: TestServer[] = [];
  const users: Record<
    'burst' | 'steady' | 'killed' | 'alone' | 'flushed' | 'frozen' | 'guessed' | 'told',
    MadeApiUser
  > = {} as never;
  const ports = () => nodes.map(({ port }) => port);

  before(async () => {
    redis = await startRedis();
    const store = await newStore();
    users.burst = await store.apiUser('Burst', '--limit', String(BURST));
    users.steady = await store.apiUser('Steady', '--limit', String(PLENTY));
    users.killed = await store.apiUser('Killed', '--limit', String(BURST));
    users.alone = await store.apiUser('Alone', '--limit', String(SMALL));
    users.flushed = await store.apiUser('Flushed', '--limit', String(SMALL));
    users.frozen = await store.apiUser('Frozen', '--limit', String(SMALL));
    users.told = await store.apiUser('Told', '--limit', '6');
    users.guessed = await store.apiUser('Guessed');
    const env = {
      REDIS_URL: redis.url,
      MINTMARK_PROCESSES: String(NODES),
      MINTMARK_LIMITS_DEADLINE: String(DEADLINE_MS),
      MINTMARK_FAILURE_LIMIT: '30',
    };
    nodes.push(...(await Promise.all(Array.from({ length: NODES }, () => store.start(env)))));
    await limitsBecome('shared');
  });
  after(async () => {
    redis.goOn();
    for (const node of nodes) await node.stop();
    for (const node of nodes) await node[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });

  async function limitsOf({ port }: TestServer): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`);
    assert.equal(response.status, 200, 'a limiter that is away takes no node out of service');
    return ((await response.json()) as { limits: string }).limits;
  }

  /** Milliseconds until all nodes say so. */
  async function limitsBecome(limits: string): Promise<number> {
    const startedAt = performance.now();
    await eventually(async () => {
      for (const node of nodes) assert.equal(await limitsOf(node), limits);
    });
    return performance.now() - startedAt;
  }

  /** Calls on one node until it is refused; how many were not. */
  async function exhaust(node: TestServer, { client_id, client_secret }: MadeApiUser): Promise<number> {
    for (let n = 0; ; n++) {
      const { status } = await node.post({ client_id, client_secret });
      if (status === 429) return n;
      assert.equal(status, 200);
    }
  }

  test('64 connections over three processes pass exactly to the limit', async () => {
    const crowd = await startCrowd(ports(), [users.burst], CONNECTIONS);
    await eventually(() => Promise.resolve(assert.ok(crowd.issued() >= BURST)));
    await sleep(1000);
    const { issued, tookMs, answers } = await crowd.stop();
    const expected = BURST * (1 + tookMs / MINUTE_MS);
    report('limit of three processes', { expected, issued, refused: answers.get(429) ?? 0 });
    assert.ok(Math.abs(issued - expected) <= expected / 100, `${issued} and not ${expected} were issued`);
  });

  test('failed attempts count together, and so does what is told of the limit', async () => {
    const { client_id, client_secret } = users.guessed;
    const statuses: number[] = [];
    for (let i = 0; i < 33; i++) {
      statuses.push((await nodes[i % NODES]!.post({ client_id, client_secret: 'wrong' })).status);
    }
    assert.ok(
      statuses.slice(0, 30).every((status) => status === 403),
      statuses.join(),
    );
    assert.ok(
      statuses.slice(31).every((status) => status === 429),
      statuses.join(),
    );
    for (const node of nodes) {
      await eventually(async () => {
        const { status, headers } = await node.post({ client_id, client_secret });
        assert.equal(status, 429);
        assert.match(headers.get('ratelimit-policy') ?? '', /^"failures";q=30/);
      });
    }
    const { client_id: id, client_secret: secret } = users.told;
    for (let i = 1; i <= 6; i++) {
      const { headers } = await nodes[i % NODES]!.post({ client_id: id, client_secret: secret });
      assert.equal(headers.get('x-ratelimit-limit'), '6');
      assert.equal(headers.get('x-ratelimit-remaining'), String(6 - i));
    }
  });

  for (const [what, away, back] of [
    ['killed', () => redis.kill(), () => redis.start()],
    ['frozen', () => redis.freeze(), () => redis.goOn()],
  ] as const) {
    test(`a Redis that is ${what} makes no token fail, and limits are shared again when it is back`, async () => {
      const crowd = await startCrowd(ports(), [users.steady], 12, 10);
      await sleep(500);
      await away();
      const ceasedMs = await limitsBecome('divided');
      await sleep(500);
      await back();
      const sharedMs = await limitsBecome('shared');
      await sleep(300);
      const { issued, answers, p99Ms, slowestMs } = await crowd.stop();
      report(`Redis ${what}`, { issued, ceasedMs, sharedMs, p99Ms, slowestMs });
      assert.deepEqual(Array.from(answers.keys()), [200]);
    });
  }

  test('a process that nobody asks notices that Redis is gone, and that it is there again', async () => {
    await redis.kill();
    await limitsBecome('divided');
    await redis.start();
    await limitsBecome('shared');
  });

  test('a Redis that is killed gives no more away than what is stated: spread callers nothing, others one burst', async () => {
    const crowd = await startCrowd(ports(), [users.killed], 2 * NODES);
    await eventually(() => Promise.resolve(assert.ok(crowd.issued() >= BURST)));
    const first = await exhaust(nodes[0]!, users.alone);
    await redis.kill();
    await limitsBecome('divided');
    await sleep(1000);
    const others = [await exhaust(nodes[1]!, users.alone), await exhaust(nodes[2]!, users.alone)];
    const again = await exhaust(nodes[0]!, users.alone);
    const { issued, tookMs } = await crowd.stop();
    const expected = BURST * (1 + tookMs / MINUTE_MS);
    report('Redis killed, at the limit', { expected, issued, alone: first, others: others.join('+'), again });
    assert.ok(issued <= expected * 1.02 + 2 * NODES, `${issued} and not at most ${expected} were issued`);
    assert.ok(first >= SMALL && first <= SMALL + 3);
    assert.ok(
      others.every((count) => count >= SMALL / NODES && count <= SMALL / NODES + 3),
      others.join(),
    );
    assert.ok(again <= 3, `${again} more on the process that knew that the limit was met`);

    // What each process counted meanwhile holds after it, though Redis has forgotten everything.
    await redis.start();
    await limitsBecome('shared');
    const later = await exhaust(nodes[1]!, users.alone);
    assert.ok(later <= 6, `${later} more when limits were shared again`);
  });

  test('a Redis that was flushed is told what it has forgotten', async () => {
    const first = await exhaust(nodes[0]!, users.flushed);
    await redis.command('FLUSHALL');
    const again = await exhaust(nodes[0]!, users.flushed);
    report('Redis flushed', { first, again });
    assert.ok(first >= SMALL && first <= SMALL + 3 && again <= 3);
  });

  test('what happened is in the log, once for each change, without a password', () => {
    for (const node of nodes) {
      const lines = node.output().match(/"msg":"limits are [^"]*"/g) ?? [];
      assert.ok(lines.length >= 8 && lines.length <= 24, lines.join('\n'));
    }
  });

  test('a process that is frozen or killed holds up no other, and gives nothing away when it goes on', async () => {
    const last = nodes.pop()!;
    last.process.kill('SIGSTOP');
    const crowd = await startCrowd(ports(), [users.steady], 6, 10);
    const first = await exhaust(nodes[0]!, users.frozen);
    await sleep(500);
    last.process.kill('SIGCONT');
    const again = await exhaust(last, users.frozen);
    await last.kill();
    await sleep(300);
    const { answers } = await crowd.stop();
    assert.deepEqual(Array.from(answers.keys()), [200]);
    assert.ok(first >= SMALL && first <= SMALL + 3 && again <= 3, `${first} and ${again}`);
  });
});
