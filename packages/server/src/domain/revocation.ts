import { hash } from 'node:crypto';

/**
 * An entry of the revocation list. It revokes one token, or all tokens that an API user or the API users of
 * an organisation got before a time.
 */
export interface Revocation {
  /**
   * The first 16 bytes of the SHA-256 of the token's `jti`, of the client id, or of the organisation's id: 32
   * hexadecimal digits.
   */
  digest: string;
  /** Tokens with an earlier `iat` are revoked, in seconds since 1970. Null: the digest is of one token. */
  issuedBefore: number | null;
  /** Milliseconds since 1970. By then, every token that the revocation concerns has expired. */
  removesAt: number;
}

/**
 * Bytes of a SHA-256 that identify a token or API user in the list: enough, since only the issuer makes
 * entries.
 */
export const REVOCATION_DIGEST_BYTES = 16;
/** The largest clock skew that a verifier may allow, in seconds (packages/verifier, `clockSkewSeconds`). */
export const VERIFIER_SKEW_MAX_SECONDS = 600;
/**
 * Within this time, a change reaches every process that can reach the store. Until then, one may still issue
 * a token.
 */
const CHANGE_HOLDS_SECONDS = 1;

export function revocationDigest(id: string): string {
  return hash('sha256', id, 'hex').slice(0, 2 * REVOCATION_DIGEST_BYTES);
}

/**
 * Revokes all tokens that are issued to an API user, or to those of an organisation, up to now and in the
 * next second. `longestLifeSeconds` is the longest life that one of the tokens may have.
 */
export function revocationOfAll(id: string, longestLifeSeconds: number, nowMs: number): Revocation {
  const issuedBefore = Math.ceil(nowMs / 1000) + CHANGE_HOLDS_SECONDS;
  return {
    digest: revocationDigest(id),
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
