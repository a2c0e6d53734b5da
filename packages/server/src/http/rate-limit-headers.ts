import type { LimitPolicy } from '../domain/denial.ts';
import { WINDOW_MS, type LimitState } from '../domain/rate-limit.ts';
import type { QuotaUnit } from '../domain/quota.ts';
import { UNIT_MS } from '../domain/usage.ts';
import { header, whole, type Description } from './operation.ts';

/**
 * The platform's own `x-ratelimit-*` headers and the fields of draft-ietf-httpapi-ratelimit-headers-10: names
 * and values, alternating.
 */
export function rateLimitHeaders(policy: LimitPolicy, limit: LimitState, nowMs: number): string[] {
  const { perMinute, remaining, waitMs } = limit;
  const freeMs = remaining > 0 ? WINDOW_MS - (remaining * WINDOW_MS) / perMinute : waitMs;
  return [
    'X-RateLimit-Limit',
    String(perMinute),
    'X-RateLimit-Remaining',
    String(remaining),
    'X-RateLimit-Reset',
    String(resetSeconds(waitMs, nowMs)),
    'RateLimit-Policy',
    policyField(policy, perMinute),
    'RateLimit',
    `"${policy}";r=${remaining};t=${Math.max(0, Math.ceil(freeMs / 1000))}`,
  ];
}

/** Keeps the last text: most calls have the limit of the one before. */
function policyField(policy: LimitPolicy, perMinute: number): string {
  if (lastField.policy !== policy || lastField.perMinute !== perMinute) {
    lastField = { policy, perMinute, text: `"${policy}";q=${perMinute};w=${WINDOW_MS / 1000}` };
  }
  return lastField.text;
}

let lastField = { policy: '' as LimitPolicy | '', perMinute: 0, text: '' };

/** The same headers for a quota of tokens that is used up. */
export function quotaHeaders(
  { unit, tokens, waitMs }: { unit: QuotaUnit; tokens: number; waitMs: number },
  nowMs: number,
): string[] {
  return [
    'X-RateLimit-Limit',
    String(tokens),
    'X-RateLimit-Remaining',
    '0',
    'X-RateLimit-Reset',
    String(resetSeconds(waitMs, nowMs)),
    'RateLimit-Policy',
    `"quota-${unit}";q=${tokens};w=${UNIT_MS[unit] / 1000}`,
    'RateLimit',
    `"quota-${unit}";r=0;t=${Math.max(0, Math.ceil(waitMs / 1000))}`,
  ];
}

/** When the next call is possible, in seconds since 1970: now while calls remain, else rounded up. */
function resetSeconds(waitMs: number, nowMs: number): number {
  return waitMs === 0 ? Math.floor(nowMs / 1000) : Math.ceil((nowMs + waitMs) / 1000);
}

/** Whole seconds, rounded up, at least 1 (RFC 9110 §10.2.3). */
export function retryAfter(waitMs: number): string[] {
  return ['Retry-After', String(Math.max(1, Math.ceil(waitMs / 1000)))];
}

/** The headers of `rateLimitHeaders` in the OpenAPI document. */
export const RATE_LIMIT_HEADERS: Description = {
  'X-RateLimit-Limit': header('Calls a minute.', whole),
  'X-RateLimit-Remaining': header('Calls that can be made at once.', whole),
  'X-RateLimit-Reset': header('Seconds since 1970 at which a new call can be made.', whole),
  'RateLimit-Policy': header('draft-ietf-httpapi-ratelimit-headers'),
  RateLimit: header('draft-ietf-httpapi-ratelimit-headers'),
};

export const RETRY_HEADERS: Description = {
  'Retry-After': header('Whole seconds.', { type: 'integer', minimum: 1 }),
};
