import { NO_CLAIMS, type Claims } from './claims.ts';
import type { CredentialKind } from './credential.ts';
import {
  DEFAULT_POLICY,
  type Organisation,
  type OrganisationPolicy,
  type OrganisationSettings,
  type TokenQuota,
} from './organisation.ts';

// An organisation in JSON: the one spelling of store, export, admin API, commands and audit log.

export interface PolicyRecord {
  scopes: readonly string[];
  audiences: readonly string[];
  credential_kinds: readonly CredentialKind[];
  credential_days_max: number | null;
  api_users_max: number;
  api_user_limit_max: number | null;
  limit_per_minute: number | null;
  quota: { mode: TokenQuota['mode']; tokens_per_hour: number | null; tokens_per_day: number | null };
  token_life_seconds: number | null;
  allowed_networks: readonly string[];
  second_factor_required: boolean;
  trust_issuers: readonly string[];
  introspects_all: boolean;
  violations: OrganisationPolicy['violations'];
}

export interface OrganisationRecord {
  id: string;
  name: string;
  contact: string | null;
  external_id: string | null;
  enabled: boolean;
  policy: PolicyRecord;
  claims: Claims;
  created_at: string;
}

export function policyRecord(policy: OrganisationPolicy): PolicyRecord {
  const { quota } = policy;
  return {
    scopes: policy.scopes,
    audiences: policy.audiences,
    credential_kinds: policy.credentialKinds,
    credential_days_max: policy.credentialDaysMax,
    api_users_max: policy.apiUsersMax,
    api_user_limit_max: policy.apiUserLimitMax,
    limit_per_minute: policy.limitPerMinute,
    quota: { mode: quota.mode, tokens_per_hour: quota.tokensPerHour, tokens_per_day: quota.tokensPerDay },
    token_life_seconds: policy.tokenLifeSeconds,
    allowed_networks: policy.allowedNetworks,
    second_factor_required: policy.secondFactorRequired,
    trust_issuers: policy.trustIssuers,
    introspects_all: policy.introspectsAll,
    violations: policy.violations,
  };
}

/** What the record leaves out keeps its value in `policy`. */
export function policyOf(
  record: Partial<PolicyRecord>,
  policy: OrganisationPolicy = DEFAULT_POLICY,
): OrganisationPolicy {
  const { quota } = record;
  return {
    scopes: record.scopes ?? policy.scopes,
    audiences: record.audiences ?? policy.audiences,
    credentialKinds: record.credential_kinds ?? policy.credentialKinds,
    credentialDaysMax: chosen(record.credential_days_max, policy.credentialDaysMax),
    apiUsersMax: record.api_users_max ?? policy.apiUsersMax,
    apiUserLimitMax: chosen(record.api_user_limit_max, policy.apiUserLimitMax),
    limitPerMinute: chosen(record.limit_per_minute, policy.limitPerMinute),
    quota:
      quota === undefined
        ? policy.quota
        : { mode: quota.mode, tokensPerHour: quota.tokens_per_hour, tokensPerDay: quota.tokens_per_day },
    tokenLifeSeconds: chosen(record.token_life_seconds, policy.tokenLifeSeconds),
    allowedNetworks: record.allowed_networks ?? policy.allowedNetworks,
    secondFactorRequired: record.second_factor_required ?? policy.secondFactorRequired,
    trustIssuers: record.trust_issuers ?? policy.trustIssuers,
    introspectsAll: record.introspects_all ?? policy.introspectsAll,
    violations: record.violations ?? policy.violations,
  };
}

function chosen(value: number | null | undefined, before: number | null): number | null {
  return value === undefined ? before : value;
}

export function organisationRecord(organisation: Organisation): OrganisationRecord {
  return {
    id: organisation.id,
    name: organisation.name,
    contact: organisation.contact,
    external_id: organisation.externalId,
    enabled: organisation.enabled,
    policy: policyRecord(organisation.policy),
    claims: organisation.claims,
    created_at: new Date(organisation.createdAt).toISOString(),
  };
}

/** Settings in JSON, as requests and commands give them. */
export type SettingsInput = Partial<
  Pick<OrganisationRecord, 'name' | 'contact' | 'external_id' | 'claims'>
> & {
  policy?: Partial<PolicyRecord>;
};

/** The settings of `before`, except those that the input names. Of the policy, too, it may name a part. */
export function changedSettings(before: OrganisationSettings, input: SettingsInput): OrganisationSettings {
  return {
    name: input.name ?? before.name,
    contact: input.contact === undefined ? before.contact : input.contact,
    externalId: input.external_id === undefined ? before.externalId : input.external_id,
    policy: input.policy === undefined ? before.policy : policyOf(input.policy, before.policy),
    claims: input.claims ?? before.claims,
  };
}

/** All settings of a new organisation: what the input leaves out is unset, or has the default policy. */
export function newSettings(input: SettingsInput & { name: string }): OrganisationSettings {
  const unset = { contact: null, externalId: null, policy: DEFAULT_POLICY, claims: NO_CLAIMS };
  return changedSettings({ name: input.name, ...unset }, input);
}
