import type { ApiUser } from '../domain/api-user.ts';
import { AppError } from '../domain/app-error.ts';
import type { Fault } from '../domain/fault.ts';
import type { Organisation, OrganisationPolicy } from '../domain/organisation.ts';
import {
  countProblem,
  credentialFault,
  latestExpiry,
  type BoundCredential,
} from '../domain/organisation-policy.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';

// How changes keep to the policy of an organisation. One transaction runs at a time across all processes
// (storage/connections.ts), so the policy and the API users stay as they are between the check and the write.

/** The organisation that an input names. Throws an AppError if it does not exist. */
export async function namedOrganisation(
  { organisations }: Pick<Store, 'organisations'>,
  id: string,
): Promise<Organisation> {
  const organisation = await organisations.find(id);
  if (organisation !== undefined) return organisation;
  const fault = unknownOrganisation(id);
  throw new AppError('invalid', fault.problem, { faults: [fault] });
}

export function unknownOrganisation(id: string): Fault {
  return { member: 'organisation_id', problem: `There is no organisation "${id}".` };
}

/** For an organisation that a path or argument names. */
export function noOrganisation(id: string): AppError {
  const hint = ': mintmark organisation list shows all.';
  return new AppError('not_found', `There is no organisation "${id}".`, { hint });
}

/** Throws an AppError if the organisation has as many API users as its policy allows. */
export async function refuseTooManyApiUsers(
  transaction: Pick<StoreTransaction, 'organisations'>,
  { id, policy }: Organisation,
  more: number,
): Promise<void> {
  const size = (await transaction.organisations.sizes([id])).get(id);
  const problem = countProblem(policy, size?.apiUsers ?? 0, more);
  if (problem === null) return;
  throw new AppError('conflict', problem, { faults: [{ member: 'organisation_id', problem }] });
}

/**
 * The expiry time of a new credential: the requested one; without one, the latest that the policy allows.
 * Throws an AppError if the policy forbids the credential.
 */
export function allowedExpiry(policy: OrganisationPolicy | null, credential: BoundCredential): number | null {
  if (policy === null) return credential.expiresAt;
  const expiresAt = credential.expiresAt ?? latestExpiry(policy, credential.createdAt);
  refuseCredential(policy, { ...credential, expiresAt });
  return expiresAt;
}

/** Throws an AppError if the policy forbids the credential. */
export function refuseCredential(policy: OrganisationPolicy, credential: BoundCredential): void {
  const fault = credentialFault(policy, credential);
  if (fault === null) return;
  const member = fault.member === 'issuer' ? 'trust_rule/issuer' : fault.member;
  throw new AppError('invalid', fault.problem, { faults: [{ ...fault, member }] });
}

/** The policy of the API user's organisation; null: it belongs to the platform. */
export async function policyOfOwner(
  { organisations }: Pick<Store, 'organisations'>,
  { organisationId }: Pick<ApiUser, 'organisationId'>,
): Promise<OrganisationPolicy | null> {
  if (organisationId === null) return null;
  return (await organisations.find(organisationId))?.policy ?? null;
}
