import type { Attention } from './storage/attention.ts';
import type { Store } from './storage/store.ts';
import { UNIT_MS } from './domain/usage.ts';

/** How things stand, of the whole store. */
export interface Standing {
  apiUsers: { total: number; enabled: number; active: number };
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

type Counts = Standing['apiUsers'];

function createCount(attention: Pick<Store['attention'], 'count'>, now: () => number): () => Promise<Counts> {
  let kept: { counts: Counts; until: number; tookMs: number } | undefined;
  let counting: Promise<Counts> | undefined;

  async function count(): Promise<Counts> {
    const startedAt = now();
    const counts = await attention.count(startedAt - UNIT_MS.day);
    const tookMs = now() - startedAt;
    const keptMs = tookMs > SLOW_MS ? Math.max(KEPT_MS, tookMs * KEPT_TIMES) : 0;
    kept = { counts, until: now() + keptMs, tookMs };
    return counts;
  }

  return async () => {
    if (kept !== undefined && kept.until > now()) return kept.counts;
    counting ??= count().finally(() => {
      counting = undefined;
    });
    if (kept === undefined || kept.tookMs <= SLOW_MS) return await counting;
    counting.catch(() => undefined); // the next answer tries again, and this one has the count before
    return kept.counts;
  };
}
