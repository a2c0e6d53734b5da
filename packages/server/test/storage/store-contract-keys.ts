import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Credential } from '../../src/domain/credential.ts';
import type { TrustRule } from '../../src/domain/trust-rule.ts';
import { batch, use } from '@mintmark/test-support/usage';
import { apiUser, credential, insert, refusedWith, type OpenedStore } from './store-contract.ts';
import type { Store } from '../../src/storage/store.ts';

const JWK = { kty: 'EC', crv: 'P-256', x: 'x'.repeat(43), y: 'y'.repeat(43), kid: 'ü' } as const;
const RULE: TrustRule = {
  preset: null,
  issuer: 'https://issuer.example.com',
  subject: 'repo:acme/shop:*',
  audience: 'https://auth.example.com',
  otherAudiences: false,
  claims: { repository_id: '1', run: [1, 2], ref: { prefix: 'refs/' } },
  lifeSecondsMax: 300,
  reuse: 'once',
  keys: { from: 'discovery' },
};

/** Keys and trust rules in the store. */
export function keysContract(open: () => Promise<OpenedStore>): void {
  test('keys and trust rules are read as they were written', async () => {
    await using opened = await open();
    const { store } = opened;
    const user = apiUser();
    const all = [
      credential(user, { createdAt: 1, kind: 'key', facts: { jwk: JWK } }),
      credential(user, { createdAt: 2, kind: 'key', facts: { jwks_url: 'https://a.example.com/' } }),
      credential(user, { createdAt: 3, kind: 'trust', facts: RULE }),
      credential(user, { createdAt: 4 }),
    ];
    await insert(store, user);
    await add(store, ...all);
    assert.deepEqual(await (await opened.another()).credentials.listOf(user.clientId), all);
  });

  test('a key belongs to one API user even after it ended', async () => {
    await using opened = await open();
    const { store } = opened;
    const [user, other] = [apiUser(), apiUser()];
    await insert(store, user, other);
    const key = credential(user, { kind: 'key', facts: { jwk: JWK }, retiredAt: 1 });
    await add(store, key);
    const same = { kind: 'key', facts: key.facts, digest: key.digest } as const;
    await refusedWith('conflict', add(store, credential(other, same)));
    const [owner, ...more] = await store.credentials.keyOwners([key.digest, 'another']);
    assert.deepEqual(more, []);
    assert.deepEqual([owner?.clientId, owner?.id, owner?.retiredAt], [user.clientId, key.id, 1]);
    await add(store, credential(user, { digest: key.digest })); // of another kind
  });

  test('key sources of live credentials are listed once each', async () => {
    await using opened = await open();
    const { store } = opened;
    const user = apiUser();
    await insert(store, user);
    const trust = (rule: Partial<TrustRule>, changes: Partial<Credential> = {}) =>
      credential(user, { kind: 'trust', facts: { ...RULE, ...rule }, ...changes });
    const url = 'https://keys.example.com/';
    await add(
      store,
      trust({}),
      trust({ subject: 'another' }),
      trust({ keys: { from: 'url', url } }),
      trust({ keys: { from: 'inline', jwks: { keys: [JWK] } } }),
      trust({ issuer: 'https://retired.example.com' }, { retiredAt: 5 }),
      trust({ issuer: 'https://expired.example.com' }, { expiresAt: 5 }),
      credential(user, { kind: 'key', facts: { jwks_url: url } }),
      credential(user, { kind: 'key', facts: { jwk: JWK } }),
    );
    const { issuer } = RULE;
    const named = await store.credentials.namedKeySources(5, 10);
    assert.deepEqual(
      new Set(named.map((source) => JSON.stringify(source))),
      new Set(
        [
          { source: { issuer }, issuer },
          { source: { url }, issuer },
          { source: { url }, issuer: null },
        ].map((source) => JSON.stringify(source)),
      ),
    );
    assert.equal(named.length, 3);
    assert.equal((await store.credentials.namedKeySources(4, 10)).length, 5);
    assert.equal((await store.credentials.namedKeySources(5, 2)).length, 2);
  });

  test('the latest assertion sets the last subject and the last refusal', async () => {
    await using opened = await open();
    const { store } = opened;
    const user = apiUser();
    const [trust, secret] = [credential(user, { kind: 'trust', facts: RULE }), credential(user)];
    await insert(store, user);
    await add(store, trust, secret);
    const used = (at: number, lastSubject: string) => ({ ...use(trust, at, 1), lastSubject });
    const refused = (at: number, detail: string | null, id = trust.id) => ({
      credentialId: id,
      at,
      address: '2001:db8::1',
      reason: 'claim_mismatch',
      detail,
    });
    await store.recordUsage({
      ...batch(0, [use(secret, 5, 1), used(2000, 'repo:ü'), used(1000, 'repo:old')]),
      credentialRefusals: [refused(3, 'ref is "ü"'), refused(4, null, 'gone000000')],
    });
    await store.recordUsage({
      ...batch(0, [used(1500, 'repo:older')]),
      credentialRefusals: [refused(2, 'older')],
    });
    const read = await store.credentials.find(trust.id);
    assert.deepEqual([read?.lastSubject, read?.useCount], ['repo:ü', 3]);
    const last = { at: 3, address: '2001:db8::1', reason: 'claim_mismatch', detail: 'ref is "ü"' };
    assert.deepEqual(read?.lastRefusal, last);
    await store.recordUsage({ ...batch(0, []), credentialRefusals: [refused(3, null)] });
    assert.equal((await store.credentials.find(trust.id))?.lastRefusal?.detail, null);
    const other = await store.credentials.find(secret.id);
    assert.deepEqual([other?.lastSubject, other?.lastRefusal], [null, null]);
    await store.write((transaction) => transaction.credentials.deleteOf(user.clientId));
    assert.deepEqual(await store.credentials.listOf(user.clientId), []);
  });
}

async function add(store: Store, ...credentials: Credential[]): Promise<void> {
  await store.write((transaction) => transaction.credentials.insert(...credentials));
}
