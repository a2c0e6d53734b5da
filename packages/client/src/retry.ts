import { property } from './redaction.ts';

/** When a failed request is sent again. Every field has a default; `retry: false` means one attempt. */
export interface RetryPolicy {
  /** Requests in all, the first one included. Default Infinity: the deadline ends them. */
  readonly attempts: number;
  /** The first wait is a random time up to this many milliseconds, each further one up to twice the last. Default 250. */
  readonly baseDelayMs: number;
  /** No such wait is longer, in milliseconds. Default 10,000. */
  readonly maxDelayMs: number;
  /** A longer wait demanded by the server (`Retry-After`, `x-ratelimit-reset`) is cut to this. Default 60,000 ms. */
  readonly maxRetryAfterMs: number;
  /** No wait starts that would end later than this many milliseconds after the first attempt. Default 120,000. */
  readonly deadlineMs: number;
}

export const defaultRetry: RetryPolicy = {
  attempts: Infinity,
  baseDelayMs: 250,
  maxDelayMs: 10_000,
  maxRetryAfterMs: 60_000,
  deadlineMs: 120_000,
};

/** A policy with changes to it. */
export function retryPolicy(base: RetryPolicy, changes?: Partial<RetryPolicy> | false): RetryPolicy {
  return changes === undefined ? base : { ...base, ...given(changes || { attempts: 1 }) };
}

/** The members that have a value: an option that is undefined leaves its default alone. */
export function given<Options extends object>(options: Options): Partial<Options> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing is added
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as Partial<Options>;
}

/** Statuses that the same request may not meet again a little later. 400, 401 and 403 are answers, not accidents. */
export function isTransient(status: number): boolean {
  return /^(408|429|50[0234])$/.test(`${status}`);
}

/** With this many lasting faults a call ends, unless the program has set how many attempts there are. */
const LASTING_FAULTS_MAX = 5;
/** A bug of the server, a host name that does not exist, a certificate that is not accepted, a URL that is none. */
const lasting = /^(500|ENOTFOUND|ERR_(TLS|INVALID)|UNABLE_TO)|CERT/;

/** Whether what came of an attempt, a status or what `fetch` threw without one, will hardly pass. */
export function isLasting(status: number, thrown: unknown): boolean {
  const cause = property(thrown, 'cause');
  const code = property(cause, 'code') ?? property(thrown, 'code');
  // Without a code and a cause fetch refused the request itself, or a browser hides why.
  const unexplained = !status && !cause && !code && property(thrown, 'name') === 'TypeError';
  return unexplained || lasting.test(`${status || String(code)}`);
}

/**
 * Milliseconds to wait after an attempt (1 for the first) that ended `elapsedMs` after the first began; undefined when
 * there is to be no other. Full jitter (a random time between nothing and the doubled bound) keeps many clients from
 * coming back together; a time that the server named is kept, and the jitter comes on top: a server that always names the
 * next instant is not asked in a tight loop.
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
 * How long the server asks to wait, in milliseconds: from `Retry-After` (seconds or a date, RFC 9110 §10.2.3), or on a
 * 429 from `x-ratelimit-reset` (epoch seconds). Instants are compared with the server's own `Date`, so that a clock
 * that is wrong here does no harm.
 */
export function retryAfterMs({ status, headers }: Response, now: number): number | undefined {
  const after = headers.get('retry-after') ?? '';
  if (/^\d+$/.test(after)) return Number(after) * 1000;
  const reset = status === 429 ? Number(headers.get('x-ratelimit-reset')) * 1000 : 0;
  const instant = Date.parse(after) || reset;
  const serverNow = Date.parse(headers.get('date') ?? '') || now;
  return instant > 0 ? Math.max(0, instant - serverNow) : undefined;
}
