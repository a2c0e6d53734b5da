import { newOrganisationId } from '../domain/organisation-id.ts';
import { reaches, type Actor } from '../domain/actor.ts';
import { AppError } from '../domain/app-error.ts';
import { auditedId, type AuditAction } from '../domain/audit-entry.ts';
import { NO_CLAIMS } from '../domain/claims.ts';
import { changedFacts, organisationFacts } from '../domain/audit-facts.ts';
import { ORGANISATIONS_MAX, type Organisation, type OrganisationSettings } from '../domain/organisation.ts';
import { organisationFaults } from '../domain/organisation-faults.ts';
import type { OrganisationPage, OrganisationSize } from '../storage/tables/organisation.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';
import { refuseStale, type IfUnchanged, type Revoking } from './api-user.ts';
import { audited, type Attempt, type Change, type ChangeAuthor } from './audited.ts';
import { noOrganisation } from './organisation-policy.ts';
import { EXAMPLE_CLIENT_ID, refuseLongTokens } from './token-length.ts';
import { removeUnusedAccount } from './operators/unused-account.ts';
import { endViolations } from './organisation-violations.ts';
import { revokeOrganisation } from './revocation.ts';

/** Makes an organisation. Throws an AppError with all faults of the settings. */
export async function createOrganisation(change: Change, input: OrganisationSettings): Promise<Organisation> {
  const attempt = { action: 'organisation.create', subject: { kind: 'organisation', id: null } } as const;
  return await audited(change, attempt, async (transaction) => {
    const organisation = newOrganisation(input, change);
    await insertOrganisation(transaction, organisation);
    const { id } = organisation;
    return {
      result: organisation,
      subjectId: id,
      organisationId: id,
      after: organisationFacts(organisation),
    };
  });
}

function newOrganisation(input: OrganisationSettings, { nowMs }: ChangeAuthor): Organisation {
  return {
    id: newOrganisationId(),
    ...input,
    enabled: true,
    createdAt: nowMs,
    updatedAt: nowMs,
    version: 1,
  };
}

/** `createOrganisation` within a larger transaction. The caller records it. */
export async function insertOrganisation(
  transaction: StoreTransaction,
  organisation: Organisation,
): Promise<void> {
  refuseFaults(organisation);
  await refuseTakenExternalId(transaction, organisation);
  await refuseLongTokensOf(transaction, organisation);
  if ((await transaction.organisations.count()) >= ORGANISATIONS_MAX)
    throw new AppError('conflict', `There are ${ORGANISATIONS_MAX} organisations, the most there may be.`);
  await transaction.organisations.insert(organisation);
  await transaction.changed('organisation', organisation.id);
}

/** The settings after a change of these. */
export type OrganisationChanges = (before: OrganisationSettings) => OrganisationSettings;

/**
 * Changes settings of an organisation. If the policy ends violations, a stricter
 * policy disables API users and retires credentials in the same transaction.
 */
export async function updateOrganisation(
  change: Change,
  id: string,
  changes: OrganisationChanges,
  { ifVersion }: IfUnchanged = {},
): Promise<Organisation> {
  return await audited(change, about('organisation.update', id), async (transaction, identify) => {
    const before = await existingOrganisation(transaction, id, change.actor);
    identify({ subjectId: id, organisationId: id });
    refuseStale(`organisation ${id}`, before, ifVersion);
    const organisation = {
      ...before,
      ...changes(before),
      updatedAt: change.nowMs,
      version: before.version + 1,
    };
    refuseFaults(organisation);
    await refuseTakenExternalId(transaction, organisation);
    const facts = changedFacts(organisationFacts(before), organisationFacts(organisation));
    if (Object.keys(facts.after).length === 0) return { result: before, unchanged: true };
    await refuseLongTokensOf(transaction, organisation);
    await save(transaction, organisation);
    const ends = organisation.policy !== before.policy && organisation.policy.violations === 'end';
    const also = ends ? await endViolations(transaction, organisation, change) : [];
    return { result: organisation, ...facts, also };
  });
}

/**
 * Enables or disables an organisation. Disabled, its API users get no tokens and its members see nothing.
 * `revoke`: their tokens end, too.
 */
export async function switchOrganisation(
  change: Change,
  id: string,
  enabled: boolean,
  { revoke = false, ifVersion }: Revoking & IfUnchanged = {},
): Promise<Organisation> {
  const action = enabled ? 'organisation.enable' : 'organisation.disable';
  return await audited(change, about(action, id), async (transaction, identify) => {
    const before = await existingOrganisation(transaction, id, change.actor);
    identify({ subjectId: id, organisationId: id });
    refuseStale(`organisation ${id}`, before, ifVersion);
    if (before.enabled === enabled && !revoke) return { result: before, unchanged: true };
    const organisation = { ...before, enabled, updatedAt: change.nowMs, version: before.version + 1 };
    await save(transaction, organisation);
    if (revoke) await revokeOrganisation(transaction, id);
    const facts = changedFacts(organisationFacts(before), organisationFacts(organisation));
    const after = { ...facts.after, ...(revoke && { tokens_revoked: true }) };
    return { result: organisation, before: facts.before, after };
  });
}

/**
 * Deletes an organisation with its members and invitations, and accounts that were only for these. Refused
 * while it has API users.
 */
export async function deleteOrganisation(
  change: Change,
  id: string,
  { ifVersion }: IfUnchanged = {},
): Promise<Organisation> {
  return await audited(change, about('organisation.delete', id), async (transaction, identify) => {
    await transaction.operators.lock();
    const organisation = await existingOrganisation(transaction, id, change.actor);
    identify({ subjectId: id, organisationId: id });
    refuseStale(`organisation ${id}`, organisation, ifVersion);
    const { apiUsers = 0 } = (await transaction.organisations.sizes([id])).get(id) ?? {};
    if (apiUsers > 0) {
      const has = `The organisation ${id} has ${apiUsers === 1 ? '1 API user' : `${apiUsers} API users`}`;
      throw new AppError('conflict', `${has}: move or delete them first, or disable the organisation.`);
    }
    const members = await transaction.members.listOf(id);
    await transaction.organisations.delete(id);
    for (const { operatorId } of members) await removeUnusedAccount(transaction, operatorId);
    await transaction.changed('organisation', id);
    return { result: organisation, before: organisationFacts(organisation) };
  });
}

/** Throws the same AppError if it does not exist and if the actor may not know of it. */
export async function existingOrganisation(
  rows: Pick<Store, 'organisations'>,
  id: string,
  actor: Actor,
): Promise<Organisation> {
  const organisation = reaches(actor, id) ? await rows.organisations.find(id) : undefined;
  if (organisation === undefined) throw noOrganisation(id);
  return organisation;
}

export interface ListedOrganisation extends OrganisationSize {
  organisation: Organisation;
}

export async function listOrganisations(
  store: Pick<Store, 'organisations'>,
  page: OrganisationPage,
): Promise<ListedOrganisation[]> {
  const organisations = await store.organisations.list(page);
  const sizes = await store.organisations.sizes(organisations.map(({ id }) => id));
  return organisations.map((organisation) => ({
    organisation,
    ...(sizes.get(organisation.id) ?? { apiUsers: 0, members: 0 }),
  }));
}

function about(action: AuditAction, id: string): Attempt {
  return { action, subject: { kind: 'organisation', id: auditedId(id) } };
}

async function save(transaction: StoreTransaction, organisation: Organisation): Promise<void> {
  await transaction.organisations.update(organisation);
  await transaction.changed('organisation', organisation.id);
}

function refuseFaults(organisation: Organisation): void {
  const faults = organisationFaults(organisation);
  if (faults.length === 0) return;
  throw new AppError('invalid', faults.map(({ problem }) => problem).join('\n'), { faults });
}

/** Only with its own claims: those of its API users are checked when they are set. */
async function refuseLongTokensOf(
  transaction: StoreTransaction,
  { id, policy, claims, updatedAt }: Organisation,
): Promise<void> {
  const { scopes, audiences } = policy;
  const own = { organisation: claims, apiUser: NO_CLAIMS };
  const parts = { clientId: EXAMPLE_CLIENT_ID, scopes, audiences, organisationId: id, claims: own };
  await refuseLongTokens(transaction, parts, updatedAt);
}

async function refuseTakenExternalId(
  transaction: Pick<StoreTransaction, 'organisations'>,
  { id, externalId }: Organisation,
): Promise<void> {
  const other =
    externalId === null ? undefined : await transaction.organisations.findByExternalId(externalId);
  if (other === undefined || other.id === id) return;
  const problem = `The external id "${externalId}" belongs to the organisation ${other.id}: choose another.`;
  throw new AppError('conflict', problem, { faults: [{ member: 'external_id', problem }] });
}
