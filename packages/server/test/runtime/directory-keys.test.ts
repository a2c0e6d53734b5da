// Test setup: also on PostgreSQL.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDirectory, type DirectorySettings } from '../../src/runtime/directory/directory.ts';
import type { Credential } from '../../src/domain/credential.ts';
import { isDenial } from '../../src/domain/denial.ts';
import { keysOf, trustRulesOf, type KnownApiUser } from '../../src/domain/known-api-user.ts';
import type { TrustRule } from '../../src/domain/trust-rule.ts';
import { apiUser, credential, insert } from '../storage/store-contract.ts';
import { NO_ORGANISATIONS } from '@mintmark/test-support/no-organisations';
import { temporaryStore } from '@mintmark/test-support/temporary-store';

const SETTINGS: DirectorySettings = {
  directoryMax: 1000,
  unknownMax: 10,
  unknownTtlMs: 5000,
  lookupsMax: 100,
  lookupTimeoutMs: 2000,
  staleMaxSeconds: 900,
  audience: 'https://api.example.com/',
  apiUserLimit: 250,
};
const RULE: TrustRule = {
  preset: 'github',
  issuer: 'https://issuer.example.com',
  subject: 'repo:acme/shop:*',
  audience: 'https://auth.example.com',
  otherAudiences: false,
  claims: { repository_id: '1' },
  lifeSecondsMax: 300,
  reuse: 'once',
  keys: { from: 'discovery' },
};

test('the directory holds keys and trust rules, the oldest first', async () => {
  await using opened = await temporaryStore();
  const [user, plain] = [apiUser(), apiUser()];
  await insert(opened.store, user, plain);
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: 'x'.repeat(43) } as const;
  const kept: Credential[] = [
    credential(user, { kind: 'trust', facts: RULE, expiresAt: 2 ** 41 }),
    credential(user, { kind: 'key', facts: { jwks_url: 'https://ü.example.com/' }, createdAt: 3 }),
    credential(user, { kind: 'key', facts: { jwk }, createdAt: 2, retiredAt: 4 }),
    credential(user, { createdAt: 5 }),
    credential(plain),
  ];
  await opened.store.write((transaction) => transaction.credentials.insert(...kept));
  const directory = createDirectory(opened.store.knownApiUsers, SETTINGS, () => 0, NO_ORGANISATIONS);
  await directory.load();
  const found = async (clientId: string): Promise<KnownApiUser> => {
    const known = await directory.find(clientId, 0);
    assert.ok(known !== undefined && !isDenial(known));
    return known;
  };
  const [trust, url, registered] = kept;
  assert.deepEqual(keysOf(await found(user.clientId)), [
    { credentialId: registered?.id, key: jwk, createdAt: 2, expiresAt: null, retiredAt: 4 },
    {
      credentialId: url?.id,
      key: { url: 'https://ü.example.com/' },
      createdAt: 3,
      expiresAt: null,
      retiredAt: null,
    },
  ]);
  assert.deepEqual(trustRulesOf(await found(user.clientId)), [
    { credentialId: trust?.id, rule: RULE, expiresAt: 2 ** 41, retiredAt: null },
  ]);
  assert.equal((await found(plain.clientId)).others, null);
});
