import { setTimeout as sleep } from 'node:timers/promises';
import type { Attention } from './storage/attention.ts';
import type { Store } from './storage/store.ts';
import { UNIT_MS } from './domain/usage.ts';

/** How things stand, of the whole store. */
export interface Standing {
  /** Null while they are counted for the first time, and that takes long. */
  apiUsers: { total: number; enabled: number; active: number } | null;
  /** At most `ATTENTION_MAX` of each kind. */
  attention: Attention[];
}

/** A secret that expires within this time needs attention, and an API user that was not used for that. */
const EXPIRES_WITHIN_MS = 14 * UNIT_MS.day;
const UNUSED_MS = 90 * UNIT_MS.day;
const LIMITED_MS = UNIT_MS.hour;
export const ATTENTION_MAX = 50;
/** However many consoles look, the store is asked once in this time. */
const KEPT_MS = 5000;
/** Millions of API users take seconds to count: a count that took longer is renewed behind the answers, */
const SLOW_MS = 250;
/** and kept for so many times as long as it took: to count takes a twentieth of one connection at most. */
const KEPT_TIMES = 20;
/** An answer waits so long for a count, but not at all for one that takes long where there is one from before. */
const WAIT_MS = 1000;

export function createOverview(
  { attention }: Pick<Store, 'attention'>,
  now: () => number,
): () => Promise<Standing> {
  const counts = createCount(attention, now);
  let kept: { until: number; standing: Promise<Standing> } | undefined;

  async function look(nowMs: number): Promise<Standing> {
    const apiUsers = await counts();
    const needs = [
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
): () => Promise<Counts | null> {
  let kept: { counts: Counts; until: number } | undefined;
  let counting: Promise<Counts> | undefined;
  let quick = false;

  async function count(): Promise<Counts> {
    const unhurried = !quick;
    quick = false; // where it fails, the next one is given time
    const startedAt = now();
    const counts = await attention.count(startedAt - UNIT_MS.day, unhurried);
    const tookMs = now() - startedAt;
    quick = tookMs <= SLOW_MS;
    kept = { counts, until: now() + (quick ? 0 : Math.max(KEPT_MS, tookMs * KEPT_TIMES)) };
    return counts;
  }

  return async () => {
    if (kept !== undefined && kept.until > now()) return kept.counts;
    const long = !quick;
    counting ??= count().finally(() => {
      counting = undefined;
    });
    counting.catch(() => undefined); // who does not wait for it tries again with the next answer
    if (kept !== undefined && long) return kept.counts;
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
