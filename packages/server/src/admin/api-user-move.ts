import type { ApiUser } from '../domain/api-user.ts';
import type { ApiUserFilter } from '../domain/api-user-list.ts';
import { AppError } from '../domain/app-error.ts';
import { auditedId, type AuditFacts } from '../domain/audit-entry.ts';
import { revocationFacts } from '../domain/audit-facts.ts';
import { credentialState, type Credential } from '../domain/credential.ts';
import type { Fault } from '../domain/fault.ts';
import type { Organisation } from '../domain/organisation.ts';
import { boundCredential, credentialFault, settingsFaults } from '../domain/organisation-policy.ts';
import type { StoreTransaction } from '../storage/store.ts';
import { existingApiUser } from './api-user.ts';
import { audited, type Attempt, type Change, type Effect } from './audited.ts';
import { gatherUsesOf, refuseLiveCaller } from './in-use.ts';
import { namedOrganisation, refuseTooManyApiUsers } from './organisation-policy.ts';
import { revokeTokens } from './revocation.ts';

/** The most API users of one move: it is one transaction. */
export const MOVED_MAX = 500;

export interface Move {
  /** Client ids or usernames, or a filter that selects the API users. */
  apiUsers: readonly string[] | ApiUserFilter;
  /** Null: to the platform. */
  organisationId: string | null;
  /** The same people have them afterwards: the credentials and tokens stay valid. */
  keepCredentials: boolean;
  /** Ends credentials even if a caller may still use them. */
  force: boolean;
}

export interface MoveResult {
  /** Client ids. */
  moved: string[];
  /** Client ids of those that belonged to the organisation before. */
  unchanged: string[];
}

/**
 * Moves API users to an organisation or to the platform: all, or none if the policy forbids something of one
 * of them. Without `keepCredentials` it removes their credentials and revokes their tokens, because the
 * people of the former organisation know the secrets.
 */
export async function moveApiUsers(change: Change, move: Move): Promise<MoveResult> {
  const { organisationId } = move;
  const names = await namesOf(change, move);
  const only = names.length === 1 ? (names[0] ?? null) : null;
  if (only !== null && guarded(move)) await gatherUsesOf(change.store, only, change.actor);
  const subject = { kind: 'api_user', id: auditedId(only) } as const;
  const attempt = { action: 'api_user.move', subject } as const;
  return await audited(change, attempt, async (transaction, identify) => {
    identify({ organisationId });
    const users = await existingApiUsers(transaction, change, names);
    const target = organisationId === null ? null : await namedOrganisation(transaction, organisationId);
    const arriving = users.filter((user) => user.organisationId !== organisationId);
    if (guarded(move))
      for (const user of arriving) await refuseLiveCaller(transaction, user, 'moved', change.nowMs);
    if (target !== null) await refuseForbidden(transaction, target, arriving, { ...move, ...change });
    const entries: (Attempt & Effect)[] = [];
    for (const user of arriving) entries.push(...(await moved(transaction, user, { ...move, ...change })));
    const unchanged = users.filter((user) => !arriving.includes(user));
    const result = { moved: idsOf(arriving), unchanged: idsOf(unchanged) };
    return { result, unchanged: true, also: entries };
  });
}

function guarded({ keepCredentials, force }: Move): boolean {
  return !keepCredentials && !force;
}

function idsOf(users: readonly ApiUser[]): string[] {
  return users.map(({ clientId }) => clientId);
}

async function namesOf({ store, nowMs }: Change, { apiUsers }: Move): Promise<readonly string[]> {
  if ('length' in apiUsers) {
    refuseTooMany(apiUsers.length);
    return Array.from(new Set(apiUsers));
  }
  const listed = await store.apiUserList.byId(apiUsers, { after: null, limit: MOVED_MAX + 1 }, nowMs);
  refuseTooMany(listed.length);
  return listed.map(({ user }) => user.clientId);
}

function refuseTooMany(count: number): void {
  if (count <= MOVED_MAX) return;
  throw new AppError('invalid', `One move takes at most ${MOVED_MAX} API users: move them in several steps.`);
}

async function existingApiUsers(
  transaction: StoreTransaction,
  { actor }: Change,
  names: readonly string[],
): Promise<ApiUser[]> {
  const users = new Map<string, ApiUser>(); // a client id and a username may name the same one
  for (const name of names) {
    const user = await existingApiUser(transaction, name, actor);
    users.set(user.clientId, user);
  }
  return Array.from(users.values());
}

type MoveAt = Omit<Move, 'apiUsers'> & Pick<Change, 'nowMs'>;

/** Throws an AppError with everything that the policy forbids, at `api_users/<client id>/<member>`. */
async function refuseForbidden(
  transaction: StoreTransaction,
  target: Organisation,
  arriving: readonly ApiUser[],
  { keepCredentials, nowMs }: MoveAt,
): Promise<void> {
  await refuseTooManyApiUsers(transaction, target, arriving.length);
  const faults: Fault[] = [];
  for (const user of arriving) {
    const kept = keepCredentials ? await liveCredentials(transaction, user, nowMs) : [];
    const own = [
      ...settingsFaults(target.policy, user),
      ...kept.flatMap((credential) => {
        const fault = credentialFault(target.policy, boundCredential(credential));
        return fault === null ? [] : [{ ...fault, member: `credentials/${credential.id}/${fault.member}` }];
      }),
    ];
    faults.push(...own.map((fault) => ({ ...fault, member: `api_users/${user.clientId}/${fault.member}` })));
  }
  if (faults.length === 0) return;
  const texts = faults.slice(0, FAULTS_TOLD).map(({ member, problem }) => `${member}: ${problem}`);
  const more = faults.length > texts.length ? [`${faults.length - texts.length} more.`] : [];
  throw new AppError('invalid', [...texts, ...more].join('\n'), { faults });
}

/** Faults in the text of the error; all of them are in its list. */
const FAULTS_TOLD = 10;

async function liveCredentials(
  { credentials }: StoreTransaction,
  { clientId }: ApiUser,
  nowMs: number,
): Promise<Credential[]> {
  const all = await credentials.listOf(clientId);
  return all.filter((each) => credentialState(each, nowMs) === 'live');
}

/** Returns the audit entries. */
async function moved(
  transaction: StoreTransaction,
  before: ApiUser,
  { organisationId, keepCredentials, force, nowMs }: MoveAt,
): Promise<(Attempt & Effect)[]> {
  const { clientId } = before;
  const user = { ...before, organisationId, updatedAt: nowMs, version: before.version + 1 };
  await transaction.apiUsers.update(user);
  await transaction.changed('api_user', clientId);
  const ending = keepCredentials ? [] : await liveCredentials(transaction, before, nowMs);
  if (!keepCredentials) {
    // Those that ended before, too: their names and last addresses are of the former organisation.
    await transaction.credentials.deleteOf(clientId);
    await transaction.secretLinks.deleteOf(clientId);
    await transaction.refusedRequests.deleteOf(clientId);
  }
  const revocation = keepCredentials ? null : await revokeTokens(transaction, clientId);
  const ended = {
    keep_credentials: keepCredentials,
    ...(force && { forced: true }),
    ...(ending.length > 0 && { removed_credentials: ending.map(({ id }) => id) }),
    ...revocationFacts(revocation),
  };
  // An entry for each organisation, which names no other: the admins of both read the audit log.
  const sides = [before.organisationId, organisationId].filter((id) => id !== null);
  return sides.map((side) => ({
    action: 'api_user.move',
    subject: { kind: 'api_user', id: clientId },
    organisationId: side,
    before: organisationFact(before.organisationId, side),
    after: { ...organisationFact(organisationId, side), ...ended },
  }));
}

/** Null stands for the platform. */
function organisationFact(organisationId: string | null, side: string): AuditFacts {
  return organisationId === null || organisationId === side ? { organisation_id: organisationId } : {};
}
