import { newOrganisationId } from './organisation-id.ts';
import { CREDENTIAL_KINDS } from './credential.ts';
import type { Fault } from './fault.ts';
import { QUOTA_MODES, VIOLATION_MODES, type Organisation } from './organisation.ts';
import { newSettings, type OrganisationRecord, type PolicyRecord } from './organisation-record.ts';
import { organisationFaults } from './organisation-faults.ts';
import {
  isObject,
  number,
  numberOrNull,
  object,
  shapeFaults,
  text,
  textOrNull,
  texts,
  timeFaults,
  truth,
  type Member,
} from './record-shape.ts';

// An organisation as one line of an export or import.

const oneOf = (values: readonly string[]): Member => ({
  is: values.join(' or '),
  fits: (value) => values.some((each) => each === value),
});

const MEMBERS: Readonly<Record<keyof OrganisationRecord, Member>> = {
  id: text,
  name: { ...text, required: true },
  contact: textOrNull,
  external_id: textOrNull,
  enabled: truth,
  policy: object,
  claims: object,
  created_at: text,
};

const POLICY_MEMBERS: Readonly<Record<keyof PolicyRecord, Member>> = {
  scopes: texts,
  audiences: texts,
  credential_kinds: {
    is: `a list of ${CREDENTIAL_KINDS.join(', ')}`,
    fits: (value) =>
      Array.isArray(value) && value.every((item) => CREDENTIAL_KINDS.some((kind) => kind === item)),
  },
  credential_days_max: numberOrNull,
  api_users_max: number,
  api_user_limit_max: numberOrNull,
  limit_per_minute: numberOrNull,
  quota: object,
  token_life_seconds: numberOrNull,
  allowed_networks: texts,
  second_factor_required: truth,
  trust_issuers: texts,
  introspects_all: truth,
  violations: oneOf(VIOLATION_MODES),
};

const QUOTA_MEMBERS: Readonly<Record<keyof PolicyRecord['quota'], Member>> = {
  mode: { ...oneOf(QUOTA_MODES), required: true },
  tokens_per_hour: { ...numberOrNull, required: true },
  tokens_per_day: { ...numberOrNull, required: true },
};

/**
 * Reads a line of an import: returns the organisation, or every fault of the line. It needs an id or an
 * external id, so that a repeated import makes it once.
 */
export function readOrganisationLine(json: unknown, nowMs: number): Organisation | Fault[] {
  if (!isObject(json)) return [{ member: '', problem: 'A line is a JSON object.' }];
  const shape = [...shapeFaults(json, MEMBERS), ...policyShapeFaults(json['policy'])];
  if (shape.length > 0) return shape;
  const record = json as Partial<OrganisationRecord> & { name: string };
  const { id, created_at: createdAt, enabled = true } = record;
  const organisation: Organisation = {
    id: id ?? newOrganisationId(),
    ...newSettings(record),
    enabled,
    createdAt: createdAt === undefined ? nowMs : Date.parse(createdAt),
    updatedAt: nowMs,
    version: 1,
  };
  const faults = [
    ...idFaults(id, organisation.externalId),
    ...timeFaults('created_at', createdAt),
    ...organisationFaults(organisation),
  ];
  return faults.length > 0 ? faults : organisation;
}

function policyShapeFaults(policy: unknown): Fault[] {
  if (!isObject(policy)) return [];
  const { quota } = policy;
  return [
    ...below('policy', shapeFaults(policy, POLICY_MEMBERS)),
    ...(isObject(quota) ? below('policy/quota', shapeFaults(quota, QUOTA_MEMBERS)) : []),
  ];
}

function below(path: string, faults: readonly Fault[]): Fault[] {
  return faults.map(({ member, problem }) => ({ member: `${path}/${member}`, problem }));
}

function idFaults(id: string | undefined, externalId: string | null): Fault[] {
  if (id === undefined)
    return externalId === null
      ? [
          {
            member: 'external_id',
            problem: 'Give an id or an external id: it tells a repeated import apart.',
          },
        ]
      : [];
  return /^org_[0-9A-Za-z]{20}$/.test(id)
    ? []
    : [{ member: 'id', problem: 'The id of an organisation is org_ and 20 letters and digits.' }];
}
