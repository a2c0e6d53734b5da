import { ASSERTION_CLOCK_SKEW_SECONDS, type AssertionClaims } from './assertion.ts';
import { claimAt } from './claim-name.ts';
import { matchText, valueText } from './trust-rule-text.ts';
import type { ClaimMatch, TrustRule } from './trust-rule.ts';

/** The check of a trust rule that a token failed, for operators: `expected` and `actual` are texts. */
export interface TrustMismatch {
  check:
    | 'issuer'
    | 'subject'
    | 'audience'
    | 'claim'
    | 'no_expiry'
    | 'no_issue_time'
    | 'life'
    | 'not_yet'
    | 'expired';
  /** The claim, if `check` does not say it. */
  name?: string;
  expected: string;
  actual: string;
}

/** One check of a trust rule. Its texts are made when an operator needs them. */
export interface TrustCheck extends Pick<TrustMismatch, 'check' | 'name'> {
  passed: boolean;
  expected(): string;
  actual(): string;
}

/**
 * The first check, in a fixed order, that the claims of a token fail; null if they pass all. Every check
 * runs, so the time of an answer says nothing about a rule. `exp` comes last: only a token that passed the
 * other checks is reported as expired.
 */
export function failedTrustCheck(rule: TrustRule, claims: AssertionClaims, nowMs: number): TrustCheck | null {
  const checks = [...identityChecks(rule, claims), ...timeChecks(rule, claims, nowMs / 1000)];
  return checks.find(({ passed }) => !passed) ?? null;
}

/** Like `failedTrustCheck`, with the texts. */
export function trustMismatch(rule: TrustRule, claims: AssertionClaims, nowMs: number): TrustMismatch | null {
  const failed = failedTrustCheck(rule, claims, nowMs);
  if (failed === null) return null;
  const { check, name, expected, actual } = failed;
  return { check, ...(name === undefined ? {} : { name }), expected: expected(), actual: actual() };
}

function identityChecks(rule: TrustRule, claims: AssertionClaims): TrustCheck[] {
  const { iss, sub, aud } = claims;
  const { issuer, subject, audience, otherAudiences } = rule;
  return [
    {
      check: 'issuer',
      passed: iss === issuer,
      expected: () => valueText(issuer),
      actual: () => valueText(iss),
    },
    {
      check: 'subject',
      passed: typeof sub === 'string' && matchesSubject(subject, sub),
      expected: () => valueText(subject),
      actual: () => valueText(sub),
    },
    {
      check: 'audience',
      passed: matchesAudience(audience, aud, otherAudiences),
      expected: () => `${valueText(audience)}${otherAudiences ? '' : ' alone'}`,
      actual: () => valueText(aud),
    },
    ...Object.entries(rule.claims).map(([name, match]): TrustCheck => {
      const value = claimAt(claims, name);
      const passed = matchesClaim(match, value);
      return {
        check: 'claim',
        name,
        passed,
        expected: () => matchText(match),
        actual: () => valueText(value),
      };
    }),
  ];
}

function timeChecks(rule: TrustRule, claims: AssertionClaims, nowSeconds: number): TrustCheck[] {
  const { exp, iat, nbf } = claims;
  const latest = nowSeconds + ASSERTION_CLOCK_SKEW_SECONDS;
  const earliest = nowSeconds - ASSERTION_CLOCK_SKEW_SECONDS;
  const life = isTime(exp) && isTime(iat) ? exp - iat : 0;
  const isEarly = nbf !== undefined && !(isTime(nbf) && nbf <= latest);
  const from = isEarly ? nbf : iat;
  return [
    {
      check: 'no_expiry',
      passed: isTime(exp),
      expected: () => 'a number of seconds',
      actual: () => valueText(exp),
    },
    {
      check: 'no_issue_time',
      passed: isTime(iat),
      expected: () => 'a number of seconds',
      actual: () => valueText(iat),
    },
    {
      check: 'life',
      passed: life <= rule.lifeSecondsMax,
      expected: () => `at most ${rule.lifeSecondsMax} seconds from iat to exp`,
      actual: () => String(life),
    },
    {
      check: 'not_yet',
      name: isEarly ? 'nbf' : 'iat',
      passed: !isEarly && !(isTime(iat) && iat > latest),
      expected: () => `at most ${timeText(latest)}`,
      actual: () => (isTime(from) ? timeText(from) : valueText(from)),
    },
    {
      check: 'expired',
      passed: !isTime(exp) || exp > earliest,
      expected: () => `later than ${timeText(earliest)}`,
      actual: () => (isTime(exp) ? timeText(exp) : valueText(exp)),
    },
  ];
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** `subject` is a text, a prefix that ends in `*`, or `*` alone. */
function matchesSubject(subject: string, actual: string): boolean {
  return subject.endsWith('*') ? beginsWith(actual, subject.slice(0, -1)) : actual === subject;
}

/** Something must follow the prefix. */
function beginsWith(text: string, prefix: string): boolean {
  return text.length > prefix.length && text.startsWith(prefix);
}

function matchesAudience(audience: string, actual: unknown, otherAudiences: boolean): boolean {
  if (!Array.isArray(actual)) return actual === audience;
  return (otherAudiences || actual.length === 1) && actual.includes(audience);
}

function matchesClaim(match: ClaimMatch, actual: unknown): boolean {
  if (typeof match !== 'object') return actual === match;
  if ('prefix' in match) return typeof actual === 'string' && beginsWith(actual, match.prefix);
  return match.some((value) => value === actual);
}

/** Seconds since 1970 as ISO 8601. */
function timeText(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.valueOf()) ? String(seconds) : date.toISOString();
}
