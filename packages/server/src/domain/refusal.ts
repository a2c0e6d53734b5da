import type { Caller } from './caller.ts';
import type { Denial, LimitPolicy } from './denial.ts';
import type { KnownApiUser } from './known-api-user.ts';

/** A request that got a denial, as it is logged and counted. */
export interface Refusal {
  denial: Denial;
  /** Null if the request was refused before its credentials were checked: it is counted, but not logged. */
  caller: Caller | null;
  /** The API user that the request names; undefined if this process does not know it. */
  apiUser: KnownApiUser | undefined;
}

export function refusal(denial: Denial, caller: Caller | null = null, apiUser?: KnownApiUser): Refusal {
  return { denial, caller, apiUser };
}

/** True for a `Refusal`, whatever the other members of the union are. */
export function isRefusal(value: object): value is Refusal {
  return (value as Partial<Refusal>).denial !== undefined;
}

/**
 * The exact reasons of refusals, for operators and never for callers. The set is bounded, because each reason
 * is a row in the store and a label in the metrics.
 */
export const REFUSAL_REASONS = [
  'invalid_request',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
  'unknown_client_id',
  'unknown_secret',
  'malformed_secret',
  'wrong_secret',
  'wrong_password',
  'expired_secret',
  'retired_secret',
  'expired_password',
  'malformed_assertion',
  'assertion_algorithm',
  'unknown_key',
  'wrong_signature',
  'expired_assertion',
  'early_assertion',
  'assertion_life',
  'assertion_audience',
  'assertion_subject',
  'assertion_id',
  'assertion_reused',
  'untrusted_issuer',
  'claim_mismatch',
  'retired_key',
  'expired_key',
  'retired_trust_rule',
  'expired_trust_rule',
  'api_user_disabled',
  'organisation_disabled',
  'address_not_allowed',
  'may_not_introspect',
  'not_its_token',
  'api_user_limit',
  'organisation_limit',
  'organisation_quota',
  'address_limit',
  'failures_limit',
  'keys_away',
  'temporarily_unavailable',
  'overloaded',
] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number];

const LIMIT_REASONS: Readonly<Record<LimitPolicy, RefusalReason>> = {
  'api-user': 'api_user_limit',
  organisation: 'organisation_limit',
  address: 'address_limit',
  failures: 'failures_limit',
};

export function refusalReason(denial: Denial): RefusalReason {
  switch (denial.denied) {
    case 'invalid_client':
    case 'unauthorized_client':
      return denial.reason;
    case 'rate_limit_exceeded':
      return LIMIT_REASONS[denial.policy];
    case 'quota_exceeded':
      return 'organisation_quota';
    case 'invalid_request':
    case 'unsupported_grant_type':
    case 'invalid_scope':
    case 'invalid_target':
    case 'overloaded':
      return denial.denied;
    case 'temporarily_unavailable':
      return denial.cause ?? denial.denied;
  }
}
