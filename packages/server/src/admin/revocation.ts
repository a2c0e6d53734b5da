import type { ApiUser } from '../domain/api-user.ts';
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

/** API users read at a time. */
const PAGE = 200;

/**
 * Revokes every token of the API users of an organisation: one entry for the organisation, and one for each
 * API user, for verifiers that do not know organisations.
 */
export async function revokeOrganisation(
  transaction: StoreTransaction,
  organisationId: string,
): Promise<void> {
  await revokeTokens(transaction, organisationId);
  for (let after: string | null = null; ;) {
    const page = { after, limit: PAGE };
    const users: ApiUser[] = await transaction.apiUsers.listOfOrganisation(organisationId, page);
    for (const { clientId } of users) await revokeTokens(transaction, clientId);
    after = users.at(-1)?.clientId ?? null;
    if (users.length < PAGE) return;
  }
}

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
