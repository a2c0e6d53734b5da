import { property } from './redaction.ts';

/** When to retry a failed request. Every field has a default; `retry: false` means one attempt. */
export interface RetryPolicy {
  /** Maximum number of requests, including the first. Default Infinity: `deadlineMs` ends them. */
  readonly attempts: number;
  /** Upper bound of the first random wait, in milliseconds; it doubles for each further wait. Default 250. */
  readonly baseDelayMs: number;
  /** Upper bound of each random wait, in milliseconds. Default 10,000. */
  readonly maxDelayMs: number;
  /** Upper bound of `Retry-After` and `x-ratelimit-reset`, in milliseconds. Default 60,000. */
  readonly maxRetryAfterMs: number;
  /** No wait may end later than this after the first attempt, in milliseconds. Default 120,000. */
  readonly deadlineMs: number;
}

export const defaultRetry: RetryPolicy = {
  attempts: Infinity,
  baseDelayMs: 250,
  maxDelayMs: 10_000,
  maxRetryAfterMs: 60_000,
  deadlineMs: 120_000,
};

/** Applies changes to a policy. */
export function retryPolicy(base: RetryPolicy, changes?: Partial<RetryPolicy> | false): RetryPolicy {
  return changes === undefined ? base : { ...base, ...withoutUndefined(changes || { attempts: 1 }) };
}

/** The defined members, so that an undefined option keeps its default. */
export function withoutUndefined<Options extends object>(options: Options): Partial<Options> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing is added
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as Partial<Options>;
}

/** Statuses of temporary faults. 400, 401 and 403 are final answers. */
export function isTransient(status: number): boolean {
  return /^(408|429|50[0234])$/.test(`${status}`);
}

/** A call ends after this many lasting faults, unless the program sets `attempts`. */
const LASTING_FAULTS_MAX = 5;
/** Server bugs, unknown host names, rejected certificates and invalid URLs. */
const lasting = /^(500|ENOTFOUND|ERR_(TLS|INVALID)|UNABLE_TO)|CERT/;

/** Whether a failure, an HTTP status or what `fetch` threw, is likely permanent rather than transient. */
export function isLasting(status: number, thrown: unknown): boolean {
  const cause = property(thrown, 'cause');
  const code = property(cause, 'code') ?? property(thrown, 'code');
  // Without code and cause, `fetch` rejected the request itself, or a browser hides why.
  const unexplained = !cause && !code && property(thrown, 'name') === 'TypeError';
  return unexplained || lasting.test(`${status || String(code)}`);
}

/**
 * Milliseconds to wait after an attempt (1 for the first) that ended `elapsedMs` after the first began;
 * undefined to stop. Full jitter, between zero and the doubled bound, spreads clients. It is added to a wait
 * that the server asks for, so that a server that always names the next instant does not cause a tight loop.
 */
export function retryDelayMs(
  policy: RetryPolicy,
  attempt: number,
  elapsedMs: number,
  namedMs: number | undefined,
  lastingFaults = 0,
): number | undefined {
  if (attempt >= policy.attempts) return undefined;
  if (policy.attempts === Infinity && lastingFaults >= LASTING_FAULTS_MAX) return undefined;
  const backOffMs = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (attempt - 1));
  const delayMs = Math.min(namedMs ?? 0, policy.maxRetryAfterMs) + Math.random() * backOffMs;
  return elapsedMs + delayMs > policy.deadlineMs ? undefined : delayMs;
}

/**
 * The wait that the server asks for, in milliseconds: `Retry-After` (seconds or a date, RFC 9110 §10.2.3), or
 * on a 429 `x-ratelimit-reset` (epoch seconds). Dates are compared with the server's `Date`, so a wrong local
 * clock does not matter.
 */
export function retryAfterMs({ status, headers }: Response, now: number): number | undefined {
  const after = headers.get('retry-after') ?? '';
  if (/^\d+$/.test(after)) return Number(after) * 1000;
  const reset = status === 429 ? Number(headers.get('x-ratelimit-reset')) * 1000 : 0;
  const instant = Date.parse(after) || reset;
  const serverNow = Date.parse(headers.get('date') ?? '') || now;
  return instant > 0 ? Math.max(0, instant - serverNow) : undefined;
}
