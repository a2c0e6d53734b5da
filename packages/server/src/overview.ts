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

export function createOverview(
  { attention }: Pick<Store, 'attention'>,
  now: () => number,
): () => Promise<Standing> {
  let kept: { until: number; standing: Promise<Standing> } | undefined;

  async function look(nowMs: number): Promise<Standing> {
    const apiUsers = await attention.count(nowMs - UNIT_MS.day);
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
