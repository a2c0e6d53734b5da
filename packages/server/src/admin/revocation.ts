import { revocationOfAll, type Revocation } from '../domain/revocation.ts';
import { bothClocks } from '../storage/tables/clock.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';

/**
 * Revokes every token of an API user, within a transaction. The revocation counts from now, not from the time
 * of the request: the process may have waited for the lock of the store while tokens were issued. It uses the
 * later of the clocks of this process and of the store: a command on a machine whose clock is behind must
 * revoke these tokens, too.
 */
export async function revokeTokens(transaction: StoreTransaction, clientId: string): Promise<Revocation> {
  const { later } = await bothClocks(transaction);
  const revocation = revocationOfAll(clientId, await longestLifeSeconds(transaction), later);
  await transaction.revocations.put(revocation);
  await transaction.changed('revocation', revocation.digest);
  return revocation;
}

/**
 * Revokes every token of an organisation, within a transaction: by one entry that counts for tokens with its
 * `org_id`, and by one for each of its API users, for verifiers that do not know organisations yet.
 */
export async function revokeOrganisation(
  transaction: StoreTransaction,
  organisationId: string,
): Promise<void> {
  const { later } = await bothClocks(transaction);
  const lifeSeconds = await longestLifeSeconds(transaction);
  const revoke = async (ids: readonly string[]) => {
    const revocations = ids.map((id) => revocationOfAll(id, lifeSeconds, later));
    await transaction.revocations.putAll(revocations);
    await transaction.changed('revocation', ...revocations.map(({ digest }) => digest));
  };
  await revoke([organisationId]);
  for (let after = ''; ;) {
    const clientIds = await transaction.apiUsers.clientIdsOf(organisationId, after, REVOKED_AT_A_TIME);
    if (clientIds.length > 0) await revoke(clientIds);
    if (clientIds.length < REVOKED_AT_A_TIME) return;
    after = clientIds.at(-1) ?? '';
  }
}

/** API users of an organisation whose tokens are revoked in one statement. */
const REVOKED_AT_A_TIME = 500;

/** If no server has stored its token life yet, revocations are kept for the longest life allowed. */
const LONGEST_LIFE_SECONDS = 86_400;

async function longestLifeSeconds({ meta }: Pick<Store, 'meta'>): Promise<number> {
  return Number((await meta.get('longest_token_life')) ?? LONGEST_LIFE_SECONDS);
}

/**
 * Stores the token life of this server for any process that revokes tokens: a command, or a server with other
 * settings. The value only increases, because older tokens may still be valid.
 */
export async function recordTokenLife(store: Store, tokenLifeSeconds: number): Promise<void> {
  await store.write(async ({ meta }) => {
    const longest = Number((await meta.get('longest_token_life')) ?? 0);
    if (tokenLifeSeconds > longest) await meta.set('longest_token_life', String(tokenLifeSeconds));
  });
}
