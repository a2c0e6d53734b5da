import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { peekCall, takeCall, WINDOW_MS } from '../../src/domain/rate-limit.ts';

// The limiter by itself, at times as the clock gives them: milliseconds since 1970, some with fractions.

const now = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 2_500_000_000_000 }),
  fc.double({ min: 1.7e12, max: 2.5e12, noNaN: true }),
);
const limit = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 3000 }));

/** Runs calls at the given times through a limiter; gives back the times of those that passed. */
function passed(perMinute: number, times: readonly number[]): number[] {
  let arrivalMs: number | undefined;
  return times.filter((nowMs) => {
    const peeked = peekCall(arrivalMs, perMinute, nowMs);
    const taken = takeCall(arrivalMs, perMinute, nowMs);
    arrivalMs = taken.arrivalMs;
    assert.equal(peeked.allowed, taken.state.allowed);
    assert.equal(taken.state.waitMs > 0, taken.state.remaining === 0);
    if (taken.state.allowed) assert.ok(Math.abs(peeked.remaining - 1 - taken.state.remaining) <= 1);
    return taken.state.allowed;
  });
}

test('a burst of any size passes exactly to its limit', () => {
  fc.assert(
    fc.property(limit, now, (perMinute, nowMs) => {
      const calls = Array.from({ length: perMinute + 3 }, () => nowMs);
      assert.equal(passed(perMinute, calls).length, perMinute);
    }),
    { numRuns: 300 },
  );
});

test('a burst counts to zero; after its wait exactly one call passes', () => {
  fc.assert(
    fc.property(limit, now, (perMinute, nowMs) => {
      let arrivalMs: number | undefined;
      let waitMs = 0;
      for (let i = 1; i <= perMinute; i++) {
        const { state, arrivalMs: kept } = takeCall(arrivalMs, perMinute, nowMs);
        arrivalMs = kept;
        assert.equal(state.remaining, perMinute - i);
        ({ waitMs } = state);
      }
      assert.ok(waitMs > 0 && waitMs <= WINDOW_MS / perMinute + 0.001);
      const later = Math.ceil(nowMs + waitMs);
      assert.equal(takeCall(arrivalMs, perMinute, later).state.allowed, true);
      assert.equal(peekCall(arrivalMs, perMinute, nowMs + waitMs / 2).allowed, false);
    }),
    { numRuns: 300 },
  );
});

test('no window lets more calls through than the limit allows', () => {
  const gaps = fc.array(fc.oneof(fc.constant(0), fc.nat(50), fc.nat(5000), fc.nat(90_000)), {
    maxLength: 400,
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 120 }), now, gaps, (perMinute, start, between) => {
      let at = start;
      const times = passed(
        perMinute,
        between.map((gap) => (at += gap)),
      );
      for (let from = 0; from < times.length; from++) {
        for (let to = from; to < times.length; to++) {
          const windowMs = (times[to] ?? 0) - (times[from] ?? 0);
          // A twentieth of a call: what is forgiven for the sake of rounding.
          const most = perMinute + (perMinute * windowMs) / WINDOW_MS + 0.05;
          assert.ok(
            to - from + 1 <= most,
            `${to - from + 1} calls in ${windowMs} ms at ${perMinute} a minute`,
          );
        }
      }
    }),
    { numRuns: 100 },
  );
});

test('a caller that keeps to its limit is never refused', () => {
  fc.assert(
    fc.property(limit, fc.integer({ min: 1_700_000_000_000, max: 2_500_000_000_000 }), (perMinute, start) => {
      const times = Array.from(
        { length: 3 * perMinute },
        (_, i) => start + Math.ceil((i * WINDOW_MS) / perMinute),
      );
      assert.equal(passed(perMinute, times).length, times.length);
    }),
    { numRuns: 200 },
  );
});

test('a caller quiet for a minute has its whole burst again', () => {
  fc.assert(
    fc.property(limit, now, fc.nat(2000), (perMinute, nowMs, calls) => {
      let arrivalMs: number | undefined;
      for (let i = 0; i < calls; i++) arrivalMs = takeCall(arrivalMs, perMinute, nowMs).arrivalMs;
      assert.equal(peekCall(arrivalMs, perMinute, nowMs + WINDOW_MS).remaining, perMinute);
    }),
    { numRuns: 200 },
  );
});
