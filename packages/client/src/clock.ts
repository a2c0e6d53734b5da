/** The source of time; tests pass their own. */
export interface Clock {
  /** Milliseconds since 1970-01-01. It should never go backwards. */
  now(): number;
  /**
   * Calls `run` once after `ms` milliseconds. Returns a function that cancels the call. A `background` timer
   * must not keep the process alive.
   */
  after(ms: number, run: () => void, background?: boolean): () => void;
}

let wallMinusMonotonic = -Infinity;

/**
 * The system's time, except that it never goes backwards: if the clock is set back by an hour, tokens must
 * not live an hour longer. A step forwards, as after a laptop's sleep, is taken over.
 */
function now(): number {
  const monotonic = performance.now();
  wallMinusMonotonic = Math.max(wallMinusMonotonic, Date.now() - monotonic);
  return monotonic + wallMinusMonotonic;
}

function after(ms: number, run: () => void, background?: boolean): () => void {
  const timer = setTimeout(run, ms);
  // Browsers have numbers as timers, and no process to keep alive.
  if (background) timer.unref?.();
  return () => clearTimeout(timer);
}

export const systemClock: Clock = { now, after };
