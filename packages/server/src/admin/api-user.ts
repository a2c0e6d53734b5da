import { confinedTo, type Actor } from '../domain/actor.ts';
import { refuseBeyondRole } from '../domain/admin-scope.ts';
import {
  apiUserFaults,
  newClientId,
  UNSET_SETTINGS,
  usernameKey,
  type ApiUser,
  type ApiUserSettings,
  type NewApiUser,
} from '../domain/api-user.ts';
import { apiUserFacts, changedFacts, revocationFacts } from '../domain/audit-facts.ts';
import { AppError } from '../domain/app-error.ts';
import type { Fault } from '../domain/fault.ts';
import type { OrganisationPolicy } from '../domain/organisation.ts';
import { settingsFaults } from '../domain/organisation-policy.ts';
import type { Revocation } from '../domain/revocation.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';
import { audited, type Change, type ChangeAuthor } from './audited.ts';
import { findApiUser } from './find-api-user.ts';
import { gatherUsesOf, refuseLiveCaller } from './in-use.ts';
import { namedOrganisation, policyOfOwner, refuseTooManyApiUsers } from './organisation-policy.ts';
import { revokeTokens } from './revocation.ts';

/**
 * Makes an API user without credentials. Throws an AppError if a setting is invalid or the username is taken.
 */
export async function createApiUser(change: Change, input: NewApiUser): Promise<ApiUser> {
  const { actor } = change;
  const attempt = { action: 'api_user.create', subject: { kind: 'api_user', id: null } } as const;
  return await audited(change, attempt, async (transaction) => {
    refuseBeyondRole(actor, input.scopes);
    const user = await insertApiUser(transaction, input, change);
    const { clientId: subjectId, organisationId } = user;
    return { result: user, subjectId, organisationId, after: apiUserFacts(user) };
  });
}

/** `createApiUser` within a larger transaction. The caller records it. */
export async function insertApiUser(
  transaction: StoreTransaction,
  { organisationId = null, ...settings }: NewApiUser,
  { actor, nowMs }: ChangeAuthor,
): Promise<ApiUser> {
  const ownerId = organisationId ?? confinedTo(actor);
  const unset = { ...UNSET_SETTINGS, organisationId: confinedTo(actor) };
  refuseForMembers(actor, unset, { ...settings, organisationId: ownerId });
  const owner = ownerId === null ? null : await namedOrganisation(transaction, ownerId);
  refuseFaults(faultsOf(settings, owner?.policy ?? null));
  if (owner !== null) await refuseTooManyApiUsers(transaction, owner, 1);
  const user: ApiUser = {
    clientId: newClientId(),
    organisationId: ownerId,
    ...settings,
    enabled: true,
    createdAt: nowMs,
    updatedAt: nowMs,
    version: 1,
  };
  await refuseTakenUsername(transaction, user);
  await refuseTakenExternalId(transaction, user);
  await transaction.apiUsers.insert(user);
  await transaction.changed('api_user', user.clientId);
  return user;
}

export interface Revoking {
  /** Also revokes the tokens of the API user, in the same transaction. Default false. */
  revoke?: boolean;
}

export interface Forcing {
  /**
   * Makes the change even if it may break a caller. Default false: an AppError (`unsafe`) lists the
   * credentials in use.
   */
  force?: boolean;
}

export interface IfUnchanged {
  /**
   * The versions that the change may start from; undefined: any. With another version it is refused as
   * `stale`.
   */
  ifVersion?: readonly number[] | undefined;
}

type ApiUserChanges = Partial<ApiUserSettings> & { enabled?: boolean };

/**
 * Changes some settings of an API user, given by client id or username, and keeps the others. Throws an
 * AppError for the same reasons as `createApiUser`.
 */
export async function updateApiUser(
  change: Change,
  name: string,
  changes: ApiUserChanges,
  { revoke = false, force = false, ifVersion }: Revoking & Forcing & IfUnchanged = {},
): Promise<ApiUser> {
  const { store, actor, nowMs } = change;
  const guarded = changes.enabled === false && !force;
  if (guarded) await gatherUsesOf(store, name, actor);
  const attempt = { action: actionOf(changes), subject: { kind: 'api_user', id: name } } as const;
  return await audited(change, attempt, async (transaction, identify) => {
    const before = await existingApiUser(transaction, name, actor);
    identify({ subjectId: before.clientId, organisationId: before.organisationId });
    refuseStale(`API user ${before.clientId}`, before, ifVersion);
    refuseForMembers(actor, before, { ...before, ...changes });
    if (attempt.action !== 'api_user.disable')
      refuseBeyondRole(actor, [...before.scopes, ...(changes.scopes ?? [])]);
    const user: ApiUser = { ...before, ...changes, updatedAt: nowMs, version: before.version + 1 };
    refuseNewFaults(user, before, await policyOfOwner(transaction, before));
    if (guarded) await refuseLiveCaller(transaction, before, 'disabled', nowMs);
    const facts = changedFacts(apiUserFacts(before), apiUserFacts(user));
    if (Object.keys(facts.after).length === 0 && !revoke) return { result: before, unchanged: true };
    // Check only a new username. Older releases left conflicts: operators must still be able to disable or
    // rename those API users.
    if (user.username !== before.username) await refuseTakenUsername(transaction, user);
    await refuseTakenExternalId(transaction, user);
    await transaction.apiUsers.update(user);
    await transaction.changed('api_user', user.clientId);
    const revoked = await revokedIf(revoke, transaction, user.clientId);
    const after = { ...facts.after, ...(force && { forced: true }), ...revocationFacts(revoked) };
    return { result: user, before: facts.before, after };
  });
}

function actionOf({
  enabled,
  ...settings
}: ApiUserChanges): 'api_user.update' | 'api_user.enable' | 'api_user.disable' {
  if (enabled === undefined || Object.keys(settings).length > 0) return 'api_user.update';
  return enabled ? 'api_user.enable' : 'api_user.disable';
}

/**
 * Deletes an API user, given by client id or username, and its credentials for good. Returns the deleted API
 * user.
 */
export async function deleteApiUser(
  change: Change,
  name: string,
  { revoke = false, force = false, ifVersion }: Revoking & Forcing & IfUnchanged = {},
): Promise<ApiUser> {
  const { store, actor, nowMs } = change;
  if (!force) await gatherUsesOf(store, name, actor);
  const attempt = { action: 'api_user.delete', subject: { kind: 'api_user', id: name } } as const;
  return await audited(change, attempt, async (transaction, identify) => {
    const user = await existingApiUser(transaction, name, change.actor);
    identify({ subjectId: user.clientId, organisationId: user.organisationId });
    refuseStale(`API user ${user.clientId}`, user, ifVersion);
    refuseBeyondRole(actor, user.scopes);
    if (!force) await refuseLiveCaller(transaction, user, 'deleted', nowMs);
    const credentials = (await transaction.credentials.listOf(user.clientId)).map(({ id }) => id);
    await transaction.credentials.deleteOf(user.clientId);
    await transaction.apiUsers.delete(user.clientId);
    await transaction.changed('api_user', user.clientId);
    const revoked = await revokedIf(revoke, transaction, user.clientId);
    const after = { ...(force && { forced: true }), ...revocationFacts(revoked) };
    return { result: user, before: { ...apiUserFacts(user), credentials }, after };
  });
}

/** Revokes every token of an API user, given by client id or username. */
export async function revokeApiUserTokens(
  change: Change,
  name: string,
  { ifVersion }: IfUnchanged = {},
): Promise<{ user: ApiUser; revocation: Revocation }> {
  const attempt = { action: 'api_user.revoke_tokens', subject: { kind: 'api_user', id: name } } as const;
  return await audited(change, attempt, async (transaction, identify) => {
    const user = await existingApiUser(transaction, name, change.actor);
    identify({ subjectId: user.clientId, organisationId: user.organisationId });
    refuseStale(`API user ${user.clientId}`, user, ifVersion);
    const revocation = await revokeTokens(transaction, user.clientId);
    return { result: { user, revocation }, after: revocationFacts(revocation) };
  });
}

async function revokedIf(
  revoke: boolean,
  transaction: StoreTransaction,
  clientId: string,
): Promise<Revocation | null> {
  return revoke ? await revokeTokens(transaction, clientId) : null;
}

/**
 * The API user with this client id or username. Throws an AppError if it does not exist, and the same if the
 * actor may not know of it.
 */
export async function existingApiUser(
  rows: Pick<Store, 'apiUsers'>,
  name: string,
  actor: Actor,
): Promise<ApiUser> {
  const user = await findApiUser(rows, name, actor);
  if (user !== undefined) return user;
  throw new AppError('not_found', `There is no API user "${name}".`, {
    hint: ': mintmark api-user list shows all.',
  });
}

/** Refuses a change that starts from an older version: its author may not want it any more. */
export function refuseStale(
  subject: string,
  { version, updatedAt }: Pick<ApiUser, 'version' | 'updatedAt'>,
  ifVersion: IfUnchanged['ifVersion'],
): void {
  if (ifVersion === undefined || ifVersion.includes(version)) return;
  const at = new Date(updatedAt).toISOString();
  throw new AppError(
    'stale',
    `The ${subject} was last changed at ${at} and has version ${version}, not the one that this change was ` +
      'made from: read it again, and make the change again if it is still meant.',
  );
}

function faultsOf(settings: ApiUserSettings, policy: OrganisationPolicy | null): Fault[] {
  return [...apiUserFaults(settings), ...(policy === null ? [] : settingsFaults(policy, settings))];
}

function refuseFaults(faults: readonly Fault[]): void {
  if (faults.length === 0) return;
  throw new AppError('invalid', faults.map(({ problem }) => problem).join('\n'), { faults });
}

/**
 * Ignores faults that `before` has as well: they are older than a rule or policy, and must not prevent
 * disabling the API user. But an API user that violates the policy is not enabled.
 */
function refuseNewFaults(user: ApiUser, before: ApiUser, policy: OrganisationPolicy | null): void {
  const isEnabled = user.enabled && !before.enabled;
  const former = faultsOf(before, isEnabled ? null : policy);
  const old = new Set(former.map(({ problem }) => problem));
  refuseFaults(faultsOf(user, policy).filter(({ problem }) => !old.has(problem)));
}

/** Settings that would tell members what others have, or that APIs trust: only operators change them. */
const OPERATOR_SETTINGS = {
  organisation_id: 'organisationId',
  username: 'username',
  external_id: 'externalId',
  claims: 'claims',
  token_life_seconds: 'tokenLifeSeconds',
} as const;

type OperatorSettings = Pick<ApiUser, (typeof OPERATOR_SETTINGS)[keyof typeof OPERATOR_SETTINGS]>;

function refuseForMembers(actor: Actor, before: OperatorSettings, after: OperatorSettings): void {
  if (confinedTo(actor) === null) return;
  const changed = Object.entries(OPERATOR_SETTINGS).filter(
    ([, name]) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
  if (changed.length === 0) return;
  const faults = changed.map(([member]) => ({
    member,
    problem: `Only operators of the platform set ${member}: leave it out, or ask one of them.`,
  }));
  throw new AppError('forbidden', faults.map(({ problem }) => problem).join('\n'), { faults });
}

/**
 * A username works in `client_id`, so it must differ from the username and the client id of every other API
 * user.
 */
async function refuseTakenUsername(transaction: StoreTransaction, user: ApiUser): Promise<void> {
  if (user.username === null) return;
  const problem = await takenUsernameProblem(transaction, user.clientId, user.username);
  if (problem !== null)
    throw new AppError('conflict', problem, { faults: [{ member: 'username', problem }] });
}

async function takenUsernameProblem(
  { apiUsers, deletedClientIds }: StoreTransaction,
  ownId: string,
  username: string,
): Promise<string | null> {
  const key = usernameKey(username);
  const others = (await apiUsers.named(username)).filter(({ clientId }) => clientId !== ownId);
  const other = others.find((each) => each.usernameKey === key) ?? others[0];
  if (other !== undefined)
    return other.usernameKey === key
      ? `The username "${username}" belongs to ${other.clientId}: choose another.`
      : `The username "${username}" is the client id of another API user, ${other.clientId}: choose another.`;
  const isDeleted = (await deletedClientIds.keysAmong([username])).length > 0;
  return isDeleted ? deletedUsernameProblem(username) : null;
}

async function refuseTakenExternalId(transaction: StoreTransaction, user: ApiUser): Promise<void> {
  if (user.externalId === null) return;
  const [other] = await transaction.apiUsers.imported([user.externalId], []);
  if (other === undefined || other.user.clientId === user.clientId) return;
  const problem = `The external id "${user.externalId}" belongs to ${other.user.clientId}: choose another.`;
  throw new AppError('conflict', problem, { faults: [{ member: 'external_id', problem }] });
}

export function deletedUsernameProblem(username: string): string {
  return `The username "${username}" is the client id of a deleted API user, which is never used again: choose another.`;
}
