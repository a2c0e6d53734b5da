import { hash } from 'node:crypto';
import type { MaybePromise } from '../lib/maybe-promise.ts';
import { ASSERTION_CLOCK_SKEW_SECONDS, type Assertion } from './assertion.ts';

/** `used`: it was used before. `full`: the memory is full, so it must be refused. */
export type AssertionUse = 'new' | 'used' | 'full';

/** Records the use of an assertion in another process. Rejects if that does not answer. */
export type UseElsewhere = (key: string, untilMs: number) => Promise<AssertionUse>;

/** The assertions that may be used once, and were used. */
export interface UsedAssertions {
  /** Whether this process remembers the use. */
  includes(key: string): boolean;
  /** Records the use. `away`: the process that counts for this machine does not answer. */
  use(key: string, untilMs: number, nowMs: number): MaybePromise<AssertionUse | 'away'>;
}

/** 132 bits: an attacker cannot find two assertions with the same key. */
const KEY_CHARACTERS = 22;

/**
 * The key under which an assertion is remembered: its issuer and `jti`, or else what it signs. Never its
 * signature, which others can vary.
 */
export function usedAssertionKey({ claims, signed }: Assertion): string {
  const { iss, jti } = claims;
  const named = typeof jti === 'string' && jti !== '' ? JSON.stringify([iss, jti]) : signed;
  return hash('sha256', named, 'base64url').slice(0, KEY_CHARACTERS);
}

/** Milliseconds since 1970 (UTC) from which on the assertion is refused as expired. */
export function usedUntilMs({ claims }: Assertion): number {
  return ((claims['exp'] as number) + ASSERTION_CLOCK_SKEW_SECONDS) * 1000;
}
