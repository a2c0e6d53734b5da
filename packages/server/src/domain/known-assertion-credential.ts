import type { PublicJwk, TrustRule } from './trust-rule.ts';

// Credentials that prove by an assertion (RFC 7523), in memory, for the data plane.

/** The own key of an API user. */
export interface KnownKey {
  credentialId: string;
  /** The registered key, or the URL of its key set. */
  key: PublicJwk | { url: string };
  /** Milliseconds since 1970. */
  createdAt: number;
  expiresAt: number | null;
  retiredAt: number | null;
}

/** A trust rule of an API user. */
export interface KnownTrustRule {
  credentialId: string;
  rule: TrustRule;
  expiresAt: number | null;
  retiredAt: number | null;
}
