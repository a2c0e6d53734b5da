import type { TokenQuota } from './organisation.ts';
import { startOf, UNIT_MS } from './usage.ts';

// The quota of an organisation: tokens of all its API users per hour and day (UTC), counted when they are
// issued.

/** The units of quotas. */
export type QuotaUnit = 'hour' | 'day';

export const QUOTA_UNITS: readonly QuotaUnit[] = ['hour', 'day'];

/** The tokens of an organisation in the running hour and day, as far as this process knows. */
export interface QuotaCount {
  /** The start of the hour, in milliseconds since 1970 (UTC). */
  hourAt: number;
  dayAt: number;
  /** All tokens of the hour that this process knows of. */
  hour: number;
  day: number;
  /** Those of them that this process alone knows of: it issued them while the quota could not be shared. */
  hourAlone: number;
  dayAlone: number;
  /** The start of the last hour and day for which it was reported that the quota is used up. */
  hourReportedAt: number;
  dayReportedAt: number;
}

/** Not small integers, so that V8 lays out the fields as doubles from the start. */
export const NO_TOKENS: Readonly<QuotaCount> = {
  hourAt: Number.NEGATIVE_INFINITY,
  dayAt: Number.NEGATIVE_INFINITY,
  hour: 0,
  day: 0,
  hourAlone: 0,
  dayAlone: 0,
  hourReportedAt: Number.NEGATIVE_INFINITY,
  dayReportedAt: Number.NEGATIVE_INFINITY,
};

/** One token on the quota of an organisation that several processes count together. */
export interface QuotaCall {
  organisationId: string;
  /** 0: only reports what this process knows, and is never refused. */
  tokens: 0 | 1;
  /** False: the token is counted and never refused. */
  enforces: boolean;
  /** Null: no quota. */
  perHour: number | null;
  perDay: number | null;
  hourAt: number;
  dayAt: number;
  /** Tokens that were counted before, as far as this process knows, without those that it counted alone. */
  hour: number;
  day: number;
  /** Tokens that the other processes do not know of. They are added. */
  hourAlone: number;
  dayAlone: number;
}

/** The tokens after a call. */
export interface QuotaTokens {
  /** The first quota that refuses the token; null: none. */
  refusedBy: QuotaUnit | null;
  hour: number;
  day: number;
}

/** Starts the count again in a new hour or day. */
export function turnCount(count: QuotaCount, nowMs: number): void {
  const hourAt = startOf('hour', nowMs);
  if (hourAt > count.hourAt) {
    count.hourAt = hourAt;
    count.hour = 0;
    count.hourAlone = 0;
  }
  const dayAt = startOf('day', nowMs);
  if (dayAt > count.dayAt) {
    count.dayAt = dayAt;
    count.day = 0;
    count.dayAlone = 0;
  }
}

/** The members of a call that say what is counted and when it is refused. */
type Taking = Pick<QuotaCall, 'tokens' | 'enforces' | 'perHour' | 'perDay'>;

/** Counts one token on a number of tokens each, unless a quota refuses it. */
export function takeToken(quota: Taking, before: { hour: number; day: number }): QuotaTokens {
  const { tokens, enforces, perHour, perDay } = quota;
  const refusedBy =
    !enforces || tokens === 0
      ? null
      : perDay !== null && before.day >= perDay
        ? 'day'
        : perHour !== null && before.hour >= perHour
          ? 'hour'
          : null;
  const taken = refusedBy === null ? tokens : 0;
  return { refusedBy, hour: before.hour + taken, day: before.day + taken };
}

/** The same in a process that counts for several. `kept`: the numbers that it keeps. */
export function takeTokenTogether(call: QuotaCall, kept: { hour: number; day: number }): QuotaTokens {
  const hour = Math.max(kept.hour, call.hour) + call.hourAlone;
  const day = Math.max(kept.day, call.day) + call.dayAlone;
  return takeToken(call, { hour, day });
}

export function quotaCall(
  organisationId: string,
  quota: TokenQuota,
  count: QuotaCount,
  tokens: QuotaCall['tokens'] = 1,
): QuotaCall {
  return {
    organisationId,
    tokens,
    enforces: quota.mode === 'enforce',
    perHour: quota.tokensPerHour,
    perDay: quota.tokensPerDay,
    hourAt: count.hourAt,
    dayAt: count.dayAt,
    hour: count.hour - count.hourAlone,
    day: count.day - count.dayAlone,
    hourAlone: count.hourAlone,
    dayAlone: count.dayAlone,
  };
}

/**
 * The quota of one of `parts` processes that cannot share it: an equal part of what was left when they last
 * could.
 */
export function ownQuota(quota: TokenQuota, count: QuotaCount, parts: number): Taking {
  const part = (limit: number | null, together: number) =>
    limit === null || parts === 1
      ? limit
      : Math.min(limit, together + Math.floor(Math.max(0, limit - together) / parts));
  return {
    tokens: 1,
    enforces: quota.mode === 'enforce',
    perHour: part(quota.tokensPerHour, count.hour - count.hourAlone),
    perDay: part(quota.tokensPerDay, count.day - count.dayAlone),
  };
}

/** The time until the hour or day ends. */
export function quotaWaitMs(unit: QuotaUnit, nowMs: number): number {
  return startOf(unit, nowMs) + UNIT_MS[unit] - nowMs;
}

/** The quota that is used up, the longer one first; null: none. */
export function exceededQuota(quota: TokenQuota, tokens: { hour: number; day: number }): QuotaUnit | null {
  if (quota.tokensPerDay !== null && tokens.day > quota.tokensPerDay) return 'day';
  return quota.tokensPerHour !== null && tokens.hour > quota.tokensPerHour ? 'hour' : null;
}
