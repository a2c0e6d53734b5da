import { setTimeout as sleep } from 'node:timers/promises';
import type { Attention } from '../../storage/tables/attention.ts';
import type { Store } from '../../storage/store.ts';
import { UNIT_MS } from '../../domain/usage.ts';

/** How things stand, of the whole store. */
export interface Standing {
  /** Null while they are not counted yet: that takes long, or failed. */
  apiUsers: { total: number; enabled: number; active: number } | null;
  /** At most `ATTENTION_MAX` of each kind. */
  attention: Attention[];
}

/** A secret that expires within this time needs attention, and an API user that was not used for that. */
const EXPIRES_WITHIN_MS = 14 * UNIT_MS.day;
const UNUSED_MS = 90 * UNIT_MS.day;
const LIMITED_MS = UNIT_MS.hour;
/** A caller that is refused this often for one reason in an hour needs attention: a person who mistypes is not. */
const REFUSED_MS = UNIT_MS.hour;
export const REFUSED_MIN = 5;
export const ATTENTION_MAX = 50;
/** However many consoles look, the store is asked once in this time. */
const KEPT_MS = 5000;
/** Millions of API users take seconds to count: a count that took longer is renewed behind the answers, */
const SLOW_MS = 250;
/** and kept for so many times as long as it took: to count takes a twentieth of one connection at most. */
const KEPT_TIMES = 20;
/** An answer waits so long for a count, but not at all for one that takes long where there is one from before. */
const WAIT_MS = 1000;

/** `noteFailure`: API users could not be counted; everything else is told nevertheless. */
export function createOverview(
  { attention }: Pick<Store, 'attention'>,
  now: () => number,
  noteFailure: (error: Error) => void,
): () => Promise<Standing> {
  const counts = createCount(attention, now, noteFailure);
  let kept: { until: number; standing: Promise<Standing> } | undefined;

  async function look(nowMs: number): Promise<Standing> {
    const apiUsers = await counts();
    const needs = [
      await attention.refused(nowMs - REFUSED_MS, REFUSED_MIN, ATTENTION_MAX),
      await attention.limited(nowMs - LIMITED_MS, ATTENTION_MAX),
      await attention.expiring(nowMs, nowMs + EXPIRES_WITHIN_MS, ATTENTION_MAX),
      await attention.unused(nowMs - UNUSED_MS, ATTENTION_MAX),
    ];
    return { apiUsers, attention: needs.flat() };
  }

  return async () => {
    const nowMs = now();
    if (kept === undefined || kept.until <= nowMs) {
      const standing = look(nowMs);
      kept = { until: nowMs + KEPT_MS, standing };
      standing.catch(() => {
        kept = undefined;
      });
    }
    return await kept.standing;
  };
}

type Counts = NonNullable<Standing['apiUsers']>;

function createCount(
  attention: Pick<Store['attention'], 'count'>,
  now: () => number,
  noteFailure: (error: Error) => void,
): () => Promise<Counts | null> {
  let kept: { counts: Counts; until: number; tookMs: number } | undefined;
  let counting: Promise<Counts | null> | undefined;
  /** A statement may not take as long as this. */
  let unhurried = false;

  async function ask(activeFrom: number): Promise<Counts> {
    try {
      return await attention.count(activeFrom, unhurried);
    } catch (error) {
      if (unhurried) throw error;
      unhurried = true;
      return await attention.count(activeFrom, unhurried);
    }
  }

  async function count(): Promise<Counts | null> {
    const startedAt = now();
    try {
      const counts = await ask(startedAt - UNIT_MS.day);
      const tookMs = now() - startedAt;
      const keptMs = tookMs > SLOW_MS ? Math.max(KEPT_MS, tookMs * KEPT_TIMES) : 0;
      kept = { counts, until: now() + keptMs, tookMs };
      return counts;
    } catch (error) {
      unhurried = false; // the store was away, and not slow
      noteFailure(error as Error);
      return null;
    } finally {
      counting = undefined;
    }
  }

  return async () => {
    if (kept !== undefined && kept.until > now()) return kept.counts;
    counting ??= count();
    if (kept !== undefined && kept.tookMs > SLOW_MS) return kept.counts;
    return (await within(WAIT_MS, counting)) ?? kept?.counts ?? null;
  };
}

/** What comes of `work`, or null where that takes longer. */
async function within<T>(waitMs: number, work: Promise<T>): Promise<T | null> {
  const over = new AbortController();
  try {
    return await Promise.race([work, sleep(waitMs, null, { signal: over.signal })]);
  } finally {
    over.abort();
  }
}
