/** What is fetched from the issuer cannot be had, and nothing that was fetched before may still be used. */
export class Unavailable extends Error {
  readonly reason: 'key_set_unavailable' | 'revocations_unavailable';
  readonly retryAfterSeconds: number;

  constructor(reason: Unavailable['reason'], message: string, backOff: BackOff, nowMs: number) {
    super(message, { cause: backOff.error() });
    this.reason = reason;
    this.retryAfterSeconds = backOff.retryAfterSeconds(nowMs);
  }
}

/** When to try again after fetches that failed. Times are milliseconds since 1970. */
export interface BackOff {
  failed(error: unknown, nowMs: number): void;
  succeeded(): void;
  /** The clock was set back: the next try need not wait for a time that is now far off. */
  retryFrom(nowMs: number): void;
  /** Whether the last fetch failed. */
  failing(): boolean;
  mayTry(nowMs: number): boolean;
  /** Whole seconds, at least 1. */
  retryAfterSeconds(nowMs: number): number;
  /** Of the last failure. */
  error(): unknown;
}

/** After a failed fetch the next one waits: 1 s, 2 s, 4 s … up to this, less up to half of it by chance. */
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
