import type { ReadRecord } from '../domain/api-user-record.ts';
import type { Fault } from '../domain/fault.ts';
import type { Organisation } from '../domain/organisation.ts';
import {
  boundCredential,
  countProblem,
  credentialFault,
  settingsFaults,
} from '../domain/organisation-policy.ts';
import type { StoreTransaction } from '../storage/store.ts';
import { unknownOrganisation } from './organisation-policy.ts';

// The organisations of the lines of an import: which exist, and what their policies forbid.

/** By id. `apiUsers` counts also those of earlier lines. */
export type Organisations = Map<string, { organisation: Organisation; apiUsers: number }>;

/** Adds the organisations of these lines, except those that earlier lines brought. */
export async function addOrganisations(
  { organisations: rows }: Pick<StoreTransaction, 'organisations'>,
  records: readonly ReadRecord[],
  organisations: Organisations,
): Promise<void> {
  const added = await rows.listOf(idsOf(records).filter((id) => !organisations.has(id)));
  const sizes = await rows.sizes(added.map(({ id }) => id));
  for (const organisation of added) {
    const { apiUsers = 0 } = sizes.get(organisation.id) ?? {};
    organisations.set(organisation.id, { organisation, apiUsers });
  }
}

function idsOf(records: readonly ReadRecord[]): string[] {
  return Array.from(new Set(records.flatMap(({ user }) => user.organisationId ?? [])));
}

/** Why the organisation of the line may not have its API user; empty if it may. */
export function organisationFaults({ user, credentials }: ReadRecord, organisations: Organisations): Fault[] {
  if (user.organisationId === null) return [];
  const owner = organisations.get(user.organisationId);
  if (owner === undefined) return [unknownOrganisation(user.organisationId)];
  const { policy } = owner.organisation;
  const full = countProblem(policy, owner.apiUsers, 1);
  return [
    ...(full === null ? [] : [{ member: 'organisation_id', problem: full }]),
    ...settingsFaults(policy, user),
    ...credentials.flatMap((credential, i) => {
      // A line may name any time of creation; a later one than now would allow a longer life.
      const createdAt = Math.min(credential.createdAt, user.updatedAt);
      const fault = credentialFault(policy, { ...boundCredential(credential), createdAt });
      return fault === null ? [] : [{ ...fault, member: `credentials/${i}/${fault.member}` }];
    }),
  ];
}

/** Counts the API user of the line. */
export function occupy({ user }: ReadRecord, organisations: Organisations): void {
  const owner = user.organisationId === null ? undefined : organisations.get(user.organisationId);
  if (owner !== undefined) owner.apiUsers += 1;
}
