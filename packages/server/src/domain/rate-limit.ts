/**
 * Length of the window in which a limit is stated: limits are calls per minute, with a burst of the same
 * size.
 */
export const WINDOW_MS = 60_000;

/** The state of a limit, as a limiter reports it for one call. */
export interface LimitState {
  allowed: boolean;
  /** Calls per minute. */
  perMinute: number;
  /** Calls that are possible right now. */
  remaining: number;
  /** 0 while calls remain, else the time until the next call is possible. */
  waitMs: number;
}

/**
 * A limit's state after one call, and the number to keep for it: the theoretical arrival time of the next
 * call.
 */
export interface Taken {
  state: LimitState;
  arrivalMs: number;
}

/** Limits by key. */
export interface Counters {
  /** True if nothing is counted: callers then need not build a key to ask. */
  idle(nowMs: number): boolean;
  consume(key: string, perMinute: number, nowMs: number): LimitState;
  peek(key: string, perMinute: number, nowMs: number): LimitState;
  /** Returns a call to the budget of a key. `perMinute` is the limit with which it was taken. */
  refund(key: string, perMinute: number, nowMs: number): void;
  /** Learns what other processes have counted for the key: its next arrival is at `arrivalMs` or later. */
  learn(key: string, arrivalMs: number, nowMs: number): void;
}

/**
 * The generic cell rate algorithm. It keeps one number per key. Unlike a fixed window, it has no edge across
 * which twice the limit could pass. `arrivalMs` is the number kept for the key; undefined for a key that is
 * new or unused for a minute.
 */
export function takeCall(arrivalMs: number | undefined, perMinute: number, nowMs: number): Taken {
  const intervalMs = WINDOW_MS / perMinute;
  const before = nextArrival(arrivalMs, nowMs);
  const after = before + intervalMs;
  const allowed = after - nowMs <= WINDOW_MS + intervalMs * ROUNDING;
  const kept = allowed ? after : before;
  return { state: stateAt(kept, perMinute, intervalMs, nowMs, allowed), arrivalMs: kept };
}

/** Like `takeCall`, but takes nothing: says whether a call would pass. */
export function peekCall(arrivalMs: number | undefined, perMinute: number, nowMs: number): LimitState {
  const intervalMs = WINDOW_MS / perMinute;
  const before = nextArrival(arrivalMs, nowMs);
  const allowed = before + intervalMs - nowMs <= WINDOW_MS + intervalMs * ROUNDING;
  return stateAt(before, perMinute, intervalMs, nowMs, allowed);
}

/** The number to keep after a refund: as if the call had not been made. */
export function refundCall(arrivalMs: number, perMinute: number): number {
  return arrivalMs - WINDOW_MS / perMinute; // a time in the past counts as now
}

/** The state of a limit whose next arrival is `aheadMs` away, after a call that was allowed or not. */
export function stateAhead(aheadMs: number, perMinute: number, allowed: boolean): LimitState {
  return stateAt(aheadMs, perMinute, WINDOW_MS / perMinute, 0, allowed);
}

/**
 * At most one window ahead, which is as far as a burst reaches. After a clock is set back, a caller would
 * otherwise have to wait until the clock is there again.
 */
function nextArrival(arrivalMs: number | undefined, nowMs: number): number {
  return arrivalMs === undefined || arrivalMs < nowMs ? nowMs : Math.min(arrivalMs, nowMs + WINDOW_MS);
}

/**
 * Sums of 60,000 / n are not exact: a number as large as today's time is precise to a quarter of a
 * microsecond, and a burst adds up n of these errors. This slack, as a part of a call, lets exactly n calls
 * of a burst through, up to n = 4000.
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
