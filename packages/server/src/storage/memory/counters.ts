import {
  peekCall,
  refundCall,
  takeCall,
  WINDOW_MS,
  type Counters,
  type LimitState,
} from '../../domain/rate-limit.ts';
import { takeTokenTogether, type QuotaCall, type QuotaTokens } from '../../domain/quota.ts';
import {
  takeTogether,
  type KeptArrivals,
  type SharedCall,
  type SharedCounts,
} from '../../domain/shared-limit.ts';

/** Next arrivals (domain/rate-limit.ts) by key, for as long as they matter. */
interface Arrivals {
  /** Must be called first: it drops expired arrivals. */
  turn(nowMs: number): void;
  get(key: string): number | undefined;
  set(key: string, arrivalMs: number): void;
  isEmpty(): boolean;
}

/**
 * Two generations of one window each. An arrival that did not change for a window no longer matters
 * (`takeCall`), so the older generation is dropped as a whole, without a sweep. `keysMax` bounds each
 * generation: a flood of keys drops the older one early, which forgives some calls and never refuses one.
 */
function recentArrivals(keysMax: number): Arrivals {
  let current = new Map<string, number>();
  let previous = new Map<string, number>();
  let startedAt = 0;
  return {
    turn(nowMs) {
      const ageMs = nowMs - startedAt; // negative if the clock was set back
      if (ageMs >= 0 && ageMs < WINDOW_MS && current.size < keysMax) return;
      previous = ageMs < 2 * WINDOW_MS ? current : new Map();
      current = new Map();
      startedAt = nowMs;
    },
    get: (key) => current.get(key) ?? previous.get(key),
    set: (key, arrivalMs) => void current.set(key, arrivalMs),
    isEmpty: () => current.size + previous.size === 0,
  };
}

/** Limits counted in this process. */
export function memoryCounters(keysMax: number): Counters {
  const arrivals = recentArrivals(keysMax);
  return {
    consume(key: string, perMinute: number, nowMs: number): LimitState {
      arrivals.turn(nowMs);
      const { state, arrivalMs } = takeCall(arrivals.get(key), perMinute, nowMs);
      arrivals.set(key, arrivalMs);
      return state;
    },
    idle(nowMs: number): boolean {
      arrivals.turn(nowMs);
      return arrivals.isEmpty();
    },
    peek(key: string, perMinute: number, nowMs: number): LimitState {
      arrivals.turn(nowMs);
      return peekCall(arrivals.get(key), perMinute, nowMs);
    },
    refund(key: string, perMinute: number, nowMs: number): void {
      arrivals.turn(nowMs);
      const arrivalMs = arrivals.get(key);
      if (arrivalMs !== undefined) arrivals.set(key, refundCall(arrivalMs, perMinute));
    },
    learn(key: string, arrivalMs: number, nowMs: number): void {
      arrivals.turn(nowMs);
      if (arrivalMs > nowMs && arrivalMs > (arrivals.get(key) ?? 0)) arrivals.set(key, arrivalMs);
    },
  };
}

/** Counts the quotas of organisations for other processes. */
export function memoryQuotas(keysMax: number): (call: QuotaCall) => QuotaTokens {
  let counts = new Map<string, QuotaWindows>();
  return (call) => {
    // Forgets at most what the processes know themselves (`QuotaCall`).
    if (counts.size >= keysMax) counts = new Map();
    const { organisationId, hourAt, dayAt } = call;
    const kept = counts.get(organisationId) ?? { hourAt, dayAt, hour: 0, day: 0 };
    counts.set(organisationId, kept);
    if (hourAt > kept.hourAt) Object.assign(kept, { hourAt, hour: 0 });
    if (dayAt > kept.dayAt) Object.assign(kept, { dayAt, day: 0 });
    const tokens = takeTokenTogether(call, kept);
    kept.hour = tokens.hour;
    kept.day = tokens.day;
    return tokens;
  };
}

interface QuotaWindows {
  hourAt: number;
  dayAt: number;
  hour: number;
  day: number;
}

/** Counts limits for other processes: those of an address, of failures, of an API user and
 * of its organisation in one call. */
export function memoryLimits(keysMax: number): (call: SharedCall, nowMs: number) => SharedCounts {
  const addresses = recentArrivals(keysMax);
  const failures = recentArrivals(keysMax);
  const apiUsers = recentArrivals(keysMax);
  const organisations = recentArrivals(keysMax);
  return (call, nowMs) => {
    for (const arrivals of [addresses, failures, apiUsers, organisations]) arrivals.turn(nowMs);
    const { network, failuresKey, failuresChange, apiUser } = call;
    const organisation = apiUser?.organisation ?? null;
    const kept: KeptArrivals = {
      address: addresses.get(network),
      failures: failures.get(failuresKey),
      apiUser: apiUser === null ? undefined : apiUsers.get(apiUser.id),
      organisation: organisation === null ? undefined : organisations.get(organisation.id),
    };
    const counts = takeTogether(call, kept, nowMs);
    if (kept.address !== undefined) addresses.set(network, kept.address);
    if (kept.failures !== undefined && failuresChange !== 0) failures.set(failuresKey, kept.failures);
    if (kept.apiUser !== undefined && apiUser !== null) apiUsers.set(apiUser.id, kept.apiUser);
    if (kept.organisation !== undefined && organisation !== null) {
      organisations.set(organisation.id, kept.organisation);
    }
    return counts;
  };
}
