import { refuseBeyondRole } from '../domain/admin-scope.ts';
import type { ApiUser, NewApiUser } from '../domain/api-user.ts';
import { apiUserFacts, credentialFacts } from '../domain/audit-facts.ts';
import { AppError } from '../domain/app-error.ts';
import type { StoreTransaction } from '../storage/store.ts';
import { insertApiUser } from './api-user.ts';
import { audited, type Attempt, type Change, type ChangeAuthor, type Effect } from './audited.ts';
import { insertSecret, type CreatedSecret, type NewCredential } from './credential.ts';

export interface ApiUserWithSecret extends CreatedSecret {
  user: ApiUser;
}

/**
 * Makes an API user with its first secret in one transaction: an API user whose secret was never shown would
 * be useless.
 */
export async function createApiUserWithSecret(
  change: Change,
  input: NewApiUser,
  secret: Omit<NewCredential, 'owner'>,
): Promise<ApiUserWithSecret> {
  const attempt = { action: 'api_user.create', subject: { kind: 'api_user', id: null } } as const;
  return await audited(change, attempt, async (transaction) => {
    refuseBeyondRole(change.actor, input.scopes);
    const created = await insertApiUserWithSecret(transaction, input, secret, change);
    return { result: created, unchanged: true, also: creationsOf(created) };
  });
}

/** The same within a larger transaction. The caller records `creationsOf` the result. */
export async function insertApiUserWithSecret(
  transaction: StoreTransaction,
  input: NewApiUser,
  secret: Omit<NewCredential, 'owner'>,
  by: ChangeAuthor,
): Promise<ApiUserWithSecret> {
  const user = await insertApiUser(transaction, input, by);
  const owned = { ...secret, owner: user.clientId };
  return { user, ...(await faultsBelow('secret', () => insertSecret(transaction, owned, by))) };
}

/** The audit entries: first the API user, then its credential. */
export function creationsOf({ user, credential }: Omit<ApiUserWithSecret, 'secret'>): (Attempt & Effect)[] {
  const subject = { kind: 'api_user', id: user.clientId } as const;
  const { organisationId } = user;
  return [
    { action: 'api_user.create', subject, organisationId, after: apiUserFacts(user) },
    {
      action: 'credential.create',
      subject: { kind: 'credential', id: credential.id },
      related: subject,
      organisationId,
      after: credentialFacts(credential),
    },
  ];
}

/**
 * Runs `work`, and puts `member` before the members of its faults: its input is that member of a larger
 * input.
 */
async function faultsBelow<T>(member: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AppError) || error.faults.length === 0) throw error;
    const faults = error.faults.map((fault) => ({ ...fault, member: `${member}/${fault.member}` }));
    throw new AppError(error.code, error.message, { faults, hint: error.hint });
  }
}
