import type { Denial, LimitPolicy } from './denial.ts';

/**
 * Why a request was refused, exactly, as it is counted: for the operator, never for the caller. A bounded set, because
 * each one is a row in the store and a label in the metrics.
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
  'api_user_disabled',
  'address_not_allowed',
  'may_not_introspect',
  'not_its_token',
  'api_user_limit',
  'address_limit',
  'failures_limit',
  'temporarily_unavailable',
  'overloaded',
] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number];

const LIMIT_REASONS: Readonly<Record<LimitPolicy, RefusalReason>> = {
  'api-user': 'api_user_limit',
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
    case 'invalid_request':
    case 'unsupported_grant_type':
    case 'invalid_scope':
    case 'invalid_target':
    case 'temporarily_unavailable':
    case 'overloaded':
      return denial.denied;
  }
}

/** Refused before anybody asked who calls: no API user has a part in it. */
export function isAnonymous(denial: Denial): boolean {
  switch (denial.denied) {
    case 'invalid_request':
    case 'unsupported_grant_type':
    case 'overloaded':
      return true;
    case 'rate_limit_exceeded':
      return denial.policy === 'address';
    case 'invalid_scope':
    case 'invalid_target':
    case 'invalid_client':
    case 'unauthorized_client':
    case 'temporarily_unavailable':
      return false;
  }
}
