import type { RevokingServices } from './revoke-token.ts';
import type { Revocation } from '../domain/revocation.ts';
import type { RevocationList } from '../runtime/revocations/revocation-list.ts';
import { StoreError } from '../storage/store-error.ts';
import type { Store } from '../storage/store.ts';

/**
 * Adds single tokens to the revocation list, up to `revokedTokensMax`: one API user that never stops revoking
 * must not make the list grow without bound for every verifier.
 */
export function createTokenRevoker(
  store: Store,
  list: Pick<RevocationList, 'tokens' | 'refresh'>,
  { revokedTokensMax }: { revokedTokensMax: number },
): RevokingServices['revoke'] {
  /** Revocations that are being written, and are not on the list yet. */
  let underWay = 0;
  return async (revocation) => {
    if (list.tokens() + underWay >= revokedTokensMax) {
      return { denied: 'temporarily_unavailable', reason: 'the list of revoked tokens is full' };
    }
    underWay += 1;
    try {
      await revokeOneToken(store, revocation);
      // Refresh the list before the change feed does: the answer promises that the revocation holds here at
      // once, and elsewhere within a second.
      await list.refresh([revocation.digest]);
      return { revoked: true };
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return { denied: 'temporarily_unavailable', reason: error.message };
    } finally {
      underWay -= 1;
    }
  };
}

/** Revokes one token. `createTokenRevoker` checks the bound. */
async function revokeOneToken(store: Store, revocation: Revocation): Promise<void> {
  await store.write(async (transaction) => {
    await transaction.revocations.put(revocation);
    await transaction.changed('revocation', revocation.digest);
  });
}
