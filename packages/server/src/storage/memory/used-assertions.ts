import type { AssertionUse } from '../../domain/used-assertion.ts';

/** The used assertions in the memory of one process, each until it expires. */
export interface UsedAssertionsInMemory {
  use(key: string, untilMs: number, nowMs: number): AssertionUse;
  includes(key: string): boolean;
  size(): number;
}

const MINUTE_MS = 60_000;

/** The assertions that expire in one minute. */
interface Minute {
  keys: string[];
  /** When the last of them expires, by the steady clock. */
  steadyUntilMs: number;
}

/**
 * Keys are dropped by the minute in which they expire, without a sweep over all. A key is kept up to two
 * minutes longer than needed. `steadyMs`: a clock that never jumps. An assertion is dropped when it has
 * expired by both clocks: a clock that jumps ahead and is set right again would otherwise let it pass twice.
 */
export function usedAssertionsInMemory(
  max: number,
  steadyMs: () => number = () => performance.now(),
): UsedAssertionsInMemory {
  const used = new Set<string>();
  const byMinute = new Map<number, Minute>();
  let droppedAt = Number.NEGATIVE_INFINITY;

  function dropExpired(nowMs: number, steadyNowMs: number): void {
    if (steadyNowMs - droppedAt < MINUTE_MS) return;
    droppedAt = steadyNowMs;
    for (const [minute, { keys, steadyUntilMs }] of byMinute) {
      if ((minute + 1) * MINUTE_MS > nowMs || steadyUntilMs > steadyNowMs) continue;
      for (const key of keys) used.delete(key);
      byMinute.delete(minute);
    }
  }

  return {
    use(key, untilMs, nowMs) {
      const steadyNowMs = steadyMs();
      dropExpired(nowMs, steadyNowMs);
      if (used.has(key)) return 'used';
      if (used.size >= max) return 'full';
      used.add(key);
      const minute = Math.floor(untilMs / MINUTE_MS);
      const steadyUntilMs = steadyNowMs + untilMs - nowMs;
      const kept = byMinute.get(minute);
      if (kept === undefined) byMinute.set(minute, { keys: [key], steadyUntilMs });
      else {
        kept.keys.push(key);
        kept.steadyUntilMs = Math.max(kept.steadyUntilMs, steadyUntilMs);
      }
      return 'new';
    },
    includes: (key) => used.has(key),
    size: () => used.size,
  };
}
