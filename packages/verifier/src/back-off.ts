/** A fetch from the issuer failed, and no earlier result may still be used. */
export class Unavailable extends Error {
  readonly reason: 'key_set_unavailable' | 'revocations_unavailable';
  readonly retryAfterSeconds: number;

  constructor(reason: Unavailable['reason'], message: string, backOff: BackOff, nowMs: number) {
    super(message, { cause: backOff.error() });
    this.reason = reason;
    this.retryAfterSeconds = backOff.retryAfterSeconds(nowMs);
  }
}

/** Delays fetches after failures. Times are milliseconds since 1970. */
export interface BackOff {
  failed(error: unknown, nowMs: number): void;
  succeeded(): void;
  /** Allows a retry at once: the clock was set back and the planned time is far off. */
  retryFrom(nowMs: number): void;
  /** Whether the last fetch failed. */
  failing(): boolean;
  mayTry(nowMs: number): boolean;
  /** Whole seconds, at least 1. */
  retryAfterSeconds(nowMs: number): number;
  /** The error of the last failed fetch. */
  error(): unknown;
}

/** After failed fetches, wait 1 s, 2 s, 4 s, up to BACK_OFF_MS_MAX. Jitter takes off up to half. */
const BACK_OFF_MS_MIN = 1_000;
const BACK_OFF_MS_MAX = 30_000;

export function createBackOff(): BackOff {
  let failure: { count: number; retryMs: number; error: unknown } | undefined;
  return {
    failed(error, nowMs) {
      const count = (failure?.count ?? 0) + 1;
      const waitMs = Math.min(BACK_OFF_MS_MAX, BACK_OFF_MS_MIN * 2 ** (count - 1)) * (1 - Math.random() / 2);
      failure = { count, retryMs: nowMs + waitMs, error };
    },
    succeeded() {
      failure = undefined;
    },
    retryFrom(nowMs) {
      if (failure !== undefined) failure.retryMs = nowMs;
    },
    failing: () => failure !== undefined,
    mayTry: (nowMs) => failure === undefined || nowMs >= failure.retryMs,
    retryAfterSeconds: (nowMs) => Math.max(1, Math.ceil(((failure?.retryMs ?? nowMs) - nowMs) / 1000)),
    error: () => failure?.error,
  };
}
