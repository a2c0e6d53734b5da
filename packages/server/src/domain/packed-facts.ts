import type { KeyFacts } from './assertion-credential.ts';
import type { KnownKey, KnownTrustRule } from './known-assertion-credential.ts';
import type { TrustRule } from './trust-rule.ts';

/**
 * The keys or the trust rules of one API user as JSON, empty if it has none: a list of records, the oldest
 * first. A text is smaller than objects: an API user with one key takes 414 bytes, one with a secret 254.
 */
export type PackedFacts = string;

/** A stored key or trust rule. */
export interface PackableFacts {
  id: string;
  createdAt: number;
  expiresAt: number | null;
  retiredAt: number | null;
  /** JSON, as stored. */
  facts: string;
}

type PackedRecord<Facts> = [
  id: string,
  createdAt: number,
  expiresAt: number | null,
  retiredAt: number | null,
  facts: Facts,
];

/** Throws an error if stored facts are not JSON. */
export function packFacts(credentials: readonly PackableFacts[]): PackedFacts {
  if (credentials.length === 0) return '';
  const records = credentials
    .toSorted((a, b) => a.createdAt - b.createdAt)
    .map(({ id, createdAt, expiresAt, retiredAt, facts }) => {
      const record: PackedRecord<unknown> = [id, createdAt, expiresAt, retiredAt, JSON.parse(facts)];
      return record;
    });
  return JSON.stringify(records);
}

export function unpackKeys(packed: PackedFacts): KnownKey[] {
  return unpack<KeyFacts>(packed).map(([credentialId, createdAt, expiresAt, retiredAt, facts]) => {
    const key = 'jwk' in facts ? facts.jwk : { url: facts.jwks_url };
    return { credentialId, key, createdAt, expiresAt, retiredAt };
  });
}

export function unpackTrustRules(packed: PackedFacts): KnownTrustRule[] {
  return unpack<TrustRule>(packed).map(([credentialId, , expiresAt, retiredAt, rule]) => {
    return { credentialId, rule, expiresAt, retiredAt };
  });
}

function unpack<Facts>(packed: PackedFacts): PackedRecord<Facts>[] {
  return packed === '' ? [] : (JSON.parse(packed) as PackedRecord<Facts>[]);
}
