import type { ApiUser } from '../domain/api-user.ts';
import { credentialFacts, revocationFacts } from '../domain/audit-facts.ts';
import { credentialState, type Credential } from '../domain/credential.ts';
import type { Organisation, OrganisationPolicy } from '../domain/organisation.ts';
import { countProblem, violationsOf, type Violation } from '../domain/organisation-policy.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';
import type { Attempt, ChangeAuthor, Effect } from './audited.ts';
import { revokeTokens } from './revocation.ts';

/** API users read at a time. */
const PAGE = 200;

type Rows = Pick<Store, 'apiUsers' | 'credentials' | 'organisations'>;

export interface ViolationPage {
  /** The client id at which the previous page ended; null: from the start. */
  after: string | null;
  limit: number;
}

export interface ViolationsListed {
  items: Violation[];
  /** Null: this is the last page. */
  next: string | null;
}

/**
 * What of the organisation a policy forbids: its own policy, or one that an operator considers. All
 * violations of one API user are on the same page, so a page may hold a few more than `limit`.
 */
export async function listViolations(
  rows: Rows,
  organisation: Pick<Organisation, 'id' | 'policy'>,
  { after, limit }: ViolationPage,
  nowMs: number,
): Promise<ViolationsListed> {
  const items = after === null ? await tooMany(rows, organisation) : [];
  for await (const { user, violations } of violatingApiUsers(rows, organisation, after, nowMs)) {
    items.push(...violations);
    if (items.length >= limit) return { items, next: user.clientId };
  }
  return { items, next: null };
}

async function tooMany(
  rows: Rows,
  { id, policy }: Pick<Organisation, 'id' | 'policy'>,
): Promise<Violation[]> {
  const { apiUsers = 0 } = (await rows.organisations.sizes([id])).get(id) ?? {};
  const problem = countProblem(policy, apiUsers, 0);
  if (problem === null) return [];
  return [{ clientId: null, apiUserName: null, credentialId: null, member: 'api_users_max', problem }];
}

interface Violating {
  user: ApiUser;
  credentials: readonly Credential[];
  violations: Violation[];
}

async function* violatingApiUsers(
  rows: Rows,
  { id, policy }: { id: string; policy: OrganisationPolicy },
  from: string | null,
  nowMs: number,
): AsyncGenerator<Violating> {
  for (let after: string | null = from; ;) {
    const users: ApiUser[] = await rows.apiUsers.listOfOrganisation(id, { after, limit: PAGE });
    if (users.length === 0) return;
    const all = await rows.credentials.listOfAll(users.map(({ clientId }) => clientId));
    for (const user of users) {
      const credentials = all.filter(
        (each) => each.clientId === user.clientId && credentialState(each, nowMs) === 'live',
      );
      const violations = violationsOf(policy, user, credentials);
      if (violations.length > 0) yield { user, credentials, violations };
    }
    after = users.at(-1)?.clientId ?? null;
    if (users.length < PAGE) return;
  }
}

/**
 * Disables the API users whose settings the policy forbids, revokes their tokens, and retires the credentials
 * that it forbids. Returns the audit entries.
 */
export async function endViolations(
  transaction: StoreTransaction,
  organisation: Organisation,
  { nowMs }: ChangeAuthor,
): Promise<(Attempt & Effect)[]> {
  const entries: (Attempt & Effect)[] = [];
  for await (const each of violatingApiUsers(transaction, organisation, null, nowMs)) {
    const { user, violations } = each;
    const ofOrganisation = { organisationId: organisation.id };
    if (user.enabled && violations.some(({ credentialId }) => credentialId === null))
      entries.push({ ...(await disable(transaction, user, nowMs)), ...ofOrganisation });
    const forbidden = new Set(violations.map(({ credentialId }) => credentialId));
    for (const credential of each.credentials.filter(({ id }) => forbidden.has(id)))
      entries.push({ ...(await retire(transaction, credential, nowMs)), ...ofOrganisation });
  }
  return entries;
}

async function disable(
  transaction: StoreTransaction,
  user: ApiUser,
  nowMs: number,
): Promise<Attempt & Effect> {
  const { clientId, version } = user;
  await transaction.apiUsers.update({ ...user, enabled: false, updatedAt: nowMs, version: version + 1 });
  await transaction.changed('api_user', clientId);
  const revocation = await revokeTokens(transaction, clientId);
  return {
    action: 'api_user.disable',
    subject: { kind: 'api_user', id: clientId },
    before: { enabled: true },
    after: { enabled: false, forced: true, ...revocationFacts(revocation) },
  };
}

async function retire(
  transaction: StoreTransaction,
  credential: Credential,
  nowMs: number,
): Promise<Attempt & Effect> {
  const retired = { ...credential, retiredAt: nowMs };
  await transaction.credentials.update(retired);
  await transaction.changed('api_user', credential.clientId);
  return {
    action: 'credential.retire',
    subject: { kind: 'credential', id: credential.id },
    related: { kind: 'api_user', id: credential.clientId },
    before: { retired_at: null },
    after: { ...credentialFacts(retired), forced: true },
  };
}
