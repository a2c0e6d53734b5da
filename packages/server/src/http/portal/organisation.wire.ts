import Type from 'typebox';
import type { OrganisationSummary } from '../../admin/organisation-summary.ts';
import type { MemberRole, OrganisationPolicy } from '../../domain/organisation.ts';
import { policyRecord, type PolicyRecord } from '../../domain/organisation-record.ts';
import { MEMBER_ROLES } from '../../domain/organisation.ts';
import { answerObject, closedObject, nullable, oneOf, shared, type Shared } from '../admin/schema.ts';

// An organisation as its members see it.

/** Without the settings that concern operators only. */
export type PortalPolicyJson = Omit<PolicyRecord, 'introspects_all' | 'violations'>;

export interface PortalOrganisationJson {
  id: string;
  name: string;
  contact: string | null;
  role: MemberRole | 'viewer';
  policy: PortalPolicyJson;
  counts: { api_users: number; api_users_enabled: number; members: number };
  tokens: { hour: number; day: number };
}

const list = (description: string) => Type.Array(Type.String(), { description });
const count = (description: string) => Type.Integer({ minimum: 0, description });
const bound = (description: string) => nullable(Type.Integer({ description: `${description}; null: none` }));

const policySchema = answerObject('What its API users may be and have', {
  scopes: list('The scopes that they may have'),
  audiences: list('The audiences that they may have; none: the default audience of the server'),
  credential_kinds: list('The kinds of credentials that they may have'),
  credential_days_max: bound('The longest life of a new credential, in days'),
  api_users_max: count('The most API users'),
  api_user_limit_max: bound('The highest limit of one API user, in calls a minute'),
  limit_per_minute: bound('Calls a minute of all together'),
  quota: closedObject({
    mode: Type.String({ description: 'observe: more tokens are issued and reported. enforce: refused' }),
    tokens_per_hour: bound('Tokens of all together, in an hour'),
    tokens_per_day: bound('Tokens of all together, in a day'),
  }),
  token_life_seconds: bound('Life of its tokens'),
  allowed_networks: list('The networks that they may call from; none: every network'),
  second_factor_required: Type.Boolean({ description: 'Whether members need a second factor' }),
  trust_issuers: list('The issuers that trust rules may name'),
});

export const portalOrganisationSchema: Shared<PortalOrganisationJson> = shared(
  'PortalOrganisation',
  'An organisation as its members see it',
  {
    id: Type.String(),
    name: Type.String(),
    contact: nullable(Type.String({ description: 'Whom to ask about it' })),
    role: oneOf([...MEMBER_ROLES, 'viewer'] as const, 'Of the caller; viewer: an operator, who only reads'),
    policy: policySchema,
    counts: answerObject('How many there are', {
      api_users: count('API users'),
      api_users_enabled: count('Those that get tokens'),
      members: count('Members, without invitations'),
    }),
    tokens: answerObject('Tokens of its API users, as far as that is written', {
      hour: count('In the present hour (UTC)'),
      day: count('In the present day (UTC)'),
    }),
  },
) as Shared<PortalOrganisationJson>;

export function portalOrganisationJson(
  { organisation, apiUsers, members, tokens }: OrganisationSummary,
  role: MemberRole | 'viewer',
): PortalOrganisationJson {
  const { id, name, contact, policy } = organisation;
  const counts = { api_users: apiUsers.total, api_users_enabled: apiUsers.enabled, members };
  return { id, name, contact, role, policy: policyForMembers(policy), counts, tokens };
}

function policyForMembers(policy: OrganisationPolicy): PortalPolicyJson {
  const { introspects_all: _all, violations: _violations, ...shown } = policyRecord(policy);
  return shown;
}
