import type { KnownApiUser, PendingUse } from '../../domain/known-api-user.ts';
import type { RefusalReason } from '../../domain/refusal.ts';
import { startOf, UNIT_MS } from '../../domain/usage.ts';
import type { Refusals } from '../../storage/tables/usage.ts';

/** The uses and refusals of one minute that are not written yet. */
export interface Gathered {
  /** The start of the minute. */
  minute: number;
  uses: PendingUse[];
  refusals: Map<string, Refusals>;
  /**
   * The number of the flush that tried to write this, with an unknown outcome. It is written again unchanged
   * under the same number. Null if no flush has tried.
   */
  flush: number | null;
}

/**
 * The usage that waits in memory to be written. It is bounded, whatever callers do, and however long the
 * store is out of reach.
 */
export interface UsageGathering {
  noteUse(apiUser: KnownApiUser, credentialId: string, address: string, nowMs: number, tokens: number): void;
  noteRefusal(reason: RefusalReason, apiUser: KnownApiUser | undefined, nowMs: number): void;
  /** Removes and returns everything, one item per minute, the oldest first. */
  drain(nowMs: number): Gathered[];
  /** Takes back what could not be written, for the next flush. */
  putBack(gathered: readonly Gathered[]): void;
  /** The number of waiting uses and refusals. */
  waiting(): number;
  /** Uses that were not counted, because too many waited. */
  lost(): number;
}

/**
 * At most this many pairs of API user and reason are counted separately. Beyond that, refusals are counted by
 * reason only.
 */
const REFUSALS_MAX = 10_000;

/**
 * Calls `full` when `usesMax` uses wait. Beyond that, only further uses of the same credentials are counted.
 */
export function createUsageGathering(usesMax: number, full: () => void): UsageGathering {
  let current = emptyMinute(0);
  /** Minutes that are over, or that could not be written. */
  let closed: Gathered[] = [];
  let lost = 0;

  /** Closes the current minute: later uses and refusals are gathered apart from it. */
  function close(nowMs: number): void {
    for (const use of current.uses) use.of.uses = null;
    if (current.uses.length > 0 || current.refusals.size > 0) closed = byMinute([...closed, current]);
    current = emptyMinute(startOf('minute', nowMs));
  }

  /** Closes the minute when it is over, or when the clock was set back by more than a minute. */
  function turnMinute(nowMs: number): void {
    const sinceMs = nowMs - current.minute;
    if (sinceMs >= UNIT_MS.minute || sinceMs < -UNIT_MS.minute) close(nowMs);
  }

  function waitingUses(): number {
    let waiting = current.uses.length;
    for (const { uses } of closed) waiting += uses.length;
    return waiting;
  }

  function waitingRefusals(): number {
    let waiting = current.refusals.size;
    for (const { refusals } of closed) waiting += refusals.size;
    return waiting;
  }

  return {
    noteUse(apiUser, credentialId, address, nowMs, tokens) {
      turnMinute(nowMs);
      for (let use = apiUser.uses; use !== null; use = use.next) {
        if (use.credentialId !== credentialId) continue;
        use.lastUsedAt = nowMs;
        use.lastUsedAddress = address;
        use.count += 1;
        use.tokens += tokens;
        return;
      }
      if (waitingUses() >= usesMax) {
        lost += 1;
        return;
      }
      const [lastUsedAt, lastUsedAddress, next] = [nowMs, address, apiUser.uses];
      apiUser.uses = { credentialId, lastUsedAt, lastUsedAddress, count: 1, tokens, of: apiUser, next };
      current.uses.push(apiUser.uses);
      if (current.uses.length === usesMax) full();
    },
    noteRefusal(reason, apiUser, nowMs) {
      turnMinute(nowMs);
      const { refusals } = current;
      let key = apiUser === undefined ? reason : `${reason} ${apiUser.clientId}`;
      if (!refusals.has(key) && waitingRefusals() >= REFUSALS_MAX) key = reason;
      const counted = refusals.get(key);
      if (counted !== undefined) counted.count += 1;
      else
        refusals.set(key, {
          clientId: key === reason ? null : (apiUser?.clientId ?? null),
          reason,
          count: 1,
        });
    },
    drain(nowMs) {
      close(nowMs);
      const taken = closed;
      closed = [];
      return taken;
    },
    putBack: (gathered) => {
      closed = byMinute([...gathered, ...closed]);
    },
    waiting: () => waitingUses() + waitingRefusals(),
    lost: () => lost,
  };
}

function emptyMinute(minute: number): Gathered {
  return { minute, uses: [], refusals: new Map(), flush: null };
}

/**
 * Puts items with a flush number first, then merges the others into one per minute, even if several flushes
 * failed in it.
 */
function byMinute(all: readonly Gathered[]): Gathered[] {
  const minutes = new Map<number, Gathered>();
  for (const gathered of all) {
    if (gathered.flush !== null) continue;
    const same = minutes.get(gathered.minute);
    if (same === undefined) {
      minutes.set(gathered.minute, gathered);
      continue;
    }
    for (const use of gathered.uses) same.uses.push(use);
    for (const [key, refusals] of gathered.refusals) {
      const counted = same.refusals.get(key);
      if (counted === undefined) same.refusals.set(key, refusals);
      else counted.count += refusals.count;
    }
  }
  return [...all.filter(({ flush }) => flush !== null), ...minutes.values()];
}
