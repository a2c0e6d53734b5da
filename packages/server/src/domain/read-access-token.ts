import type { KeyObject } from 'node:crypto';
import { ACCESS_TOKEN_TYPE, type AccessTokenClaims } from './access-token.ts';
import { bytesOfPart, jsonOfPart, type JsonObject } from './compact-jws.ts';
import { ALGORITHM_FACTS, type SigningAlgorithm } from './signing-algorithm.ts';

/** A key with which this issuer's tokens are verified. */
export interface VerifyingKey {
  algorithm: SigningAlgorithm;
  publicKey: KeyObject;
}

/** `readAccessToken` with the issuer, keys and clock skew of this process. */
export type AccessTokenReader = (
  token: string,
  nowMs: number,
  options?: ReadingOptions,
) => AccessTokenClaims | null;

export interface ReadingOptions {
  /** Reads also a token that has expired, or was issued in the future. Default: false. */
  atAnyTime?: boolean;
}

/** The values that a token must match. */
export interface ExpectedToken {
  issuer: string;
  /** Undefined if the issuer publishes no such key at this time. */
  verifyingKey(kid: string, nowMs: number): VerifyingKey | undefined;
  /** How many seconds the clock of the process that issued the token may be ahead of this one's. */
  clockSkewSeconds: number;
}

/**
 * Reads an access token of this issuer. Null: the text is anything else, or the token is not valid at
 * this time. Strict (RFC 8725 §3, RFC 9068 §4): no claim counts before one of our keys has
 * verified the signature, with the algorithm of that key. A header must have exactly the members that we
 * write, so `crit`, `jwk`, `jku` and the like are refused.
 */
export function readAccessToken(
  token: string,
  expected: ExpectedToken,
  nowMs: number,
  { atAnyTime = false }: ReadingOptions = {},
): AccessTokenClaims | null {
  const [header64 = '', payload64 = '', signature64 = '', ...more] = token.split('.');
  if (more.length > 0) return null;
  const key = keyOf(jsonOfPart(header64), expected, nowMs);
  const signature = bytesOfPart(signature64);
  if (key === undefined || signature === null) return null;
  const signed = Buffer.from(`${header64}.${payload64}`, 'latin1');
  if (!ALGORITHM_FACTS[key.algorithm].verify(signed, key.publicKey, signature)) return null;
  const claims = claimsOf(jsonOfPart(payload64));
  if (claims === null || claims.issuer !== expected.issuer) return null;
  if (atAnyTime) return claims;
  const nowSeconds = nowMs / 1000;
  if (claims.issuedAt > nowSeconds + expected.clockSkewSeconds) return null;
  return claims.expiresAt > nowSeconds ? claims : null;
}

/** The key that a header names; undefined if the header is not one of ours. */
function keyOf(header: JsonObject | null, expected: ExpectedToken, nowMs: number): VerifyingKey | undefined {
  if (header === null || Object.keys(header).toSorted().join(' ') !== 'alg kid typ') return undefined;
  const { alg, kid, typ } = header;
  if (typ !== ACCESS_TOKEN_TYPE || typeof kid !== 'string') return undefined;
  const key = expected.verifyingKey(kid, nowMs);
  return key?.algorithm === alg ? key : undefined;
}

function claimsOf(claims: JsonObject | null): AccessTokenClaims | null {
  if (claims === null) return null;
  const {
    iss,
    sub,
    client_id: clientId,
    aud,
    iat,
    exp,
    jti,
    scope = '',
    org_id: organisationId,
    ...others
  } = claims;
  if (typeof iss !== 'string' || typeof clientId !== 'string' || sub !== clientId) return null;
  if (typeof aud !== 'string' || typeof jti !== 'string' || typeof scope !== 'string') return null;
  if (organisationId !== undefined && typeof organisationId !== 'string') return null;
  if (!Number.isSafeInteger(iat) || !Number.isSafeInteger(exp)) return null;
  return {
    issuer: iss,
    clientId,
    audience: aud,
    scope,
    issuedAt: iat as number,
    expiresAt: exp as number,
    tokenId: jti,
    organisationId: organisationId ?? null,
    others,
  };
}
