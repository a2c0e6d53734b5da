import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

const EVERY_MS = 50;

/**
 * Repeats `check` until it neither throws nor returns false, and returns its result. After `withinMs` it throws what `check`
 * threw last, or an error that says `what`.
 */
export async function eventually<T>(
  check: () => Promise<T> | T,
  withinMs = 10_000,
  what = 'the condition does not hold',
): Promise<T> {
  const endsAt = performance.now() + withinMs;
  for (;;) {
    const isLast = performance.now() >= endsAt;
    try {
      const result = await check();
      if (result !== false) return result;
      if (isLast) assert.fail(`not within ${withinMs} ms: ${what}`);
    } catch (error) {
      if (isLast) throw error;
    }
    await sleep(EVERY_MS);
  }
}
