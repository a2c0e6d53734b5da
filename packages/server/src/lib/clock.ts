/** The clocks of a process. A test passes its own, so that hours pass without a wait. */
export interface Clock {
  /** The time of day, in milliseconds since 1970 (UTC). */
  now(): number;
  /** Milliseconds from an arbitrary start; never jumps. */
  steady(): number;
}

/** Node makes the global a getter, which costs more than the clock. So it is read once. */
const { performance } = globalThis;

/** Milliseconds from an arbitrary start; never jumps. */
export function steadyNow(): number {
  return performance.now();
}

/** `now` is Date.now itself: the path of a token request calls no wrapper. */
export const SYSTEM_CLOCK: Clock = { now: Date.now, steady: steadyNow };

/** A point in time by both clocks. */
export interface Moment {
  dayMs: number;
  steadyMs: number;
}

export const momentOf = ({ now, steady }: Clock): Moment => ({ dayMs: now(), steadyMs: steady() });
