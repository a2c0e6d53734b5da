import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { defaultRetry, isTransient, retryAfterMs, retryDelayMs } from '../src/retry.ts';

test('only 408, 429, 500, 502, 503 and 504 are transient', () => {
  const transient = Array.from({ length: 600 }, (_, status) => status).filter(isTransient);
  assert.deepEqual(transient, [408, 429, 500, 502, 503, 504]);
});

test('a delay is random, below its bounds, and within the deadline', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 80 }), fc.nat(200_000), (attempt, elapsedMs) => {
      const policy = { ...defaultRetry, attempts: 60 };
      const delayMs = retryDelayMs(policy, attempt, elapsedMs, undefined);
      if (attempt >= 60) return assert.equal(delayMs, undefined);
      const boundMs = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (attempt - 1));
      if (delayMs === undefined) return assert.ok(elapsedMs + boundMs > policy.deadlineMs);
      assert.ok(delayMs >= 0 && delayMs <= boundMs && elapsedMs + delayMs <= policy.deadlineMs);
    }),
  );
});

test('the jitter is full: delays fill the whole range, and differ', () => {
  const delays = Array.from(
    { length: 2000 },
    () => retryDelayMs(defaultRetry, 3, 0, undefined) ?? Number.NaN,
  );
  assert.ok(
    Math.min(...delays) < 50 && Math.max(...delays) > 950,
    `${Math.min(...delays)}–${Math.max(...delays)}`,
  );
  const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length;
  assert.ok(mean > 450 && mean < 550, `${mean}`);
});

test('a delay named by the server is kept up to the cap', () => {
  fc.assert(
    fc.property(fc.nat(200_000), (namedMs) => {
      const delayMs = retryDelayMs({ ...defaultRetry, deadlineMs: 1e9 }, 1, 0, namedMs) ?? Number.NaN;
      const keptMs = Math.min(namedMs, defaultRetry.maxRetryAfterMs);
      assert.ok(delayMs >= keptMs && delayMs <= keptMs + defaultRetry.baseDelayMs);
    }),
  );
});

test('Retry-After in seconds, as a date, absent or unreadable is understood', () => {
  const now = Date.UTC(2026, 0, 1);
  const at = (seconds: number) => new Date(now + seconds * 1000).toUTCString();
  const of = (status: number, headers: Record<string, string>) =>
    retryAfterMs(new Response(null, { status, headers }), now);
  assert.equal(of(429, { 'retry-after': '7' }), 7000);
  assert.equal(of(503, { 'retry-after': '0' }), 0);
  assert.equal(of(503, { 'retry-after': at(90) }), 90_000);
  assert.equal(of(503, { 'retry-after': at(-90) }), 0);
  assert.equal(of(503, { 'retry-after': at(3600 + 5), date: at(3600) }), 5000);
  assert.equal(of(429, { 'x-ratelimit-reset': String(now / 1000 + 12) }), 12_000);
  assert.equal(of(429, { 'x-ratelimit-reset': String(now / 1000 + 12), 'retry-after': '3' }), 3000);
  assert.equal(of(429, { 'x-ratelimit-reset': String(now / 1000 + 12), date: at(10) }), 2000);
  assert.equal(of(429, { 'x-ratelimit-reset': 'soon' }), undefined);
  assert.equal(of(429, { 'retry-after': 'soon' }), undefined);
  assert.equal(of(503, { 'x-ratelimit-reset': String(now / 1000 + 12) }), undefined);
  assert.equal(of(429, {}), undefined);
});

test('no header text makes a negative, infinite or non-numeric delay', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (after, reset, date) => {
      const headers = new Headers();
      for (const [name, value] of Object.entries({
        'retry-after': after,
        'x-ratelimit-reset': reset,
        date,
      })) {
        if (/^[\x20-\x7e]*$/.test(value)) headers.set(name, value);
      }
      const ms = retryAfterMs(new Response(null, { status: 429, headers }), Date.now());
      assert.ok(ms === undefined || ms >= 0, `${ms}`);
      const delayMs = retryDelayMs(defaultRetry, 1, 0, ms);
      assert.ok(delayMs === undefined || (delayMs >= 0 && delayMs <= 61_000), `${delayMs}`);
    }),
    { numRuns: 2000 },
  );
});
