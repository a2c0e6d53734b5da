import type { Refusals, UsageBatch } from '../../server/src/storage/tables/usage.ts';
import { recordRoom, useRecords, type UseRecords } from '../../server/src/storage/tables/use-records.ts';
import { usesOf, type Use } from '../../server/src/storage/tables/uses.ts';
import { positionsInOrder } from '../../server/src/storage/tables/uses-in-order.ts';

/** `count` tokens of a credential, the last at `lastUsedAt`. */
export function use(
  credential: { id: string; clientId: string },
  lastUsedAt: number,
  count: number,
  lastUsedAddress = '127.0.0.1',
): Use {
  return { credentialId: credential.id, lastUsedAt, lastUsedAddress, count, tokens: count, of: credential };
}

export function refused(clientId: string | null, reason: string, count: number): Refusals {
  return { clientId, reason, count };
}

export function recordsOf(uses: readonly Use[]): UseRecords | null {
  const all = usesOf(uses);
  return uses.length === 0 ? null : useRecords(all, positionsInOrder(all), new Map(), recordRoom());
}

/** The stored usage of the minute of `ms`. */
export function batch(ms: number, uses: readonly Use[], refusals: readonly Refusals[] = []): UsageBatch {
  return { minute: ms - (ms % 60_000), uses: recordsOf(uses), refusals, noteLastUse: true };
}
