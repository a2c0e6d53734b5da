/** Where the client gets the time from; another one than the system's serves tests. */
export interface Clock {
  /** Milliseconds since 1970-01-01. It should never go backwards. */
  now(): number;
  /**
   * Calls `run` once, `ms` milliseconds from now, and returns a function that calls it off. When `background` is true
   * nobody waits for it, and the timer must not keep the process alive.
   */
  after(ms: number, run: () => void, background?: boolean): () => void;
}

let wallMinusMonotonic = -Infinity;

/**
 * The system's time, except that it never goes backwards: a clock that is set back by an hour would otherwise make
 * tokens live an hour too long. A step forwards (a laptop that slept) is believed.
 */
function now(): number {
  const monotonic = performance.now();
  wallMinusMonotonic = Math.max(wallMinusMonotonic, Date.now() - monotonic);
  return monotonic + wallMinusMonotonic;
}

function after(ms: number, run: () => void, background = false): () => void {
  const timer = setTimeout(run, ms);
  // In browsers it is a number, and there is no process to keep alive.
  if (background && typeof timer === 'object') timer.unref();
  return () => clearTimeout(timer);
}

export const systemClock: Clock = { now, after };
