import { hash } from 'node:crypto';

/** What makes tokens useless before they expire: one token, or all of an API user that were issued before a time. */
export interface Revocation {
  /** The first 16 bytes of the SHA-256 of the token's `jti`, or of the client id: 32 hexadecimal digits. */
  digest: string;
  /** Tokens with an earlier `iat` are revoked, in seconds since 1970; null: the digest is that of one token. */
  issuedBefore: number | null;
  /** Milliseconds since 1970, from which on no token that it concerns can live. */
  removesAt: number;
}

/** Bytes of a SHA-256 that stand for an id in the list: enough where only the issuer makes entries. */
export const REVOCATION_DIGEST_BYTES = 16;
/** The largest clock skew that a verifier may allow, in seconds (packages/verifier, `clockSkewSeconds`). */
export const VERIFIER_SKEW_MAX_SECONDS = 600;
/** By then a change is known to every process that can reach the store: until then one may still issue a token. */
const CHANGE_HOLDS_SECONDS = 1;

export function revocationDigest(id: string): string {
  return hash('sha256', id, 'hex').slice(0, 2 * REVOCATION_DIGEST_BYTES);
}

/**
 * Revokes all that was issued to an API user up to now, and up to one second more. `longestLifeSeconds` is how long the
 * longest-lived of its tokens may be good for.
 */
export function revocationOfAll(clientId: string, longestLifeSeconds: number, nowMs: number): Revocation {
  const issuedBefore = Math.ceil(nowMs / 1000) + CHANGE_HOLDS_SECONDS;
  return {
    digest: revocationDigest(clientId),
    issuedBefore,
    removesAt: (issuedBefore + longestLifeSeconds + VERIFIER_SKEW_MAX_SECONDS) * 1000,
  };
}

/** Revokes one token. */
export function revocationOfToken({
  tokenId,
  expiresAt,
}: {
  tokenId: string;
  expiresAt: number;
}): Revocation {
  return {
    digest: revocationDigest(tokenId),
    issuedBefore: null,
    removesAt: (expiresAt + VERIFIER_SKEW_MAX_SECONDS) * 1000,
  };
}
