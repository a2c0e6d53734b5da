import type { LimitPolicy } from './denial.ts';
import { peekCall, refundCall, takeCall, type LimitState } from './rate-limit.ts';

// Limits that several processes count together: in Redis, or in the primary process of --workers.

/**
 * One call on the limits, which a request makes after the check of its credentials. If that check is slow,
 * the request makes one call before the check and a second one after it.
 */
export interface SharedCall {
  /** The network of the caller (network.ts). */
  network: string;
  addressPerMinute: number;
  /** Client id and network, in one text of bounded length. */
  failuresKey: string;
  failuresPerMinute: number;
  /**
   * 1 takes from the budget for failures. 0 only checks the budget. -1 refunds one failure and counts nothing
   * else.
   */
  failuresChange: FailuresChange;
  /** Null if the API user has not proven its identity. */
  apiUser: SharedApiUser | null;
}

export type FailuresChange = 1 | 0 | -1;

export interface SharedApiUser {
  id: string;
  perMinute: number;
  /**
   * How far ahead its next arrival (rate-limit.ts) is, as far as this process knows; 0 if it knows of none. A
   * Redis that was restarted or flushed learns from it what it has forgotten.
   */
  aheadMs: number;
}

/**
 * How far ahead the next arrival of each limit is after a call; null if the call did not reach this limit.
 */
export interface SharedCounts {
  /** The first limit that refuses the call; null: none. */
  refusedBy: LimitPolicy | null;
  addressAheadMs: number;
  failuresAheadMs: number | null;
  apiUserAheadMs: number | null;
}

/** The connection to the process or Redis that counts the limits of all processes. */
export interface LimitTransport {
  /** Rejects on failure. It may be slow, but each call settles in the end, even without an answer. */
  count(call: SharedCall): Promise<SharedCounts>;
  /** Closes its connections. */
  close(): void;
}

export interface SharedVerdict {
  /** The limit that refuses the call; null: none. */
  refusedBy: LimitPolicy | null;
  /**
   * The state of the limit that refuses. If all pass, that of the API user's limit; for a call without API
   * user, that of the failures.
   */
  limit: LimitState;
  /** How far ahead the next arrival of the API user is; null if the call did not reach its limit. */
  apiUserAheadMs: number | null;
}

export interface SharedLimits {
  /**
   * The parts into which a limit is divided now: 1 while it is shared, else one for each process (`ownPart`).
   */
  parts(): number;
  /** The parts into which a limit is divided while it cannot be shared. */
  processes: number;
  /**
   * Never rejects. Null if the limits cannot be shared now: the caller's own counters then decide, with its
   * part of each limit.
   */
  count(call: SharedCall, nowMs: number): Promise<SharedVerdict | null>;
}

/**
 * The part of a limit that one of `parts` processes allows: together never more than the limit, but at least
 * one call each.
 */
export function ownPart(perMinute: number, parts: number): number {
  return parts === 1 ? perMinute : Math.max(1, Math.floor(perMinute / parts));
}

/** The numbers kept in this process, one for each limit. */
export interface KeptArrivals {
  address: number | undefined;
  failures: number | undefined;
  apiUser: number | undefined;
}

/**
 * Counts one call on the three limits, in this order; the first limit that refuses ends the call. Replaces
 * the numbers in `kept`. The script in storage/redis/limits.ts does the same for numbers in Redis.
 */
export function takeTogether(call: SharedCall, kept: KeptArrivals, nowMs: number): SharedCounts {
  if (call.failuresChange === -1) return refundFailure(call, kept, nowMs);
  const address = takeCall(kept.address, call.addressPerMinute, nowMs);
  kept.address = address.arrivalMs;
  const counts: SharedCounts = {
    refusedBy: address.state.allowed ? null : 'address',
    addressAheadMs: address.arrivalMs - nowMs,
    failuresAheadMs: null,
    apiUserAheadMs: null,
  };
  if (counts.refusedBy !== null) return counts;

  if (call.failuresChange === 1) {
    const failures = takeCall(kept.failures, call.failuresPerMinute, nowMs);
    kept.failures = failures.arrivalMs;
    if (!failures.state.allowed) counts.refusedBy = 'failures';
    counts.failuresAheadMs = failures.arrivalMs - nowMs;
    return counts;
  }
  counts.failuresAheadMs = Math.max(0, (kept.failures ?? nowMs) - nowMs);
  if (!peekCall(kept.failures, call.failuresPerMinute, nowMs).allowed) {
    counts.refusedBy = 'failures';
    return counts;
  }
  const { apiUser } = call;
  if (apiUser === null) return counts;
  const arrivalMs = Math.max(kept.apiUser ?? 0, nowMs + apiUser.aheadMs);
  const own = takeCall(arrivalMs, apiUser.perMinute, nowMs);
  kept.apiUser = own.arrivalMs;
  if (!own.state.allowed) counts.refusedBy = 'api-user';
  counts.apiUserAheadMs = own.arrivalMs - nowMs;
  return counts;
}

function refundFailure(call: SharedCall, kept: KeptArrivals, nowMs: number): SharedCounts {
  if (kept.failures !== undefined) kept.failures = refundCall(kept.failures, call.failuresPerMinute);
  const failuresAheadMs = Math.max(0, (kept.failures ?? nowMs) - nowMs);
  return { refusedBy: null, addressAheadMs: 0, failuresAheadMs, apiUserAheadMs: null };
}
