import type { Denial } from '../domain/denial.ts';
import type { KnownOrganisation } from '../domain/known-organisation.ts';
import type { TokenQuota } from '../domain/organisation.ts';
import {
  exceededQuota,
  ownQuota,
  quotaCall,
  quotaWaitMs,
  takeToken,
  turnCount,
  type QuotaCall,
  type QuotaTokens,
  type QuotaUnit,
} from '../domain/quota.ts';
import type { SharedLimits } from '../domain/shared-limit.ts';
import type { MaybePromise } from '../lib/maybe-promise.ts';

/** What the quotas of organisations need from the process. */
export interface QuotaServices {
  sharedLimits: SharedLimits | null;
  /** Reports a token beyond the quota: one that was refused, or one that was issued and only observed. */
  noteQuota(organisation: KnownOrganisation, unit: QuotaUnit, refused: boolean): void;
}

/**
 * Counts a token that is about to be issued on the quota of the organisation. Null: it may be issued. Does
 * not wait for API users without a quota, nor if limits are not shared.
 */
export function countToken(
  services: QuotaServices,
  organisation: KnownOrganisation | null,
  nowMs: number,
): MaybePromise<Denial | null> {
  if (organisation === null || organisation.quota === null) return null;
  turnCount(organisation.count, nowMs);
  const counted = { organisation, quota: organisation.quota, nowMs };
  return services.sharedLimits === null
    ? countHere(services, counted, 1)
    : countTogether(services, counted, services.sharedLimits);
}

interface Counted {
  organisation: KnownOrganisation;
  quota: TokenQuota;
  nowMs: number;
}

/** Counts in this process: on the full quota, or on one of `parts` equal parts of what was left. */
function countHere(services: QuotaServices, counted: Counted, parts: number): Denial | null {
  const { count } = counted.organisation;
  const tokens = takeToken(ownQuota(counted.quota, count, parts), count);
  if (parts > 1) {
    count.hourAlone += tokens.hour - count.hour;
    count.dayAlone += tokens.day - count.day;
  }
  count.hour = tokens.hour;
  count.day = tokens.day;
  return outcomeOf(services, counted, tokens);
}

/** Counts on the quota that all processes share, and reports what this process counted alone before. */
async function countTogether(
  services: QuotaServices,
  counted: Counted,
  shared: SharedLimits,
): Promise<Denial | null> {
  const { organisation, quota } = counted;
  const call = quotaCall(organisation.id, quota, organisation.count);
  const tokens = await countShared(shared, organisation, call);
  return tokens === null
    ? countHere(services, counted, shared.processes)
    : outcomeOf(services, counted, tokens);
}

/**
 * Reports what this process knows of quotas, when they are shared again after an outage: the other processes
 * do not know of the tokens that it counted alone, and Redis may have forgotten all.
 */
export async function reportCounts(
  shared: SharedLimits,
  organisations: readonly KnownOrganisation[],
  nowMs: number,
): Promise<void> {
  for (const organisation of organisations) {
    const { id, quota, count } = organisation;
    if (quota === null) continue;
    turnCount(count, nowMs);
    if (count.day > 0) await countShared(shared, organisation, quotaCall(id, quota, count, 0));
  }
}

/** Null: the call failed. */
async function countShared(
  shared: SharedLimits,
  organisation: KnownOrganisation,
  call: QuotaCall,
): Promise<QuotaTokens | null> {
  const { count } = organisation;
  count.hourAlone = 0;
  count.dayAlone = 0;
  const tokens = await shared.countToken(call);
  if (tokens === null) {
    keepAlone(organisation, call);
    return null;
  }
  if (count.hourAt === call.hourAt) count.hour = Math.max(count.hour, tokens.hour);
  if (count.dayAt === call.dayAt) count.day = Math.max(count.day, tokens.day);
  return tokens;
}

/** The call failed: the other processes still do not know of these tokens. */
function keepAlone({ count }: KnownOrganisation, call: QuotaCall): void {
  if (count.hourAt === call.hourAt) count.hourAlone += call.hourAlone;
  if (count.dayAt === call.dayAt) count.dayAlone += call.dayAlone;
}

function outcomeOf(
  { noteQuota }: QuotaServices,
  { organisation, quota, nowMs }: Counted,
  tokens: QuotaTokens,
): Denial | null {
  const { refusedBy } = tokens;
  if (refusedBy === null) {
    const exceeded = exceededQuota(quota, tokens);
    if (exceeded !== null) noteQuota(organisation, exceeded, false);
    return null;
  }
  noteQuota(organisation, refusedBy, true);
  const limit = refusedBy === 'hour' ? quota.tokensPerHour : quota.tokensPerDay;
  return {
    denied: 'quota_exceeded',
    unit: refusedBy,
    tokens: limit ?? 0,
    waitMs: quotaWaitMs(refusedBy, nowMs),
  };
}
