import { createTokenBucket } from './token-bucket.ts';

/** A key id that was not in a key set fetched for it is asked for no more for this long. */
const UNKNOWN_KID_MS = 10_000;
const UNKNOWN_KIDS_MAX = 1_000;

/** Fetches that unknown key ids can cause: so many at once, and one more each ten seconds. */
const FETCHES = 4;
const REFILL_MS = 10_000;

/** Bounds what key ids that nobody knows can cost. Times in milliseconds. */
export interface UnknownKids {
  add(kid: string, nowMs: number): void;
  has(kid: string, nowMs: number): boolean;
  /** Takes one of the fetches that are allowed. */
  mayFetch(nowMs: number): boolean;
}

export function createUnknownKids(): UnknownKids {
  const untilMs = new Map<string, number>();
  return {
    mayFetch: createTokenBucket(FETCHES, REFILL_MS),
    add(kid, nowMs) {
      untilMs.delete(kid);
      if (untilMs.size >= UNKNOWN_KIDS_MAX) {
        const [oldest] = untilMs.keys();
        if (oldest !== undefined) untilMs.delete(oldest);
      }
      untilMs.set(kid, nowMs + UNKNOWN_KID_MS);
    },
    has(kid, nowMs) {
      const until = untilMs.get(kid) ?? 0;
      // The upper bound: a clock that was set back must not make it longer.
      return nowMs < until && until <= nowMs + UNKNOWN_KID_MS;
    },
  };
}
