import { ASSERTION_CLOCK_SKEW_SECONDS, type AssertionClaims } from './assertion.ts';
import type { AssertionFailure } from './denial.ts';

/** The values that an assertion signed with an own key must have. */
export interface ExpectedAssertion {
  clientId: string;
  /** Each of them may be `aud`. */
  audiences: readonly string[];
}

/** An assertion is valid for at most this long: its signer makes one for each request. */
const LIFE_SECONDS_MAX = 300;

/**
 * Why the claims of an assertion that an API user signed do not prove who it is (RFC 7523 §3); null if they
 * do. Every check runs, and the first that failed is reported.
 */
export function ownAssertionFailure(
  claims: AssertionClaims,
  { clientId, audiences }: ExpectedAssertion,
  nowMs: number,
): AssertionFailure | null {
  const { iss, sub, aud, exp, nbf, iat, jti } = claims;
  const nowSeconds = nowMs / 1000;
  const latest = nowSeconds + ASSERTION_CLOCK_SKEW_SECONDS;
  const failures = [
    iss === clientId && sub === clientId ? null : 'assertion_subject',
    audiences.includes(onlyOne(aud)) ? null : 'assertion_audience',
    isTime(exp) && exp <= latest + LIFE_SECONDS_MAX ? null : 'assertion_life',
    isTime(exp) && exp > nowSeconds - ASSERTION_CLOCK_SKEW_SECONDS ? null : 'expired_assertion',
    isBefore(nbf, latest) && isBefore(iat, latest) ? null : 'early_assertion',
    typeof jti === 'string' && jti !== '' ? null : 'assertion_id',
  ] as const;
  return failures.find((failure) => failure !== null) ?? null;
}

/**
 * The audience, as a text or as a list of one. A list of several could name another server, which could then
 * use the assertion here (draft-ietf-oauth-rfc7523bis §4).
 */
function onlyOne(aud: unknown): string {
  const audience: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud;
  return typeof audience === 'string' ? audience : '';
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** Whether an optional time has come. */
function isBefore(value: unknown, latestSeconds: number): boolean {
  return value === undefined || (isTime(value) && value <= latestSeconds);
}
