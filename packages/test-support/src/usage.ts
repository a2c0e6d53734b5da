import type { Refusals, UsageBatch, Use } from '../../server/src/storage/tables/usage.ts';

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

/** The stored usage of the minute of `ms`. */
export function batch(ms: number, uses: readonly Use[], refusals: readonly Refusals[] = []): UsageBatch {
  return { minute: ms - (ms % 60_000), uses, refusals, noteLastUse: true };
}
