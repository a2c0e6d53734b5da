import type { LimitPolicy } from './denial.ts';
import type { QuotaCall, QuotaTokens } from './quota.ts';
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
  /** Its organisation, if that has a limit over all its API users. */
  organisation: SharedOrganisation | null;
}

/** The limit of an organisation, over all its API users. The members are those of `SharedApiUser`. */
export type SharedOrganisation = Pick<SharedApiUser, 'id' | 'perMinute' | 'aheadMs'>;

/**
 * How far ahead the next arrival of each limit is after a call; null if the call did not reach this limit.
 */
export interface SharedCounts {
  /** The first limit that refuses the call; null: none. */
  refusedBy: LimitPolicy | null;
  addressAheadMs: number;
  failuresAheadMs: number | null;
  apiUserAheadMs: number | null;
  organisationAheadMs: number | null;
}

/** The connection to the process or Redis that counts the limits of all processes. */
export interface LimitTransport {
  /** Rejects on failure. It may be slow, but each call settles in the end, even without an answer. */
  count(call: SharedCall): Promise<SharedCounts>;
  /** Counts a token on the quota of an organisation. Rejects as `count` does. */
  countToken(call: QuotaCall): Promise<QuotaTokens>;
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
  /** The same for its organisation. */
  organisationAheadMs: number | null;
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
  /** Never rejects. Null if the quota cannot be shared now. */
  countToken(call: QuotaCall): Promise<QuotaTokens | null>;
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
  organisation: number | undefined;
}

/**
 * Counts one call on the limits, in this order; the first limit that refuses ends the call. Replaces
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
    organisationAheadMs: null,
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
  return call.apiUser === null ? counts : takeOwn(call.apiUser, kept, counts, nowMs);
}

/** Counts on the limits of the API user and of its organisation: on both, or on neither. */
function takeOwn(
  apiUser: SharedApiUser,
  kept: KeptArrivals,
  counts: SharedCounts,
  nowMs: number,
): SharedCounts {
  const { organisation } = apiUser;
  const user = limitOf(apiUser, kept.apiUser, nowMs);
  const all = organisation && limitOf(organisation, kept.organisation, nowMs);
  const taken = takeBoth(user, all, nowMs);
  kept.apiUser = taken.arrivalMs;
  if (taken.organisationMs !== null) kept.organisation = taken.organisationMs;
  return {
    ...counts,
    refusedBy: taken.refusedBy,
    apiUserAheadMs: taken.arrivalMs - nowMs,
    organisationAheadMs:
      taken.refusedBy === 'api-user' || taken.organisationMs === null ? null : taken.organisationMs - nowMs,
  };
}

function limitOf({ perMinute, aheadMs }: SharedOrganisation, keptMs = 0, nowMs: number): KeptLimit {
  return { perMinute, arrivalMs: Math.max(keptMs, nowMs + aheadMs) };
}

/** A limit, and the number that is kept for it (rate-limit.ts). */
export interface KeptLimit {
  perMinute: number;
  arrivalMs: number;
}

/** The outcome of a call on the limits of an API user and of its organisation. */
export interface TakenBoth {
  /** The first limit that refuses; null: none. Then neither limit is charged. */
  refusedBy: 'api-user' | 'organisation' | null;
  /** The state of the limit that refuses, else of the API user's. */
  state: LimitState;
  /** The numbers to keep for the API user and for the organisation. */
  arrivalMs: number;
  organisationMs: number | null;
}

/** Counts a call on the limits of an API user and of its organisation: on both, or on neither. */
export function takeBoth(apiUser: KeptLimit, organisation: KeptLimit | null, nowMs: number): TakenBoth {
  const own = takeCall(apiUser.arrivalMs, apiUser.perMinute, nowMs);
  if (!own.state.allowed || organisation === null) {
    const refusedBy = own.state.allowed ? null : 'api-user';
    const organisationMs = organisation && organisation.arrivalMs;
    return { refusedBy, state: own.state, arrivalMs: own.arrivalMs, organisationMs };
  }
  const all = takeCall(organisation.arrivalMs, organisation.perMinute, nowMs);
  const organisationMs = all.arrivalMs;
  return all.state.allowed
    ? { refusedBy: null, state: own.state, arrivalMs: own.arrivalMs, organisationMs }
    : { refusedBy: 'organisation', state: all.state, arrivalMs: apiUser.arrivalMs, organisationMs };
}

const UNCOUNTED: SharedCounts = {
  refusedBy: null,
  addressAheadMs: 0,
  failuresAheadMs: null,
  apiUserAheadMs: null,
  organisationAheadMs: null,
};

function refundFailure(call: SharedCall, kept: KeptArrivals, nowMs: number): SharedCounts {
  if (kept.failures !== undefined) kept.failures = refundCall(kept.failures, call.failuresPerMinute);
  const failuresAheadMs = Math.max(0, (kept.failures ?? nowMs) - nowMs);
  return { ...UNCOUNTED, failuresAheadMs };
}
