import { hash } from 'node:crypto';
import type { NamedKeySource } from './key-source.ts';
import type { PublicJwk, TrustRule } from './trust-rule.ts';

// Keys and trust rules, which prove by an assertion (RFC 7523), as the store holds them.

/** The own key of an API user: registered, or behind the URL of its key set. */
export type KeyFacts = { jwk: PublicJwk } | { jwks_url: string };

/** What a key or a trust rule says, in the JSON of the store. */
export type CredentialFacts = KeyFacts | TrustRule;

interface HasFacts {
  kind: string;
  facts: CredentialFacts | null;
}

/** Null if the credential is not a key. */
export function keyFactsOf({ kind, facts }: HasFacts): KeyFacts | null {
  return kind === 'key' ? (facts as KeyFacts) : null;
}

/** Null if the credential is not a trust rule. */
export function trustRuleOf({ kind, facts }: HasFacts): TrustRule | null {
  return kind === 'trust' ? (facts as TrustRule) : null;
}

/**
 * The digest of a trust rule or of the URL of a key set. The digest of a registered key is its thumbprint
 * (RFC 7638).
 */
export function factsDigest(facts: { jwks_url: string } | TrustRule): string {
  const text = 'jwks_url' in facts ? facts.jwks_url : canonicalJson(facts);
  return hash('sha256', text, 'base64url');
}

/** Where the keys of this credential are fetched, and for which issuer; null if it holds its keys. */
export function namedKeySourceOf(facts: CredentialFacts): NamedKeySource | null {
  if ('jwk' in facts) return null;
  if ('jwks_url' in facts) return { source: { url: facts.jwks_url }, issuer: null };
  const { keys, issuer } = facts;
  if (keys.from === 'inline') return null;
  return { source: keys.from === 'url' ? { url: keys.url } : { issuer }, issuer };
}

/** JSON with the members of every object in the order of their names. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}
