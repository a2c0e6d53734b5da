import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shareRun } from '../../src/lib/single-flight.ts';

test('callers during a run share it, and the next caller starts another', async () => {
  let runs = 0;
  let work = Promise.withResolvers<number>();
  const shared = shareRun(() => {
    runs += 1;
    return work.promise;
  });
  const first = shared();
  const second = shared();
  work.resolve(7);
  assert.deepEqual([await first, await second, runs], [7, 7, 1]);
  work = Promise.withResolvers<number>();
  const failing = [shared(), shared()];
  work.reject(new Error('it failed'));
  for (const run of failing) await assert.rejects(run, /it failed/);
  work = Promise.withResolvers<number>();
  const last = shared();
  work.resolve(8);
  assert.deepEqual([await last, runs], [8, 3]);
});
