// Test setup: Redis, own store, own limits.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { takeTokenTogether, type QuotaCall } from '../../src/domain/quota.ts';
import { peekCall, refundCall, takeCall, WINDOW_MS } from '../../src/domain/rate-limit.ts';
import type { LimitTransport, SharedCall, SharedCounts } from '../../src/domain/shared-limit.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { redisTargetOf } from '../../src/config/redis-target.ts';
import { memoryLimits, memoryQuotas } from '../../src/storage/memory/counters.ts';
import { slotOf } from '../../src/storage/redis/cluster.ts';
import { redisLimits, type RedisLimits, type Step } from '../../src/storage/redis/limits.ts';
import { eventually } from '@mintmark/test-support/eventually';
import {
  redisMissing,
  startRedis,
  startRedisCluster,
  type TestRedis,
  type TestRedisCluster,
} from '@mintmark/test-support/redis';

// The rule of the limits, in Redis: the same as in this process.

const PREFIX = 'test';
/** The clock of Redis has microseconds, and a number of its size is kept to a quarter of one. */
const CLOCK_MS = 0.001;

function openLimits(url: string): RedisLimits {
  const target = redisTargetOf(loadConfig({ REDIS_URL: url }));
  assert.ok(target);
  return redisLimits(target, PREFIX);
}

let calls = 0;
/** Of an API user and an address that have not called before. */
const call = (asked: Partial<SharedCall> = {}): SharedCall => ({
  network: `198.51.100.${(calls += 1)}`,
  addressPerMinute: 1000,
  failuresKey: `api_${calls} 198.51.100.${calls}`,
  failuresPerMinute: 20,
  failuresChange: asked.apiUser === null ? 1 : 0,
  apiUser: { id: `api_${calls}`, perMinute: 5, aheadMs: 0, organisation: null },
  ...asked,
});

/** What a step does to the number that is kept. */
function changed(
  kept: number,
  perMinute: number,
  change: Step['change'],
  nowMs: number,
): { allowed: boolean; arrivalMs: number } {
  if (change === -1) return { allowed: true, arrivalMs: Math.max(nowMs, refundCall(kept, perMinute)) };
  if (change === 0) return { allowed: peekCall(kept, perMinute, nowMs).allowed, arrivalMs: kept };
  const { state, arrivalMs } = takeCall(kept, perMinute, nowMs);
  return { allowed: state.allowed, arrivalMs };
}

/** Calls until one is refused. */
async function passed(
  limits: Pick<LimitTransport, 'count'>,
  asked: SharedCall,
): Promise<{ passed: number; last: SharedCounts }> {
  for (let n = 0; ; n++) {
    const last = await limits.count(asked);
    if (last.refusedBy !== null) return { passed: n, last };
  }
}

describe('limits in Redis', { skip: redisMissing() }, () => {
  let redis: TestRedis;
  let cluster: TestRedisCluster;
  let limits: RedisLimits;
  let inCluster: RedisLimits;
  before(async () => {
    [redis, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
    limits = openLimits(redis.url);
    inCluster = openLimits(cluster.url);
    for (const opened of [limits, inCluster]) await eventually(async () => await opened.count(call()));
  });
  after(async () => {
    limits.close();
    inCluster.close();
    await Promise.all([redis[Symbol.asyncDispose](), cluster[Symbol.asyncDispose]()]);
  });

  test('the script counts like takeCall, peekCall and refundCall for any input', async () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      perMinute: fc.constantFrom(1, 3, 7, 60, 250, 4000, 99_999, 1e6, 1e9),
      change: fc.constantFrom(1, 0, -1),
      aheadMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 2 * WINDOW_MS, noNaN: true })),
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { maxLength: 12 }),
        async (all) => {
          run += 1;
          const model = new Map<string, number>();
          for (const steps of all) {
            const asked: Step[] = steps.map((one) => ({ ...one, key: `${PREFIX}:${run}:${one.key}` }));
            const { refusedAt, nowMs, arrivalsMs } = await limits.run('', asked);
            for (const [i, { key, perMinute, change, aheadMs }] of asked.entries()) {
              const known = Math.max(model.get(key) ?? 0, nowMs + aheadMs);
              const kept = Math.min(Math.max(known, nowMs), nowMs + WINDOW_MS);
              const { allowed, arrivalMs } = changed(kept, perMinute, change, nowMs);
              const expected = allowed ? arrivalMs : kept;
              assert.ok(
                Math.abs((arrivalsMs[i] ?? 0) - expected) < CLOCK_MS,
                `${arrivalsMs[i]} and not ${expected}`,
              );
              assert.equal(refusedAt === i, !allowed);
              if (change !== 0 && allowed) model.set(key, arrivalMs);
              if (!allowed) break;
            }
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  test('Redis, cluster and memory let the same calls through', async () => {
    const counts = memoryLimits(1000);
    const tokens = memoryQuotas(1000);
    const memory: LimitTransport = {
      count: (asked) => Promise.resolve(counts(asked, Date.now())),
      countToken: (asked) => Promise.resolve(tokens(asked)),
      close: () => undefined,
    };
    for (const [name, where] of Object.entries({ memory, limits, inCluster })) {
      const own = await passed(where, call());
      assert.deepEqual([own.passed, own.last.refusedBy], [5, 'api-user'], name);
      const address = await passed(where, call({ addressPerMinute: 3 }));
      assert.deepEqual([address.passed, address.last.refusedBy], [3, 'address'], name);
      const failing = call({ apiUser: null, failuresPerMinute: 2 });
      const failures = await passed(where, failing);
      assert.deepEqual([failures.passed, failures.last.refusedBy], [2, 'failures'], name);
      const apiUser = { id: `api_right_${name}`, perMinute: 5, aheadMs: 0, organisation: null };
      const right = { ...failing, failuresChange: 0, apiUser } as const;
      assert.equal((await where.count(right)).refusedBy, 'failures', name);
      await where.count({ ...failing, failuresChange: -1 });
      assert.equal((await where.count(right)).refusedBy, null, `${name} gives back`);
      assert.equal((await where.count(failing)).refusedBy, null, name);
      assert.equal((await where.count(failing)).refusedBy, 'failures', `${name} gives back one`);
      const told = await where.count(
        call({ apiUser: { id: `api_told_${name}`, perMinute: 5, aheadMs: 50_000, organisation: null } }),
      );
      assert.equal(told.refusedBy, 'api-user', `${name} believes what the caller knows`);
    }
  });

  test('an organisation’s limit is charged with the API user’s, or neither', async () => {
    const counts = memoryLimits(1000);
    const memory = { count: (asked: SharedCall) => Promise.resolve(counts(asked, Date.now())) };
    for (const [name, where] of Object.entries({ memory, limits, inCluster })) {
      const organisation = { id: `org_${name}`, perMinute: 7, aheadMs: 0 };
      const user = (id: string, perMinute: number) => ({
        ...call({ apiUser: { id: `api_${id}_${name}`, perMinute, aheadMs: 0, organisation } }),
        addressPerMinute: 1e6,
      });
      const [few, many] = [user('few', 3), user('many', 1000)];
      const first = await passed(where, few);
      assert.deepEqual([first.passed, first.last.refusedBy], [3, 'api-user'], name);
      const second = await passed(where, many);
      assert.deepEqual(
        [second.passed, second.last.refusedBy],
        [4, 'organisation'],
        `${name}: 3 of 7 are gone`,
      );
      const aheadMs = second.last.apiUserAheadMs ?? Number.NaN;
      assert.ok(
        aheadMs <= 4 * 60 + 1,
        `${name}: ${aheadMs} ms: refused calls are not charged to the API user`,
      );
      assert.equal(
        (await where.count(user('third', 1000))).refusedBy,
        'organisation',
        `${name}: nor to others`,
      );
      const told = { ...organisation, id: `org_told_${name}`, aheadMs: 59_000 };
      const apiUser = { id: `api_told_${name}`, perMinute: 1000, aheadMs: 0, organisation: told };
      assert.equal(
        (await where.count(call({ apiUser }))).refusedBy,
        'organisation',
        `${name} believes the caller`,
      );
    }
  });

  test('the script counts tokens like takeTokenTogether for any input', async () => {
    const number = fc.integer({ min: 0, max: 6 });
    const quota = fc.option(number, { nil: null });
    const asked = fc.record({
      organisationId: fc.constantFrom('org_1', 'org_2'),
      tokens: fc.constantFrom(0, 1),
      enforces: fc.boolean(),
      perHour: quota,
      perDay: quota,
      hour: number,
      day: number,
      hourAlone: number,
      dayAlone: number,
      hourAt: fc.constantFrom(0, 3_600_000),
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(asked, { maxLength: 12 }), async (all) => {
        run += 1;
        const windows = new Map<string, number>();
        for (const one of all) {
          const tokens: QuotaCall = { ...one, organisationId: `${one.organisationId}_${run}`, dayAt: 0 };
          const [hourKey, dayKey] = [`${tokens.organisationId} ${tokens.hourAt}`, tokens.organisationId];
          const kept = { hour: windows.get(hourKey) ?? 0, day: windows.get(dayKey) ?? 0 };
          const expected = takeTokenTogether(tokens, kept);
          assert.deepEqual(await limits.countToken(tokens), expected);
          assert.deepEqual(await inCluster.countToken(tokens), expected, 'in a cluster');
          windows.set(hourKey, expected.hour);
          windows.set(dayKey, expected.day);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('four thousand calls at once pass exactly to the limit', async () => {
    const asked = call({
      addressPerMinute: 1e6,
      apiUser: { id: 'api_burst', perMinute: 100, aheadMs: 0, organisation: null },
    });
    const startedAt = Date.now();
    const all = await Promise.all(Array.from({ length: 4000 }, () => limits.count(asked)));
    const through = all.filter(({ refusedBy }) => refusedBy === null).length;
    const more = Math.ceil(((Date.now() - startedAt) * 100) / WINDOW_MS);
    assert.ok(through >= 100 && through <= 100 + more, `${through} passed`);
  });

  test('keys hold no client id and disappear once meaningless', async () => {
    await redis.command('FLUSHALL');
    const fast = { network: '203.0.113.9', addressPerMinute: 60, failuresPerMinute: 60 };
    await limits.count(
      call({ ...fast, failuresKey: 'mms_a_secret_in_the_wrong_place 203.0.113.9', apiUser: null }),
    );
    const keys = (await redis.command('KEYS', '*')) as string[];
    assert.equal(keys.length, 2);
    assert.ok(
      keys.every((key) => key.startsWith(`${PREFIX}:`) && !key.includes('secret')),
      keys.join(' '),
    );
    await eventually(async () => assert.deepEqual(await redis.command('KEYS', '*'), []));
  });

  test('the rights that are documented are enough', async () => {
    const text = readFileSync(new URL('../../../../docs/operations.md', import.meta.url), 'utf8');
    const [, line = ''] = /`ACL SETUSER mintmark on >… ~mintmark:\* ([^`]+)`/.exec(text) ?? [];
    const rights = [`~${PREFIX}:*`, ...line.split(' ')];
    assert.ok(rights.length > 5);
    for (const server of [redis, ...cluster.nodes]) {
      await server.command('ACL', 'SETUSER', 'mintmark', 'on', '>pass word', ...rights);
    }
    for (const url of [redis.url, `${redis.url}/3`, cluster.url]) {
      const opened = openLimits(url.replace('://', '://mintmark:pass%20word@'));
      try {
        await eventually(async () => await opened.count(call()));
      } finally {
        opened.close();
      }
    }
  });

  test('a user without a password is not the default user', async () => {
    await redis.command('ACL', 'SETUSER', 'guest', 'on', 'nopass', `~${PREFIX}:*`, '+@all');
    const opened = openLimits(redis.url.replace('://', '://guest@'));
    try {
      await eventually(async () => await opened.count(call()));
      assert.match(String(await redis.command('CLIENT', 'LIST')), / user=guest /);
    } finally {
      opened.close();
    }
  });

  test('a cluster that cannot be used says why', async () => {
    const cases: [url: string, why: RegExp][] = [
      [cluster.url.replace('://', '://nobody:wrong@'), /no master for a slot: .*WRONGPASS/],
      [redis.url.replace('redis:', 'redis+cluster:'), /no master for a slot: .*cluster support disabled/],
    ];
    for (const [url, why] of cases) {
      const opened = openLimits(url);
      try {
        await eventually(async () => await assert.rejects(opened.count(call()), why));
      } finally {
        opened.close();
      }
    }
  });

  test('a replica is left again, and said to be one', async () => {
    const opened = openLimits(redis.url);
    try {
      await eventually(async () => await opened.count(call()));
      await redis.command('REPLICAOF', '127.0.0.1', '1');
      for (let i = 0; i < 2; i++) await assert.rejects(opened.count(call()), /READONLY/);
    } finally {
      opened.close();
      await redis.command('REPLICAOF', 'NO', 'ONE');
    }
  });

  test('a Redis that has lost its scripts is given them again', async () => {
    await redis.command('SCRIPT', 'FLUSH', 'SYNC');
    const all = await Promise.all(Array.from({ length: 20 }, () => limits.count(call())));
    assert.ok(all.every(({ refusedBy }) => refusedBy === null));
  });

  test('slots are those of the cluster', async () => {
    for (const tag of ['198.51.100.1', '2001:db8:0:1::/64', 'api_0123456789', 'ä']) {
      assert.equal(slotOf(tag), await cluster.nodes[0]!.command('CLUSTER', 'KEYSLOT', `x:{${tag}}:y`));
    }
  });
});
