import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { takeCall, peekCall, WINDOW_MS } from '../../src/domain/rate-limit.ts';
import { memoryCounters } from '../../src/storage/memory/counters.ts';

const call = fc.record({
  key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  peek: fc.boolean(),
  waitMs: fc.oneof(fc.nat(50), fc.nat(2000), fc.integer({ min: 0, max: 3 * WINDOW_MS })),
});

/** One number per key, kept for ever. */
function unboundedCounters() {
  const arrivals = new Map<string, number>();
  return {
    consume(key: string, perMinute: number, nowMs: number) {
      const { state, arrivalMs } = takeCall(arrivals.get(key), perMinute, nowMs);
      arrivals.set(key, arrivalMs);
      return state;
    },
    peek: (key: string, perMinute: number, nowMs: number) => peekCall(arrivals.get(key), perMinute, nowMs),
  };
}

test('counters that forget quiet keys answer like counters that never forget', () => {
  fc.assert(
    fc.property(fc.array(call, { maxLength: 200 }), fc.integer({ min: 1, max: 8 }), (calls, perMinute) => {
      const counters = memoryCounters(1000);
      const model = unboundedCounters();
      let nowMs = 1_700_000_000_000;
      for (const { key, peek, waitMs } of calls) {
        nowMs += waitMs;
        const method = peek ? 'peek' : 'consume';
        assert.deepEqual(counters[method](key, perMinute, nowMs), model[method](key, perMinute, nowMs));
      }
    }),
    { numRuns: 500 },
  );
});

test('counters under a flood forgive calls and never refuse allowed ones', () => {
  fc.assert(
    fc.property(fc.array(call, { maxLength: 200 }), fc.integer({ min: 1, max: 3 }), (calls, keysMax) => {
      const counters = memoryCounters(keysMax);
      const perMinute = 2;
      const intervalMs = WINDOW_MS / perMinute;
      /** What was let through, by a limiter that forgets nothing. */
      const arrivals = new Map<string, number>();
      let nowMs = 1_700_000_000_000;
      for (const { key, waitMs } of calls) {
        nowMs += waitMs;
        const next = Math.max(arrivals.get(key) ?? 0, nowMs) + intervalMs;
        if (counters.consume(key, perMinute, nowMs).allowed) arrivals.set(key, next);
        else assert.ok(next - nowMs > WINDOW_MS, `${key} was refused with calls left`);
      }
    }),
    { numRuns: 500 },
  );
});

test('counters keep at most two generations of keys', () => {
  const counters = memoryCounters(1000);
  const nowMs = 1_700_000_000_000;
  counters.consume('first', 1, nowMs);
  assert.equal(counters.peek('first', 1, nowMs).allowed, false);
  for (let i = 0; i < 998; i++) counters.consume(`key ${i}`, 1, nowMs);
  assert.equal(counters.peek('first', 1, nowMs).allowed, false, 'one generation holds 1,000 keys');
  for (let i = 0; i < 2000; i++) counters.consume(`another ${i}`, 1, nowMs);
  assert.equal(counters.peek('first', 1, nowMs).allowed, true, 'and two of them are all that is kept');
});

test('a clock set back refuses nobody longer than a window', () => {
  const counters = memoryCounters(1000);
  const nowMs = 1_700_000_000_000;
  for (let i = 0; i < 10; i++) counters.consume('a', 5, nowMs);
  const hourBack = nowMs - 3_600_000;
  const { waitMs } = counters.consume('a', 5, hourBack);
  assert.ok(waitMs <= WINDOW_MS, `it would wait ${waitMs} ms`);
  assert.equal(counters.consume('a', 5, hourBack + WINDOW_MS).allowed, true);
});
