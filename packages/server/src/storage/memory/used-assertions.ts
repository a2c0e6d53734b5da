import type { AssertionUse } from '../../domain/used-assertion.ts';

/** The used assertions in the memory of one process, each until it expires. */
export interface UsedAssertionsInMemory {
  use(key: string, untilMs: number, nowMs: number): AssertionUse;
  includes(key: string): boolean;
  size(): number;
}

const MINUTE_MS = 60_000;

/**
 * Keys are dropped by the minute in which they expire, without a sweep over all. A key is kept up to two
 * minutes longer than needed.
 */
export function usedAssertionsInMemory(max: number): UsedAssertionsInMemory {
  const used = new Set<string>();
  const byMinute = new Map<number, string[]>();
  let droppedAt = Number.NEGATIVE_INFINITY;

  /** A clock that was set back drops nothing until it is there again. */
  function dropExpired(nowMs: number): void {
    if (nowMs - droppedAt < MINUTE_MS) return;
    droppedAt = nowMs;
    for (const [minute, keys] of byMinute) {
      if ((minute + 1) * MINUTE_MS > nowMs) continue;
      for (const key of keys) used.delete(key);
      byMinute.delete(minute);
    }
  }

  return {
    use(key, untilMs, nowMs) {
      dropExpired(nowMs);
      if (used.has(key)) return 'used';
      if (used.size >= max) return 'full';
      used.add(key);
      const minute = Math.floor(untilMs / MINUTE_MS);
      const keys = byMinute.get(minute);
      if (keys === undefined) byMinute.set(minute, [key]);
      else keys.push(key);
      return 'new';
    },
    includes: (key) => used.has(key),
    size: () => used.size,
  };
}
