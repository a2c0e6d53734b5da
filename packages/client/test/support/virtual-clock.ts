import type { Clock } from '../../src/index.ts';

/** A clock that stands still until it is told to move on. */
export interface VirtualClock extends Clock {
  /** Moves on, and runs what falls due on the way. */
  advance(ms: number): Promise<void>;
  set(now: number): void;
  /** How many timers are waiting. */
  pending(): number;
}

export function virtualClock(start = 1_800_000_000_000): VirtualClock {
  let now = start;
  const timers = new Set<{ at: number; run: () => void }>();
  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    async advance(ms) {
      const end = now + ms;
      for (;;) {
        const [due] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
        if (!due) break;
        now = Math.max(now, due.at);
        timers.delete(due);
        due.run();
        await new Promise((resolve) => setImmediate(resolve));
      }
      now = end;
    },
    set: (to) => void (now = to),
    pending: () => timers.size,
  };
}
