import { apiUserProblems, newClientId, type ApiUser, type ApiUserSettings } from '../domain/api-user.ts';
import { Refused } from '../domain/refused.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';
import { revokeTokens } from './revocations.ts';

/** Makes an API user without credentials. Throws a Refused where a setting is wrong or the username is taken. */
export async function createApiUser(
  store: Store,
  settings: ApiUserSettings,
  nowMs: number,
): Promise<ApiUser> {
  return await store.write((transaction) => insertApiUser(transaction, settings, nowMs));
}

/** `createApiUser` as a part of something larger. */
export async function insertApiUser(
  transaction: StoreTransaction,
  settings: ApiUserSettings,
  nowMs: number,
): Promise<ApiUser> {
  refuseProblems(settings);
  const user: ApiUser = {
    clientId: newClientId(),
    ...settings,
    enabled: true,
    createdAt: nowMs,
    updatedAt: nowMs,
  };
  await refuseTakenUsername(transaction, user);
  await transaction.apiUsers.insert(user);
  await transaction.changed('api_user', user.clientId);
  return user;
}

export interface Revoking {
  /** Revokes the tokens that the API user has, in the same transaction. Default false. */
  revoke?: boolean;
}

/** Changes some settings and leaves the others. Throws a Refused as `createApiUser` does. */
export async function updateApiUser(
  store: Store,
  clientId: string,
  changes: Partial<ApiUserSettings> & { enabled?: boolean },
  nowMs: number,
  { revoke = false }: Revoking = {},
): Promise<ApiUser> {
  return await store.write(async (transaction) => {
    const user: ApiUser = { ...(await existingApiUser(transaction, clientId)), ...changes, updatedAt: nowMs };
    refuseProblems(user);
    await refuseTakenUsername(transaction, user);
    await transaction.apiUsers.update(user);
    await transaction.changed('api_user', user.clientId);
    if (revoke) await revokeTokens(transaction, user.clientId);
    return user;
  });
}

/** Removes an API user and its credentials for good. */
export async function deleteApiUser(
  store: Store,
  clientId: string,
  { revoke = false }: Revoking = {},
): Promise<void> {
  await store.write(async (transaction) => {
    const user = await existingApiUser(transaction, clientId);
    await transaction.credentials.deleteOf(user.clientId);
    await transaction.apiUsers.delete(user.clientId);
    await transaction.changed('api_user', user.clientId);
    if (revoke) await revokeTokens(transaction, user.clientId);
  });
}

/** The API user with this client id or username. Throws a Refused where there is none. */
export async function existingApiUser(rows: Pick<Store, 'apiUsers'>, name: string): Promise<ApiUser> {
  const user = (await rows.apiUsers.find(name)) ?? (await rows.apiUsers.findByUsername(name));
  if (user !== undefined) return user;
  throw new Refused('not_found', `There is no API user "${name}": mintmark api-user list shows all.`);
}

function refuseProblems(settings: ApiUserSettings): void {
  const problems = apiUserProblems(settings);
  if (problems.length > 0) throw new Refused('invalid', problems.join('\n'));
}

async function refuseTakenUsername(transaction: StoreTransaction, user: ApiUser): Promise<void> {
  if (user.username === null) return;
  const other =
    (await transaction.apiUsers.findByUsername(user.username)) ??
    (await transaction.apiUsers.find(user.username));
  if (other === undefined || other.clientId === user.clientId) return;
  throw new Refused(
    'conflict',
    `The username "${user.username}" belongs to ${other.clientId}: choose another.`,
  );
}
