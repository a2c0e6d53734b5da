// Organisations and their API users, written as another process writes them.
import { newOrganisationId } from '../../server/src/domain/organisation-id.ts';
import { createApiUserWithSecret } from '../../server/src/admin/api-user-with-secret.ts';
import { SYSTEM } from '../../server/src/domain/actor.ts';
import type { ApiUser, ApiUserSettings } from '../../server/src/domain/api-user.ts';
import type { Claims } from '../../server/src/domain/claims.ts';
import {
  DEFAULT_POLICY,
  type Organisation,
  type OrganisationPolicy,
} from '../../server/src/domain/organisation.ts';
import type { Store } from '../../server/src/storage/store.ts';
import { apiUserSettings } from './temporary-store.ts';

export interface OrganisationSettings extends Partial<Pick<Organisation, 'name' | 'enabled' | 'claims'>> {
  policy?: Partial<OrganisationPolicy>;
}

export interface OrganisationApiUser {
  clientId: string;
  secret: string;
  /** The form of a token request. */
  form: { client_id: string; client_secret: string };
}

const POLICY: OrganisationPolicy = {
  ...DEFAULT_POLICY,
  scopes: ['campaigns:read', 'campaigns:write'],
  audiences: ['https://api.example.com/', 'https://reports.example.com/'],
};

export async function newOrganisation(
  store: Store,
  { policy, ...settings }: OrganisationSettings = {},
): Promise<Organisation> {
  const organisation: Organisation = {
    id: newOrganisationId(),
    name: 'Agency',
    contact: null,
    externalId: null,
    enabled: true,
    claims: {},
    createdAt: 1,
    updatedAt: 1,
    version: 1,
    ...settings,
    policy: { ...POLICY, ...policy },
  };
  await store.write(async (transaction) => {
    await transaction.organisations.insert(organisation);
    await transaction.changed('organisation', organisation.id);
  });
  return organisation;
}

export async function changeOrganisation(
  store: Store,
  id: string,
  { policy, ...settings }: OrganisationSettings,
): Promise<void> {
  await store.write(async (transaction) => {
    const before = await transaction.organisations.find(id);
    if (before === undefined) throw new Error(`There is no organisation ${id}.`);
    await transaction.organisations.update({
      ...before,
      ...settings,
      policy: { ...before.policy, ...policy },
      version: before.version + 1,
    });
    await transaction.changed('organisation', id);
  });
}

export async function userOf(
  store: Store,
  organisationId: string | null,
  settings: Partial<ApiUserSettings> = {},
): Promise<OrganisationApiUser> {
  const change = { store, actor: SYSTEM, nowMs: Date.now() };
  const secretSettings = { name: 'first', expiresAt: null };
  const organisation = organisationId === null ? undefined : await store.organisations.find(organisationId);
  const audiences = organisation?.policy.audiences.slice(0, 1) ?? [];
  const input = { ...apiUserSettings({ audiences, ...settings }), organisationId };
  const { user, secret } = await createApiUserWithSecret(change, input, secretSettings);
  const { clientId } = user;
  return { clientId, secret, form: { client_id: clientId, client_secret: secret } };
}

/** Changes the row of an API user, whatever the policy of its organisation says. */
export async function changeUser(store: Store, clientId: string, changes: Partial<ApiUser>): Promise<void> {
  await store.write(async (transaction) => {
    const before = await transaction.apiUsers.find(clientId);
    if (before === undefined) throw new Error(`There is no API user ${clientId}.`);
    await transaction.apiUsers.update({ ...before, ...changes, version: before.version + 1 });
    await transaction.changed('api_user', clientId);
  });
}

export async function setAudience(
  store: Store,
  audience: string,
  settings: { claims?: Claims; tokenLifeSeconds?: number | null },
): Promise<void> {
  await store.write(async (transaction) => {
    const row = { audience, claims: {}, tokenLifeSeconds: null, updatedAt: 1, version: 1, ...settings };
    await transaction.audienceSettings.put(row);
    await transaction.changed('audience_settings', audience);
  });
}
