import { ASSERTION_FACTS, type AssertionAlgorithm } from './assertion-algorithm.ts';
import type { KnownApiUser } from './known-api-user.ts';
import type { CredentialFacts } from './assertion-credential.ts';
import { packFacts, type PackableFacts } from './packed-facts.ts';
import type { PublicJwk, TrustRule } from './trust-rule.ts';

const EC_KEY = { crv: 'P-256', kty: 'EC', x: '-'.repeat(43), y: '-'.repeat(43) } as const;
const RSA_KEY = { e: 'AQAB', kty: 'RSA', n: '-'.repeat(342) } as const;

const RULE: TrustRule = {
  preset: null,
  issuer: 'https://nobody.example.com',
  subject: 'repo:nobody/nothing:ref:refs/heads/main',
  audience: 'https://nobody.example.com',
  otherAudiences: false,
  claims: { repository_id: '1' },
  lifeSecondsMax: 600,
  reuse: 'once',
  keys: { from: 'inline', jwks: { keys: [EC_KEY] } },
};

/**
 * Stands for an API user that has no key, no trust rule, or does not exist: the search among its credentials
 * takes the same time, and its result is not used.
 */
export function nobody(algorithm: AssertionAlgorithm | null): Pick<KnownApiUser, 'others'> {
  return algorithm !== null && ASSERTION_FACTS[algorithm].keyType === 'RSA' ? WITH_RSA : WITH_EC;
}

const WITH_EC = withKey(EC_KEY);
const WITH_RSA = withKey(RSA_KEY);

function withKey(jwk: PublicJwk): Pick<KnownApiUser, 'others'> {
  const keys = packFacts([packable({ jwk })]);
  return { others: { passwords: [], keys, trustRules: packFacts([packable(RULE)]) } };
}

function packable(facts: CredentialFacts): PackableFacts {
  return { id: '0000000000', createdAt: 0, expiresAt: null, retiredAt: null, facts: JSON.stringify(facts) };
}
