import type { Logger } from 'pino';
import { keySourceAddress, type KeySource, type KeySourceState } from '../../domain/key-source.ts';
import { backoffMs, type Backoff } from '../../lib/backoff.ts';
import type { StoredKeySource } from '../../storage/tables/key-source.ts';
import { heldKeys, type HeldKeys } from './held-keys.ts';
import type { LoadedKeySet } from './load-key-set.ts';

/** The keys of one source, and how to renew them. */
export interface KeyFetch {
  held(): HeldKeys | null;
  /**
   * Callers share one fetch. Reads the store first; if `enough` is true then, nothing is fetched. Never
   * rejects: `last` has the reason of a failure.
   */
  renew(enough: () => boolean): Promise<void>;
  underWay(): boolean;
  mayTry(nowMs: number, retry: Backoff): boolean;
  last(): Pick<KeySourceState, 'error' | 'triedAt'>;
}

export interface KeyFetchParts {
  load(source: KeySource): Promise<LoadedKeySet>;
  stored: StoredKeys;
  log: Pick<Logger, 'info' | 'warn'>;
  now: () => number;
}

/** The key sources in the store. Keys can be fetched without the store, so nothing here throws. */
export interface StoredKeys {
  /** Undefined also if the store does not answer soon. */
  find(source: KeySource): Promise<StoredKeySource | undefined>;
  put(row: StoredKeySource): void;
  putFailure(source: KeySource, error: string, triedAt: number): void;
}

/** `row`: the source in the store, whose keys serve until a fetch is due. */
export function createKeyFetch(
  source: KeySource,
  { load, stored, log, now }: KeyFetchParts,
  row: StoredKeySource | undefined,
): KeyFetch {
  const { address } = keySourceAddress(source);
  let held: HeldKeys | null = null;
  let error: string | null = null;
  let triedAt: number | null = null;
  let failures = 0;
  let underWay: Promise<void> | undefined;
  if (row !== undefined) adopt(row);

  function adopt(newer: StoredKeySource): void {
    ({ error, triedAt } = newer);
    // The clock of the process that fetched them may be ahead.
    if (newer.fetchedAt !== null) held = heldKeys(newer, Math.min(newer.fetchedAt, now())) ?? held;
  }

  async function fetchKeys(enough: () => boolean): Promise<void> {
    const newer = await stored.find(source);
    if (newer !== undefined && (newer.fetchedAt ?? 0) > (held?.fetchedAt ?? 0)) {
      adopt(newer);
      if (enough()) return;
    }
    try {
      succeeded(await load(source));
    } catch (thrown) {
      failed((thrown as Error).message);
    }
  }

  function succeeded(loaded: LoadedKeySet): void {
    if (failures > 0) log.info({ keySource: address }, 'the keys of a key source were fetched again');
    const fetchedAt = now();
    held = heldKeys(loaded, fetchedAt);
    [failures, error, triedAt] = [0, null, fetchedAt];
    stored.put({ source, ...loaded, fetchedAt, triedAt, error });
  }

  function failed(message: string): void {
    if (failures === 0 || message !== error)
      log.warn({ keySource: address, error: message }, 'the keys of a key source cannot be fetched');
    [failures, error, triedAt] = [failures + 1, message, now()];
    stored.putFailure(source, message, triedAt);
  }

  return {
    held: () => held,
    renew(enough) {
      underWay ??= fetchKeys(enough).finally(() => {
        underWay = undefined;
      });
      return underWay;
    },
    underWay: () => underWay !== undefined,
    mayTry(nowMs, retry) {
      if (failures === 0 || triedAt === null || nowMs < triedAt) return true;
      return nowMs >= triedAt + backoffMs(failures, retry);
    },
    last: () => ({ error, triedAt }),
  };
}
