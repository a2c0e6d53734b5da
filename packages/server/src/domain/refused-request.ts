import type { Denial } from './denial.ts';
import { UNIT_MS } from './usage.ts';

/** A refused request that named an API user, as operators and members look it up. */
export interface RefusedRequest {
  clientId: string;
  /** Milliseconds since 1970 (UTC). */
  at: number;
  /** The `x-request-id` of the response. */
  traceId: string;
  address: string;
  /** The network of the address: an IPv4 address, or a /64 of IPv6. */
  network: string;
  /** Whether the caller proved that it is the API user, or has lost that proof: strangers cannot. */
  proved: boolean;
  reason: string;
  /** The credential that the request presented; null if it is not known. */
  credentialId: string | null;
  /** The check that failed, with its values; null if the reason says all. */
  detail: string | null;
}

/** How long refused requests are kept. */
export const REFUSED_REQUESTS_KEPT_MS: number = UNIT_MS.day;
/**
 * The most refused requests of each API user: of its own callers, and the same number of others. Those of
 * strangers never take the place of those of its own callers.
 */
export const REFUSED_REQUESTS_KEPT_EACH = 50;

/** Whether only the API user itself, or a former caller of it, can get this denial. */
export function provesCaller(denial: Denial): boolean {
  switch (denial.denied) {
    case 'invalid_client':
      return AFTER_PROOF.has(denial.reason);
    case 'rate_limit_exceeded':
      return denial.policy !== 'address' && denial.policy !== 'failures';
    case 'invalid_request':
    case 'unsupported_grant_type':
    case 'temporarily_unavailable':
    case 'overloaded':
      return false;
    case 'invalid_scope':
    case 'invalid_target':
    case 'unauthorized_client':
    case 'quota_exceeded':
      return true;
  }
}

/** Reasons that follow a secret or password which matched. */
const AFTER_PROOF: ReadonlySet<string> = new Set([
  'expired_secret',
  'retired_secret',
  'expired_password',
  'api_user_disabled',
  'organisation_disabled',
]);
