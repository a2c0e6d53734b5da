import type { Clock } from '../lib/clock.ts';
import { valueWithin } from '../lib/deadline.ts';

/**
 * Detects that the process did not run for a while (a sleeping machine, a stopped process):
 * docs/decisions/084.
 */
export interface SleepWatch {
  start(): void;
  stop(): void;
  /**
   * After a sleep, resolves when the process has caught up, or could not in time; otherwise undefined.
   * `nowMs` is the time of day.
   */
  catchingUp(nowMs: number): Promise<void> | undefined;
}

/** A process that did not run for this long may be further behind the store than promised. */
const SLEPT_MS = 1000;
/** How often the watch records that the process runs. */
const BEAT_MS = 200;
/** Callers wait at most this long for the catch-up. After that, the rules for a store out of reach apply. */
const CATCH_UP_MS = 1000;

/**
 * `catchUp` resolves when the process knows what happened during the sleep. The steady clock stands still
 * while the machine sleeps. The time of day does not, and can be set back before the process runs again.
 * Setting the time of day costs one needless catch-up.
 */
export function createSleepWatch(catchUp: () => Promise<void>, clock: Clock): SleepWatch {
  let ranAt = Number.POSITIVE_INFINITY;
  let ranAtDayTime = Number.NaN; // no comparison with it is true
  let beat: NodeJS.Timeout | undefined;
  let caughtUp: Promise<void> | undefined;

  async function catchUpInTime(): Promise<void> {
    await valueWithin(catchUp(), CATCH_UP_MS, undefined);
    caughtUp = undefined;
  }

  /** Requests and the beat both call this: after a sleep, either may come first. */
  function catchingUp(nowMs: number): Promise<void> | undefined {
    const now = clock.steady();
    const slept = now - ranAt >= SLEPT_MS || Math.abs(nowMs - ranAtDayTime) >= SLEPT_MS;
    ranAt = now;
    ranAtDayTime = nowMs;
    if (slept) caughtUp ??= catchUpInTime();
    return caughtUp;
  }

  return {
    start() {
      ranAt = clock.steady();
      ranAtDayTime = clock.now();
      beat = setInterval(() => void catchingUp(clock.now()), BEAT_MS);
    },
    stop: () => clearInterval(beat),
    catchingUp,
  };
}
