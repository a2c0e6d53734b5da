import { revocationOfAll, type Revocation } from '../domain/revocation.ts';
import { bothClocks } from '../storage/tables/clock.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';

/**
 * Revokes every token that an API user has: part of a transaction. As of now and not of when it was asked for: the lock of
 * the store may have been waited for, and tokens issued meanwhile. By the later of the clock of this process and the
 * store's: a command on a machine whose clock is behind must not leave tokens out.
 */
export async function revokeTokens(transaction: StoreTransaction, clientId: string): Promise<Revocation> {
  const { later } = await bothClocks(transaction);
  const revocation = revocationOfAll(clientId, await longestLifeSeconds(transaction), later);
  await transaction.revocations.put(revocation);
  await transaction.changed('revocation', revocation.digest);
  return revocation;
}

/** What is revoked before any server has said how long its tokens live is kept for the longest life there may be. */
const LONGEST_LIFE_SECONDS = 86_400;

async function longestLifeSeconds({ meta }: Pick<Store, 'meta'>): Promise<number> {
  return Number((await meta.get('longest_token_life')) ?? LONGEST_LIFE_SECONDS);
}

/**
 * Notes how long this server's tokens live, for whoever revokes some: a command, or a server with other settings. Only
 * ever raised, because tokens of before are still about.
 */
export async function recordTokenLife(store: Store, tokenLifeSeconds: number): Promise<void> {
  await store.write(async ({ meta }) => {
    const known = Number((await meta.get('longest_token_life')) ?? 0);
    if (tokenLifeSeconds > known) await meta.set('longest_token_life', String(tokenLifeSeconds));
  });
}
