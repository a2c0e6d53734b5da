import type { QuotaUnit } from './quota.ts';
import type { LimitState } from './rate-limit.ts';

/**
 * Why a caller gets no token. It is a value, not an exception: `http/error-response.ts` turns each denial
 * into a status and a body (contract: "Every error is JSON"). Callers see `description`; only the log shows
 * `reason`.
 */
export type Denial =
  | { denied: 'invalid_request'; description: string }
  | { denied: 'unsupported_grant_type' }
  | { denied: 'invalid_scope'; description: string }
  | { denied: 'invalid_target'; description: string }
  | {
      denied: 'invalid_client';
      reason: AuthenticationFailure;
      refusedBy?: readonly RefusingCredential[] | undefined;
    }
  | { denied: 'unauthorized_client'; reason: 'address_not_allowed' | 'may_not_introspect' | 'not_its_token' }
  | { denied: 'rate_limit_exceeded'; policy: LimitPolicy; limit: LimitState }
  /** `tokens`: the quota of the organisation. */
  | { denied: 'quota_exceeded'; unit: QuotaUnit; tokens: number; waitMs: number }
  | { denied: 'temporarily_unavailable'; reason: string; cause?: 'keys_away' }
  | { denied: 'overloaded' };

/**
 * The exact cause of an `invalid_client`, for the operator's log. Callers get the same answer for all causes.
 */
export type AuthenticationFailure =
  | 'unknown_client_id'
  | 'unknown_secret'
  | 'malformed_secret'
  | 'wrong_secret'
  | 'wrong_password'
  | 'expired_secret'
  | 'retired_secret'
  | 'expired_password'
  | AssertionFailure
  | 'api_user_disabled'
  | 'organisation_disabled';

/** Why an assertion does not prove the caller. `malformed_assertion`: also a header that is not accepted. */
export type AssertionFailure =
  | 'malformed_assertion'
  | 'assertion_algorithm'
  | 'unknown_key'
  | 'wrong_signature'
  | 'expired_assertion'
  | 'early_assertion'
  | 'assertion_life'
  | 'assertion_audience'
  | 'assertion_subject'
  | 'assertion_id'
  | 'assertion_reused'
  | 'untrusted_issuer'
  | 'claim_mismatch'
  | 'retired_key'
  | 'expired_key'
  | 'retired_trust_rule'
  | 'expired_trust_rule';

/** The key or trust rule that refused an assertion. */
export interface RefusingCredential {
  credentialId: string;
  reason: AuthenticationFailure;
  /**
   * The check that failed, with its values, for operators; null if the reason says all. A function, because
   * the time for the text would tell callers about the rule.
   */
  detail(): string | null;
}

/** The limit that was reached: its name in the `RateLimit` and `RateLimit-Policy` fields. */
export type LimitPolicy = 'api-user' | 'organisation' | 'address' | 'failures';

export function invalidRequest(description: string): Denial {
  return { denied: 'invalid_request', description };
}

/**
 * True for a `Denial`, whatever the other members of the union are. Reads the tag, because `in` costs several
 * times as much on values of many shapes.
 */
export function isDenial(value: object): value is Denial {
  return (value as Partial<Denial>).denied !== undefined;
}
