import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiUser } from '../../src/domain/api-user.ts';
import { UNUSED_CREDENTIAL, type Credential } from '../../src/domain/credential.ts';
import { randomBase62 } from '../../src/lib/random.ts';
import type { KnownApiUserRow, Position } from '../../src/storage/tables/known-api-user.ts';
import type { SealedSigningKey } from '../../src/storage/tables/signing-key.ts';
import { batch, use } from '@mintmark/test-support/usage';
import { StoreError, type StoreErrorCode } from '../../src/storage/store-error.ts';
import type { Store } from '../../src/storage/store.ts';

export interface OpenedStore extends AsyncDisposable {
  /** Of an empty, migrated database of its own. */
  store: Store;
  /** The same database once more, over connections of its own, as another process would open it. */
  another(): Promise<Store>;
}

type Open = () => Promise<OpenedStore>;

/** What every database under the store must do. Each driver runs it: `storeContract(() => openThatDriver())`. */
export function storeContract(open: Open): void {
  apiUsersContract(open);
  credentialsContract(open);
  signingKeysContract(open);
  keySourcesContract(open);
  knownApiUsersContract(open);
  transactionsContract(open);
}

function apiUsersContract(open: Open): void {
  test('an API user is found by client id and any-case username', async () => {
    await using opened = await open();
    const user = apiUser({ username: 'Importer@Example.com', enabled: false, audiences: ['https://a/'] });
    await insert(opened.store, user);
    const other = await opened.another();
    assert.deepEqual(await other.apiUsers.find(user.clientId), user);
    assert.deepEqual(await other.apiUsers.findByUsername('importer@EXAMPLE.com'), user);
    assert.equal(await other.apiUsers.find(user.clientId.toLowerCase()), undefined);
    assert.equal(await other.apiUsers.findByUsername(user.clientId), undefined);
  });

  test('an update changes every field of one API user only', async () => {
    await using opened = await open();
    const user = apiUser({ username: 'before' });
    const other = apiUser({ username: 'other' });
    await insert(opened.store, user, other);
    const changed: ApiUser = {
      ...user,
      name: 'ü "quoted" \' name',
      username: 'after',
      externalId: 'crm-17',
      contact: 'team@example.com',
      enabled: false,
      scopes: ['a', 'b'],
      audiences: ['https://a/', 'https://b/'],
      limitPerMinute: 7,
      allowedNetworks: ['192.0.2.0/24'],
      updatedAt: 2 ** 41,
      version: user.version + 1,
    };
    await opened.store.write((transaction) => transaction.apiUsers.update(changed));
    assert.deepEqual(await opened.store.apiUsers.find(user.clientId), changed);
    assert.deepEqual(await opened.store.apiUsers.find(other.clientId), other);
    assert.equal(await opened.store.apiUsers.findByUsername('before'), undefined);
  });

  test('a taken client id or username is a conflict and changes nothing', async () => {
    await using opened = await open();
    const user = apiUser({ username: 'taken' });
    await insert(opened.store, user);
    await refusedWith('conflict', insert(opened.store, { ...apiUser(), clientId: user.clientId }));
    await refusedWith('conflict', insert(opened.store, apiUser({ username: 'TAKEN' })));
    assert.deepEqual(await opened.store.apiUsers.list({ after: null, limit: 10 }), [user]);
  });

  test('pages of API users, put together, hold each one once', async () => {
    await using opened = await open();
    const { store } = opened;
    assert.equal(await store.apiUsers.any(), false);
    const users = Array.from({ length: 23 }, () => apiUser());
    await insert(store, ...users);
    assert.equal(await store.apiUsers.any(), true);
    const ids: string[] = [];
    for (let page: ApiUser[] | null = null; page === null || page.length === 5;) {
      page = await store.apiUsers.list({ after: ids.at(-1) ?? null, limit: 5 });
      ids.push(...page.map((user) => user.clientId));
    }
    assert.equal(ids.length, 23);
    assert.deepEqual(new Set(ids), new Set(users.map((user) => user.clientId)));
  });

  test('deleting an API user removes its credentials and reports its existence', async () => {
    await using opened = await open();
    const { store } = opened;
    const user = apiUser();
    const owned = credential(user);
    await insert(store, user);
    await store.write((transaction) => transaction.credentials.insert(owned));
    await store.recordUsage(batch(0, [use(owned, 1, 1)]));
    assert.equal(await store.write((transaction) => transaction.apiUsers.delete(user.clientId)), true);
    assert.equal(await store.write((transaction) => transaction.apiUsers.delete(user.clientId)), false);
    assert.equal(await store.credentials.find(owned.id), undefined);
  });
}

function credentialsContract(open: Open): void {
  test('an API user’s credentials are listed oldest first with their ends', async () => {
    await using opened = await open();
    const { store } = opened;
    const user = apiUser();
    const [first, second] = [credential(user, { createdAt: 1 }), credential(user, { createdAt: 2 })];
    const ended = { ...first, name: 'other', expiresAt: 2 ** 41, retiredAt: 5 };
    await insert(store, user, apiUser());
    await store.write(async (transaction) => {
      await transaction.credentials.insert(second);
      await transaction.credentials.insert(first);
      await transaction.credentials.update(ended);
    });
    assert.deepEqual(await store.credentials.listOf(user.clientId), [ended, second]);
    assert.deepEqual(await store.credentials.find(first.id), ended);
  });

  test('a credential without an API user, or repeated, is a conflict', async () => {
    await using opened = await open();
    const { store } = opened;
    const user = apiUser();
    const owned = credential(user);
    await insert(store, user);
    await store.write((transaction) => transaction.credentials.insert(owned));
    const again = store.write((transaction) => transaction.credentials.insert(owned));
    await refusedWith('conflict', again);
    const orphan = store.write((transaction) => transaction.credentials.insert(credential(apiUser())));
    await refusedWith('conflict', orphan);
  });

  test('long-ended credentials are removed in batches, all others kept', async () => {
    await using opened = await open();
    const { store } = opened;
    const user = apiUser();
    const [live, recent] = [credential(user), credential(user, { retiredAt: 100 })];
    const ended = Array.from({ length: 7 }, (_, i) =>
      credential(user, i % 2 === 0 ? { retiredAt: 99 } : { expiresAt: 99 }),
    );
    await insert(store, user);
    await store.write(async (transaction) => {
      for (const each of [live, recent, ...ended]) await transaction.credentials.insert(each);
    });
    const step = () => store.write((transaction) => transaction.credentials.deleteEnded(100, 3));
    const removed: number[] = [];
    while (removed.at(-1) !== 0) removed.push(await step());
    assert.ok(
      removed.length > 2 && Math.max(...removed) <= 6,
      'a batch has three of either kind of end at most',
    );
    const left = await store.credentials.listOf(user.clientId);
    assert.deepEqual(new Set(left.map(({ id }) => id)), new Set([live.id, recent.id]));
  });
}

function signingKeysContract(open: Open): void {
  test('signing keys are listed oldest first; removed ones lose their private part', async () => {
    await using opened = await open();
    const { store } = opened;
    const [older, newer] = [signingKey(1), signingKey(2 ** 41)];
    const removed = await store.write(async (transaction) => {
      await transaction.signingKeys.insert(newer);
      await transaction.signingKeys.insert(older);
      await transaction.signingKeys.setEnd(older.kid, { retiresAt: 5, removesAt: 10, proof: 'after' });
      return [
        await transaction.signingKeys.forgetRemoved(9),
        await transaction.signingKeys.forgetRemoved(10),
        await transaction.signingKeys.forgetRemoved(10),
      ];
    });
    assert.deepEqual(removed, [0, 1, 0]);
    const ended = { ...older, retiresAt: 5, removesAt: 10, proof: 'after', sealedPrivateKey: null };
    assert.deepEqual(await store.signingKeys.list(), [ended, newer]);
    const again = store.write((transaction) => transaction.signingKeys.insert(newer));
    await refusedWith('conflict', again);
  });

  test('a store fact is null until set, then its last value', async () => {
    await using opened = await open();
    assert.equal(await opened.store.meta.get('master_key_check'), null);
    for (const value of ['one', 'two']) {
      await opened.store.write((transaction) => transaction.meta.set('master_key_check', value));
    }
    assert.equal(await (await opened.another()).meta.get('master_key_check'), 'two');
  });
}

function keySourcesContract(open: Open): void {
  test('the keys of a source that were fetched last are kept', async () => {
    await using opened = await open();
    const source = { issuer: 'https://issuer.example' };
    const fetched = (at: number, error: string | null = null) => {
      const keys = [{ kty: 'EC', kid: `key-${at}` } as const];
      return { source, keys, leftOut: 1, lifeMs: 5, fetchedAt: at, triedAt: at, error };
    };
    const other = { ...fetched(2 ** 41), source: { url: source.issuer } };
    await opened.store.write(async ({ keySources }) => {
      await keySources.putFailure(source, 'first', 1);
      await keySources.put(other);
      await keySources.put(fetched(20));
      await keySources.put(fetched(10));
      await keySources.putFailure(source, 'away', 30);
    });
    const { keySources } = await opened.another();
    assert.deepEqual(await keySources.find(source), { ...fetched(20, 'away'), triedAt: 30 });
    assert.deepEqual((await keySources.list(2)).length, 2);
    assert.deepEqual(await keySources.triedBefore(31), [source]);
    await opened.store.write((transaction) => transaction.keySources.delete(source));
    assert.deepEqual(await keySources.list(2), [other]);
  });
}

function knownApiUsersContract(open: Open): void {
  test('an API user is read by id or username with all credentials', async () => {
    await using opened = await open();
    const { store } = opened;
    const user = apiUser({ username: 'User', limitPerMinute: 5 });
    const [older, newer] = [credential(user, { createdAt: 1 }), credential(user, { createdAt: 2 })];
    const bare = apiUser({ enabled: false });
    await insert(store, user, bare);
    await store.write(async (transaction) => {
      for (const each of [older, newer]) await transaction.credentials.insert(each);
    });
    const rows = await store.knownApiUsers.byName('no such id', 'user');
    assert.deepEqual(await store.knownApiUsers.byName(user.clientId, 'no such name'), rows);
    assert.deepEqual(
      rows.map((row) => [row.client_id, row.credential_id, row.digest, row.enabled, row.limit_per_minute]),
      [newer, older].map(({ id, digest }) => [user.clientId, id, digest, 1, 5]),
    );
    const [alone, ...none] = await store.knownApiUsers.byIds([bare.clientId, 'no such id']);
    assert.deepEqual([alone?.client_id, alone?.enabled, alone?.credential_id], [bare.clientId, 0, null]);
    assert.equal(none.length, 0);
    assert.deepEqual(await store.knownApiUsers.byName('no such id', 'no such name'), []);
  });

  test('pages hold each API user once with all its credentials', async () => {
    await using opened = await open();
    const { store } = opened;
    const users = Array.from({ length: 11 }, () => apiUser());
    await insert(store, ...users);
    await store.write(async (transaction) => {
      for (const [i, user] of users.entries()) {
        for (let n = 0; n < i % 4; n++) await transaction.credentials.insert(credential(user));
      }
    });
    const seen = new Map<string, number>();
    for (let after: Position | null | undefined = null; after !== undefined;) {
      const rows: KnownApiUserRow[] = await store.knownApiUsers.page(after, 3);
      const ids = new Set(rows.map((row) => row.client_id));
      assert.ok(ids.size <= 3);
      for (const id of ids) {
        assert.ok(!seen.has(id));
        seen.set(id, rows.filter((row) => row.client_id === id && row.credential_id !== null).length);
      }
      after = rows.at(-1);
    }
    assert.deepEqual(seen, new Map(users.map((user, i) => [user.clientId, i % 4])));
  });

  test('whether any password exists is told apart from secrets', async () => {
    await using opened = await open();
    const { store } = opened;
    const user = apiUser();
    await insert(store, user);
    await store.write((transaction) => transaction.credentials.insert(credential(user)));
    assert.equal(await store.knownApiUsers.anyPassword(), false);
    const password = credential(user, { kind: 'password' });
    await store.write((transaction) => transaction.credentials.insert(password));
    assert.equal(await store.knownApiUsers.anyPassword(), true);
  });
}

function transactionsContract(open: Open): void {
  test('a transaction that throws leaves no row, change or epoch', async () => {
    await using opened = await open();
    const { store } = opened;
    const user = apiUser();
    const failed = store.write(async (transaction) => {
      await transaction.apiUsers.insert(user);
      await transaction.credentials.insert(credential(user));
      await transaction.changed('api_user', user.clientId);
      await transaction.meta.set('master_key_check', 'x');
      throw new Error('not after all');
    });
    await assert.rejects(failed, /not after all/);
    assert.equal(await store.apiUsers.any(), false);
    assert.equal(await store.meta.get('master_key_check'), null);
    assert.deepEqual([await store.changes.epoch(), await store.changes.oldest()], [0, null]);
    await insert(store, user);
    const changes = await store.changes.after(0, 10);
    assert.deepEqual(
      changes.map(({ n, noun, id }) => [n, noun, id]),
      [[1, 'api_user', user.clientId]],
    );
  });

  test('a transaction sees its writes at once, others after the commit', async () => {
    await using opened = await open();
    const other = await opened.another();
    const user = apiUser();
    await opened.store.write(async (transaction) => {
      await transaction.apiUsers.insert(user);
      assert.deepEqual(await transaction.apiUsers.find(user.clientId), user);
      assert.equal(await other.apiUsers.find(user.clientId), undefined);
    });
    assert.deepEqual(await other.apiUsers.find(user.clientId), user);
  });

  test('a closed store refuses as unavailable and may be closed again', { timeout: 10_000 }, async () => {
    await using opened = await open();
    const other = await opened.another();
    await other.close();
    await refusedWith('unavailable', other.apiUsers.any());
    await other.close();
  });
}

/** Rejects with a StoreError of this code, whose message is for people. */
export async function refusedWith(code: StoreErrorCode, work: Promise<unknown>): Promise<StoreError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof StoreError, String(error));
    assert.equal(error.code, code);
    return error;
  }
  return assert.fail(`nothing was refused where ${code} was expected`);
}

export async function insert(store: Store, ...users: ApiUser[]): Promise<void> {
  await store.write(async (transaction) => {
    for (const user of users) {
      await transaction.apiUsers.insert(user);
      await transaction.changed('api_user', user.clientId);
    }
  });
}

export function apiUser(changes: Partial<ApiUser> = {}): ApiUser {
  return {
    clientId: `api_${randomBase62(20)}`,
    name: 'Importer',
    username: null,
    externalId: null,
    contact: null,
    enabled: true,
    scopes: ['campaigns:read'],
    audiences: [],
    limitPerMinute: null,
    allowedNetworks: [],
    claims: {},
    tokenLifeSeconds: null,
    organisationId: null,
    createdAt: 1,
    updatedAt: 1,
    version: 1,
    ...changes,
  };
}

export function credential({ clientId }: ApiUser, changes: Partial<Credential> = {}): Credential {
  return {
    id: randomBase62(10),
    clientId,
    kind: 'secret',
    name: 'production',
    digest: randomBase62(43),
    createdAt: 1,
    facts: null,
    expiresAt: null,
    ...UNUSED_CREDENTIAL,
    ...changes,
  };
}

function signingKey(activatesAt: number): SealedSigningKey {
  return {
    kid: randomBase62(43),
    algorithm: 'ES256',
    publicJwk: { kty: 'EC', crv: 'P-256', x: randomBase62(43), y: randomBase62(43) },
    announcedAt: 1,
    activatesAt,
    retiresAt: null,
    removesAt: null,
    sealedPrivateKey: randomBase62(80),
    proof: randomBase62(43),
  };
}
