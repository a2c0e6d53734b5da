import { sign, type KeyObject } from 'node:crypto';
import { ASSERTION_CLOCK_SKEW_SECONDS, parseAssertion, type Assertion } from '../../src/domain/assertion.ts';

interface Claims {
  clientId: string;
  audience: string;
  /** Processes with a right clock refuse it as expired from then on, in milliseconds since 1970 (UTC). */
  refusedAt: number;
  tokenId: string;
}

/** An assertion that an API user signs with its own key (RFC 7523), as a process reads it. */
export function signedAssertion(key: KeyObject, claims: Claims): Assertion {
  const exp = Math.floor(claims.refusedAt / 1000) - ASSERTION_CLOCK_SKEW_SECONDS;
  const payload = {
    iss: claims.clientId,
    sub: claims.clientId,
    aud: claims.audience,
    exp,
    jti: claims.tokenId,
  };
  const signed = [{ alg: 'EdDSA' }, payload].map((part) => encoded(JSON.stringify(part))).join('.');
  const assertion = parseAssertion(`${signed}.${encoded(sign(null, Buffer.from(signed), key))}`);
  if (assertion === null) throw new Error('the assertion cannot be parsed');
  return assertion;
}

function encoded(part: string | Buffer): string {
  return Buffer.from(part).toString('base64url');
}
