import type { Attention } from '../../storage/tables/attention.ts';
import type { Store } from '../../storage/store.ts';
import { UNIT_MS } from '../../domain/usage.ts';
import { valueWithin } from '../../lib/deadline.ts';
import { shareRun } from '../../lib/single-flight.ts';

/** The state of the whole store. */
export interface Standing {
  /** Null until the first count is done: it takes long, or failed. */
  apiUsers: { total: number; enabled: number; active: number } | null;
  /** At most `ATTENTION_MAX` of each kind. */
  attention: Attention[];
}

/** A secret that expires within this time needs attention. */
const EXPIRES_WITHIN_MS = 14 * UNIT_MS.day;
/** An API user that was not used for this long needs attention. */
const UNUSED_MS = 90 * UNIT_MS.day;
const LIMITED_MS = UNIT_MS.hour;
/**
 * A caller that is refused `REFUSED_MIN` times for one reason within this time needs attention. A person who
 * mistypes does not.
 */
const REFUSED_MS = UNIT_MS.hour;
export const REFUSED_MIN = 5;
export const ATTENTION_MAX = 50;
/** The store is queried at most once in this time, however many consoles are open. */
const KEPT_MS = 5000;
/**
 * Counting millions of API users takes seconds. A count slower than this is renewed in the background, while
 * answers use the last one.
 */
const SLOW_MS = 250;
/**
 * A slow count is kept for this many times its duration, so that counting takes at most a twentieth of one
 * connection.
 */
const KEPT_TIMES = 20;
/**
 * An answer waits at most this long for a count. It does not wait if the last count was slow: it uses that
 * one.
 */
const WAIT_MS = 1000;

/** `noteFailure` is called if API users could not be counted. The answer has everything else. */
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
  /** The count takes longer than the timeout of a statement, so it runs without that timeout. */
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
      unhurried = false; // the store was out of reach, not slow
      noteFailure(error as Error);
      return null;
    }
  }

  const sharedCount = shareRun(count);
  return async () => {
    if (kept !== undefined && kept.until > now()) return kept.counts;
    const counting = sharedCount();
    if (kept !== undefined && kept.tookMs > SLOW_MS) return kept.counts;
    return (await valueWithin(counting, WAIT_MS, null)) ?? kept?.counts ?? null;
  };
}
