/** Length of the window in which a limit is stated: limits are calls per minute, with a burst of the same size. */
export const WINDOW_MS = 60_000;

/** What a limiter says of one call. */
export interface LimitState {
  allowed: boolean;
  /** Calls per minute. */
  perMinute: number;
  /** Calls that could be made at once from now on. */
  remaining: number;
  /** 0 while calls remain; else how long until the next one can be made. */
  waitMs: number;
}

/** A limit's state after one call, and the number to keep for it: the theoretical arrival time of the next call. */
export interface Taken {
  state: LimitState;
  arrivalMs: number;
}

/** Limits by key. */
export interface Counters {
  /** True where nothing is counted: no key has to be put together to ask about it. */
  idle(nowMs: number): boolean;
  take(key: string, perMinute: number, nowMs: number): LimitState;
  peek(key: string, perMinute: number, nowMs: number): LimitState;
  /** Gives back a call that was taken with this limit. */
  refund(key: string, perMinute: number, nowMs: number): void;
  /** What others have counted for the key: its next arrival is no earlier than this. */
  learn(key: string, arrivalMs: number, nowMs: number): void;
}

/**
 * The generic cell rate algorithm: one number per key, and no edge across which twice the limit could pass, as a fixed
 * window has. `arrivalMs` is the number kept for the key, undefined for a key that is new or quiet for a minute.
 */
export function takeCall(arrivalMs: number | undefined, perMinute: number, nowMs: number): Taken {
  const intervalMs = WINDOW_MS / perMinute;
  const before = nextArrival(arrivalMs, nowMs);
  const after = before + intervalMs;
  const allowed = after - nowMs <= WINDOW_MS + intervalMs * ROUNDING;
  const kept = allowed ? after : before;
  return { state: stateAt(kept, perMinute, intervalMs, nowMs, allowed), arrivalMs: kept };
}

/** The same as `takeCall` without taking: would a call pass? */
export function peekCall(arrivalMs: number | undefined, perMinute: number, nowMs: number): LimitState {
  const intervalMs = WINDOW_MS / perMinute;
  const before = nextArrival(arrivalMs, nowMs);
  const allowed = before + intervalMs - nowMs <= WINDOW_MS + intervalMs * ROUNDING;
  return stateAt(before, perMinute, intervalMs, nowMs, allowed);
}

/** The number to keep once a call that was taken is given back: as if it had not been made. */
export function refundCall(arrivalMs: number, perMinute: number): number {
  return arrivalMs - WINDOW_MS / perMinute; // in the past it means the same as now
}

/** The state of a limit whose next arrival is `aheadMs` away, after a call that was allowed or not. */
export function stateAhead(aheadMs: number, perMinute: number, allowed: boolean): LimitState {
  return stateAt(aheadMs, perMinute, WINDOW_MS / perMinute, 0, allowed);
}

/** Not further ahead than a burst can take it: else a clock that was set back would make a caller wait for as long. */
function nextArrival(arrivalMs: number | undefined, nowMs: number): number {
  return arrivalMs === undefined || arrivalMs < nowMs ? nowMs : Math.min(arrivalMs, nowMs + WINDOW_MS);
}

/**
 * Sums of 60,000 / n are not exact: a number as large as today's time is kept to a quarter of a microsecond, and a burst
 * adds up n of these errors. This part of a call as slack lets exactly n calls of a burst through, up to n = 4000.
 */
export const ROUNDING = 0.05;

function stateAt(
  keptMs: number,
  perMinute: number,
  intervalMs: number,
  nowMs: number,
  allowed: boolean,
): LimitState {
  const free = WINDOW_MS + intervalMs * ROUNDING - (keptMs - nowMs);
  const remaining = Math.max(0, Math.floor(free / intervalMs));
  return { allowed, perMinute, remaining, waitMs: remaining > 0 ? 0 : Math.max(0, intervalMs - free) };
}
