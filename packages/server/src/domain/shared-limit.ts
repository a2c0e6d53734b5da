import type { LimitPolicy } from './denial.ts';
import { peekCall, refundCall, takeCall, type LimitState } from './rate-limit.ts';

// Limits that several processes count together: in Redis, or in the primary process of --workers.

/**
 * What a request asks of the limits, in one call: after its credentials were checked, or, where that is slow, before; then a
 * second call follows the check.
 */
export interface SharedCall {
  /** The network of the caller (network.ts). */
  network: string;
  addressPerMinute: number;
  /** Client id and network, in one text of bounded length. */
  failuresKey: string;
  failuresPerMinute: number;
  /** 1: takes from the budget for failures. 0: only asks it. -1: gives one back, and counts nothing else. */
  failuresChange: FailuresChange;
  /** Null where the API user has not proven who it is. */
  apiUser: SharedApiUser | null;
}

export type FailuresChange = 1 | 0 | -1;

export interface SharedApiUser {
  id: string;
  perMinute: number;
  /**
   * How far ahead its next arrival (rate-limit.ts) is as far as this process knows; 0 where it knows of none. So a Redis
   * that was restarted or flushed is told what it has forgotten.
   */
  aheadMs: number;
}

/** How far ahead the next arrival of each limit is after a call; null where the call did not get as far as this limit. */
export interface SharedCounts {
  /** The first limit that refuses the call; null: none. */
  refusedBy: LimitPolicy | null;
  addressAheadMs: number;
  failuresAheadMs: number | null;
  apiUserAheadMs: number | null;
}

/** The way to where limits are counted together. */
export interface LimitTransport {
  /** Rejects where it fails. It may be slow, but each call comes to an end at last, even if nobody answers. */
  take(call: SharedCall): Promise<SharedCounts>;
  /** Ends what it keeps open. */
  close(): void;
}

export interface SharedVerdict {
  /** Which limit refuses the call; null: none. */
  refusedBy: LimitPolicy | null;
  /** Of the API user where it is known and not refused, else of the limit that refuses, or of the failures. */
  limit: LimitState;
  /** How far ahead the next arrival of the API user is; null where it was not asked. */
  apiUserAheadMs: number | null;
}

export interface SharedLimits {
  /** How many parts a limit is in just now: 1 while it is shared, else as many as there are processes (`ownPart`). */
  parts(): number;
  /** In how many parts it is where limits cannot be shared. */
  processes: number;
  /**
   * Never rejects: null where the limits cannot be shared just now. Then the caller's own counters decide, with its part
   * of each limit.
   */
  take(call: SharedCall, nowMs: number): Promise<SharedVerdict | null>;
}

/** What one of `parts` processes lets through of a limit: all together never more than the limit, but each one call. */
export function ownPart(perMinute: number, parts: number): number {
  return parts === 1 ? perMinute : Math.max(1, Math.floor(perMinute / parts));
}

/** Where numbers are kept in this process: one for each limit. */
export interface KeptArrivals {
  address: number | undefined;
  failures: number | undefined;
  apiUser: number | undefined;
}

/**
 * One call on the three limits, in this order; the first that refuses ends it. Puts the new numbers in the place of
 * those in `kept`. What the script in storage/redis-limits.ts does, for numbers that are here.
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
  const known = Math.max(kept.apiUser ?? 0, nowMs + apiUser.aheadMs);
  const own = takeCall(known, apiUser.perMinute, nowMs);
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
