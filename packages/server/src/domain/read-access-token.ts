import type { KeyObject } from 'node:crypto';
import { ACCESS_TOKEN_TYPE, type AccessTokenClaims } from './access-token.ts';
import { ALGORITHM_FACTS, type SigningAlgorithm } from './signing-algorithm.ts';

/** A key of this issuer, as it verifies. */
export interface VerifyingKey {
  algorithm: SigningAlgorithm;
  publicKey: KeyObject;
}

/** `readAccessToken` with what this process expects. `expiredSeconds`: 0 by default. */
export type AccessTokenReader = (
  token: string,
  nowMs: number,
  expiredSeconds?: number,
) => AccessTokenClaims | null;

/** What a token is held against. */
export interface ExpectedToken {
  issuer: string;
  /** Undefined where the issuer publishes no such key at this time. */
  verifyingKey(kid: string, nowMs: number): VerifyingKey | undefined;
  /** By how many seconds the clock of the process that issued it may be ahead of this one's. */
  clockSkewSeconds: number;
}

/**
 * Reads an access token of this issuer; null where it is anything else, or expired for longer than `expiredSeconds`.
 * Strict (RFC 8725 §3, RFC 9068 §4): nothing of it is believed before its signature is found right by a key of ours, and
 * with the algorithm of that key, whatever its header says. It is ours to the letter: a header that holds anything more than
 * we write into ours is refused, and with it `crit`, `jwk`, `jku` and their like.
 */
export function readAccessToken(
  token: string,
  expected: ExpectedToken,
  nowMs: number,
  expiredSeconds = 0,
): AccessTokenClaims | null {
  const [header64 = '', payload64 = '', signature64 = '', ...more] = token.split('.');
  if (more.length > 0) return null;
  const key = keyOf(jsonOf(header64), expected, nowMs);
  const signature = decode(signature64);
  if (key === undefined || signature === null) return null;
  const signed = Buffer.from(`${header64}.${payload64}`, 'latin1');
  if (!ALGORITHM_FACTS[key.algorithm].verify(signed, key.publicKey, signature)) return null;
  const claims = claimsOf(jsonOf(payload64));
  if (claims === null || claims.issuer !== expected.issuer) return null;
  const nowSeconds = nowMs / 1000;
  if (claims.issuedAt > nowSeconds + expected.clockSkewSeconds) return null;
  return claims.expiresAt > nowSeconds - expiredSeconds ? claims : null;
}

type Json = Record<string, unknown>;

/** The key that a header names, where the header is one of ours. */
function keyOf(header: Json | null, expected: ExpectedToken, nowMs: number): VerifyingKey | undefined {
  if (header === null || Object.keys(header).toSorted().join(' ') !== 'alg kid typ') return undefined;
  const { alg, kid, typ } = header;
  if (typ !== ACCESS_TOKEN_TYPE || typeof kid !== 'string') return undefined;
  const key = expected.verifyingKey(kid, nowMs);
  return key?.algorithm === alg ? key : undefined;
}

function claimsOf(claims: Json | null): AccessTokenClaims | null {
  if (claims === null) return null;
  const { iss, sub, client_id: clientId, aud, iat, exp, jti, scope = '' } = claims;
  if (typeof iss !== 'string' || typeof clientId !== 'string' || sub !== clientId) return null;
  if (typeof aud !== 'string' || typeof jti !== 'string' || typeof scope !== 'string') return null;
  if (!Number.isSafeInteger(iat) || !Number.isSafeInteger(exp)) return null;
  return {
    issuer: iss,
    clientId,
    audience: aud,
    scope,
    issuedAt: iat as number,
    expiresAt: exp as number,
    tokenId: jti,
  };
}

function jsonOf(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(decode(text)?.toString('utf8') ?? '');
    return typeof value === 'object' && value !== null ? (value as Json) : null;
  } catch {
    return null;
  }
}

/** base64url as RFC 7515 §2 has it, one text for each value: without padding, other characters or stray bits. */
function decode(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : null;
}
