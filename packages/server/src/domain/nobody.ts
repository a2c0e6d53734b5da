import type { KnownApiUser } from './known-api-user.ts';
import type { CredentialFacts } from './assertion-credential.ts';
import { packFacts, type PackableFacts } from './packed-facts.ts';

const JWK = { crv: 'P-256', kty: 'EC', x: '-'.repeat(43), y: '-'.repeat(43) } as const;

/**
 * Stands for an API user that has no key, no trust rule, or does not exist: the search among its credentials
 * takes the same time, and what it finds is not used.
 */
export const NOBODY: Pick<KnownApiUser, 'others'> = {
  others: {
    passwords: [],
    keys: packFacts([packable({ jwk: JWK })]),
    trustRules: packFacts([
      packable({
        preset: null,
        issuer: 'https://nobody.example.com',
        subject: 'repo:nobody/nothing:ref:refs/heads/main',
        audience: 'https://nobody.example.com',
        otherAudiences: false,
        claims: { repository_id: '1' },
        lifeSecondsMax: 600,
        reuse: 'once',
        keys: { from: 'inline', jwks: { keys: [JWK] } },
      }),
    ]),
  },
};

function packable(facts: CredentialFacts): PackableFacts {
  return { id: '0000000000', createdAt: 0, expiresAt: null, retiredAt: null, facts: JSON.stringify(facts) };
}
