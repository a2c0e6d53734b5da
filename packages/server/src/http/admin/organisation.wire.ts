import Type, { type TUnsafe } from 'typebox';
import type { ListedOrganisation } from '../../admin/organisation.ts';
import type { Claims } from '../../domain/claims.ts';
import { CREDENTIAL_KINDS } from '../../domain/credential.ts';
import { QUOTA_MODES, VIOLATION_MODES, type Organisation } from '../../domain/organisation.ts';
import type { Violation } from '../../domain/organisation-policy.ts';
import {
  organisationRecord,
  type OrganisationRecord,
  type PolicyRecord,
} from '../../domain/organisation-record.ts';
import { closedObject, iso, KINDS_TEXT, nullable, oneOf, shared, text, time, type Shared } from './schema.ts';

// Organisations in JSON. `mintmark organisation --json` has the same names.

export interface OrganisationJson extends OrganisationRecord {
  updated_at: string;
  version: number;
}

export interface ListedOrganisationJson extends OrganisationJson {
  api_users: number;
  members: number;
}

export interface ViolationJson {
  client_id: string | null;
  api_user_name: string | null;
  credential_id: string | null;
  member: string;
  detail: string;
}

/** Larger than the limits of domain/organisation-faults.ts, which explains a refusal better than a schema. */
const TEXT_LENGTH_MAX = 1000;
const ITEMS_MAX = 100;

function list(description: string) {
  return Type.Array(text('One of them', TEXT_LENGTH_MAX), { maxItems: ITEMS_MAX, description });
}

function whole(description: string) {
  return Type.Integer({ minimum: 0, description });
}

/** Any JSON values: domain/claims.ts checks them. */
export function claimsInput(description: string): TUnsafe<Claims> {
  return Type.Unsafe<Claims>({ type: 'object', additionalProperties: true, description });
}

const quota = closedObject(
  {
    mode: oneOf(QUOTA_MODES, 'observe: tokens beyond it are issued and reported. enforce: they are refused'),
    tokens_per_hour: nullable(whole('Per hour (UTC); null: no quota')),
    tokens_per_day: nullable(whole('Per day (UTC); null: no quota')),
  },
  { description: 'Tokens of all its API users together' },
);

const policy = {
  scopes: list('The scopes that its API users may have; none begins with `mintmark:`'),
  audiences: list('The audiences that they may have. None: only the default audience of the server'),
  credential_kinds: Type.Array(oneOf(CREDENTIAL_KINDS, KINDS_TEXT), {
    maxItems: CREDENTIAL_KINDS.length,
    description: 'The kinds of credentials that they may have',
  }),
  credential_days_max: nullable(whole('The longest life of a new credential, in days; null: no bound')),
  api_users_max: whole('How many API users it may have'),
  api_user_limit_max: nullable(whole('The highest limit of one API user, in calls a minute; null: no bound')),
  limit_per_minute: nullable(whole('Calls a minute of all its API users together; null: no such limit')),
  quota,
  token_life_seconds: nullable(whole('Life of its tokens; null: that of the audience or server')),
  allowed_networks: list('Networks that its API users may call from. None: anywhere'),
  second_factor_required: Type.Boolean({ description: 'Its members need a second factor' }),
  trust_issuers: list('The issuers that trust rules may name'),
  introspects_all: Type.Boolean({
    description: 'Its API users may introspect tokens of other organisations, too',
  }),
  violations: oneOf(
    VIOLATION_MODES,
    'What happens to what a stricter policy forbids. report: it is listed. end: API users are disabled, credentials retired',
  ),
};

export const policySchema: TUnsafe<PolicyRecord> = Type.Unsafe<PolicyRecord>(
  closedObject(policy, { description: 'What its API users may be and have' }),
);

export const policyChangesSchema: TUnsafe<Partial<PolicyRecord>> = Type.Unsafe<Partial<PolicyRecord>>(
  Type.Partial(Type.Object(policy), {
    additionalProperties: false,
    description: 'What is left out stays; in a new organisation, it has the default',
  }),
);

const settings = {
  name: text('Its name', TEXT_LENGTH_MAX),
  contact: nullable(text('Whom to ask about it', TEXT_LENGTH_MAX)),
  external_id: nullable(text('Its id in another system; unique', TEXT_LENGTH_MAX)),
  claims: claimsInput('Claims of the tokens of all its API users'),
};

const properties = {
  id: Type.String(),
  ...settings,
  enabled: Type.Boolean({ description: 'False: its API users are refused tokens, its members see nothing' }),
  policy: policySchema,
  created_at: time('When it was made'),
  updated_at: time('When it was last changed'),
  version: Type.Integer({ minimum: 1, description: 'One more with each change; its ETag' }),
};

export const organisationSchema: Shared<OrganisationJson> = shared(
  'Organisation',
  'An organisation',
  properties,
);

export const listedOrganisationSchema: Shared<ListedOrganisationJson> = shared(
  'ListedOrganisation',
  'An organisation, and how many API users and members it has',
  { ...properties, api_users: whole('Its API users'), members: whole('Its members') },
);

export const violationSchema: Shared<ViolationJson> = shared(
  'Violation',
  'Something that exists although the policy forbids it',
  {
    client_id: nullable(Type.String({ description: 'Null: the organisation has too many API users' })),
    api_user_name: nullable(Type.String()),
    credential_id: nullable(Type.String({ description: 'Null: a setting of the API user' })),
    member: Type.String({ description: 'The setting, or the member of the credential' }),
    detail: Type.String({ description: 'What the policy forbids, and what to do' }),
  },
);

export type OrganisationChangesJson = Partial<
  Pick<OrganisationRecord, 'name' | 'contact' | 'external_id' | 'claims'>
> & { policy?: Partial<PolicyRecord> };

export type NewOrganisationJson = OrganisationChangesJson & { name: string };

export const newOrganisationSchema: TUnsafe<NewOrganisationJson> = Type.Unsafe<NewOrganisationJson>(
  closedObject({
    ...Type.Partial(Type.Object(settings)).properties,
    name: settings.name,
    policy: Type.Optional(policyChangesSchema),
  }),
);

export const organisationChangesSchema: TUnsafe<OrganisationChangesJson> =
  Type.Unsafe<OrganisationChangesJson>(
    closedObject(
      {
        ...Type.Partial(Type.Object(settings)).properties,
        policy: Type.Optional(policyChangesSchema),
      },
      { minProperties: 1, description: 'What is to be otherwise; null takes a setting back' },
    ),
  );

export function organisationJson(organisation: Organisation): OrganisationJson {
  const { updatedAt, version } = organisation;
  return { ...organisationRecord(organisation), updated_at: iso(updatedAt), version };
}

export function listedOrganisationJson(listed: ListedOrganisation): ListedOrganisationJson {
  const { organisation, apiUsers, members } = listed;
  return { ...organisationJson(organisation), api_users: apiUsers, members };
}

export function violationJson(violation: Violation): ViolationJson {
  return {
    client_id: violation.clientId,
    api_user_name: violation.apiUserName,
    credential_id: violation.credentialId,
    member: violation.member,
    detail: violation.problem,
  };
}
