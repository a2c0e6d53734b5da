import { createTokenBucket } from './token-bucket.ts';

/** A key id that a fetched key set lacked causes no other fetch for this long. */
const UNKNOWN_KID_MS = 10_000;
const UNKNOWN_KIDS_MAX = 1_000;

/** Fetches caused by unknown key ids: up to 4 at once, and one more every ten seconds. */
const FETCHES = 4;
const REFILL_MS = 10_000;

/** Bounds the fetches caused by unknown key ids. Times in milliseconds. */
export interface UnknownKids {
  add(kid: string, nowMs: number): void;
  has(kid: string, nowMs: number): boolean;
  /** Consumes one of the allowed fetches; false if none is left. */
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
      // The upper bound matters after the clock is set back.
      return nowMs < until && until <= nowMs + UNKNOWN_KID_MS;
    },
  };
}
