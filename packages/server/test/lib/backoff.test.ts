import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs, spreadMs } from '../../src/lib/backoff.ts';

test('the wait doubles with each failure, up to the longest', () => {
  const waits = [1, 2, 3, 4, 5, 2000].map((failures) => backoffMs(failures, { firstMs: 50, maxMs: 300 }));
  assert.deepEqual(waits, [50, 100, 200, 300, 300, 300]);
});

test('a spread wait lies between half of it and all of it', () => {
  const waits = Array.from({ length: 1000 }, () => spreadMs(100));
  assert.ok(waits.every((wait) => wait >= 50 && wait <= 100));
  assert.ok(Math.max(...waits) - Math.min(...waits) > 40);
});
