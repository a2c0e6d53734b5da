/** The timers of a sandbox's clock. */
export interface Timers {
  /** Calls `run` after `ms` milliseconds. Returns a function that cancels the call. */
  add(ms: number, run: () => void): () => void;
  /** The time of the next timer. */
  nextAt(): number | undefined;
  /** Runs the next timer. */
  fireNext(): void;
  /** Call this after the clock was moved. */
  rearm(): void;
  clear(): void;
}

interface Timer {
  at: number;
  run: () => void;
  /** Fires the timer if the clock runs. */
  real?: NodeJS.Timeout;
}

/** The longest time that setTimeout can wait. */
const REAL_MS_MAX = 2_147_483_647;

/** `runs`: the clock runs, so timers fire without an advance. */
export function createTimers(now: () => number, runs: boolean): Timers {
  const timers = new Set<Timer>();

  function earliest(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of timers) if (first === undefined || timer.at < first.at) first = timer;
    return first;
  }

  function drop(timer: Timer): void {
    clearTimeout(timer.real);
    timers.delete(timer);
  }

  function fire(timer: Timer): void {
    drop(timer);
    timer.run();
  }

  function arm(timer: Timer): void {
    if (!runs) return;
    clearTimeout(timer.real);
    const ms = Math.min(timer.at - now(), REAL_MS_MAX);
    timer.real = setTimeout(() => (timer.at <= now() ? fire(timer) : arm(timer)), ms);
  }

  return {
    add(ms, run) {
      const timer: Timer = { at: now() + ms, run };
      timers.add(timer);
      arm(timer);
      return () => drop(timer);
    },
    nextAt: () => earliest()?.at,
    fireNext() {
      const timer = earliest();
      if (timer !== undefined) fire(timer);
    },
    rearm: () => timers.forEach(arm),
    clear: () => timers.forEach(drop),
  };
}
