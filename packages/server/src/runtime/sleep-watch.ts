/** Notices that the process did not run for a while (a machine that slept, a process that was stopped): docs/decisions/084. */
export interface SleepWatch {
  start(): void;
  stop(): void;
  /**
   * Undefined, but for a process that has slept: then it resolves when it has caught up, or could not in time. `nowMs`: by the
   * time of day.
   */
  catchingUp(nowMs: number): Promise<void> | undefined;
}

/** A process that did not run for so long is behind by more than is promised. */
const SLEPT_MS = 1000;
/** How often it is noted that the process runs. */
const BEAT_MS = 200;
/** Callers wait no longer for a process that catches up: then it is one whose store is out of reach. */
const CATCH_UP_MS = 1000;

/**
 * `catchUp` resolves when what happened meanwhile is known. `clock` counts milliseconds from anywhere and never jumps, but stands
 * still while the machine sleeps; the time of day does not. Where that was set forward, it is one catch-up more.
 */
export function createSleepWatch(catchUp: () => Promise<void>, clock: () => number): SleepWatch {
  let ranAt = Number.POSITIVE_INFINITY;
  let ranAtDayTime = Number.POSITIVE_INFINITY;
  let beat: NodeJS.Timeout | undefined;
  let caughtUp: Promise<void> | undefined;

  async function catchUpInTime(): Promise<void> {
    const late = Promise.withResolvers<void>();
    const deadline = setTimeout(late.resolve, CATCH_UP_MS);
    await Promise.race([catchUp(), late.promise]);
    clearTimeout(deadline);
    caughtUp = undefined;
  }

  /** Asked by requests and by the beat: after a sleep it is not known which of them is first. */
  function catchingUp(nowMs: number): Promise<void> | undefined {
    const now = clock();
    const slept = now - ranAt >= SLEPT_MS || nowMs - ranAtDayTime >= SLEPT_MS;
    ranAt = now;
    ranAtDayTime = nowMs;
    if (slept) caughtUp ??= catchUpInTime();
    return caughtUp;
  }

  return {
    start() {
      ranAt = clock();
      ranAtDayTime = Date.now();
      beat = setInterval(() => void catchingUp(Date.now()), BEAT_MS);
    },
    stop: () => clearInterval(beat),
    catchingUp,
  };
}
