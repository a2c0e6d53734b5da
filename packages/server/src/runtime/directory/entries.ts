import { usernameKey } from '../../domain/api-user.ts';
import type { DirectoryEntry } from './entry.ts';
import { createEntryIndex } from './entry-index.ts';

/**
 * The entries of the directory, by client id and by username, at most `max` of them. A *past* is one
 * history of the store; a restore starts another. An entry belongs to the past that was current when it was
 * last kept.
 */
export interface DirectoryEntries {
  /** Finds an entry of the current past. `isUse`: an eviction passes over it once. */
  find(name: string, isUse?: boolean): DirectoryEntry | undefined;
  /** Loads into the caches what `find` by client id, and a check of the secret, will read. */
  prefetch(clientIds: readonly string[]): void;
  /** Finds an entry of any past. */
  findHeld(name: string): DirectoryEntry | undefined;
  /** Starts another past: each entry belongs to a former past until it is kept again. */
  startPast(): void;
  /** Drops an entry of a former past: the API user no longer exists. */
  dropFormer(name: string): void;
  /** The client ids of the current past; null if all entries belong to it. */
  ofThisPast(): Set<string> | null;
  /** Drops the entries that `seen` rejects. The others belong to the current past from now on. */
  keepOnly(seen: (clientId: string) => boolean): void;
  /** The number of calls of `startPast`. */
  pasts(): number;
  has(clientId: string): boolean;
  /** Adds or replaces an entry; returns whether another one was evicted for it. */
  keep(entry: DirectoryEntry): boolean;
  drop(clientId: string): void;
  size(): number;
  /** The number of evictions so far. */
  evictions(): number;
}

/** One eviction passes over at most this many used entries. To pass over a million would take seconds. */
const PASSED_OVER_MAX = 64;

export function createEntries(max: number): DirectoryEntries {
  const byId = createEntryIndex();
  const byUsername = new Map<string, DirectoryEntry>();

  let evictions = 0;
  let ofThisPast: Set<string> | null = null;
  let pasts = 0;

  function add(entry: DirectoryEntry): void {
    byId.set(entry);
    if (entry.usernameKey !== null) byUsername.set(entry.usernameKey, entry);
  }

  function drop(clientId: string): void {
    const entry = byId.get(clientId);
    if (entry === undefined) return;
    byId.delete(clientId);
    dropUsername(entry);
  }

  function dropUsername(entry: DirectoryEntry): void {
    const { usernameKey: key } = entry;
    if (key !== null && byUsername.get(key) === entry) byUsername.delete(key);
  }

  /**
   * Evicts the oldest entry that was not used since it was last passed over (second chance), among the oldest
   * few.
   */
  function evictOne(): void {
    let oldest = byId.next();
    for (let passedOver = 0; oldest?.used === true && passedOver < PASSED_OVER_MAX; passedOver++) {
      oldest.used = false;
      oldest = byId.next();
    }
    if (oldest !== undefined) drop(oldest.clientId);
  }

  function findHeld(name: string): DirectoryEntry | undefined {
    const entry = byId.get(name);
    return entry === undefined && byUsername.size > 0 ? byUsername.get(usernameKey(name)) : entry;
  }

  function isOfThisPast({ clientId }: DirectoryEntry): boolean {
    return ofThisPast === null || ofThisPast.has(clientId);
  }

  return {
    find(name, isUse = false) {
      const entry = findHeld(name);
      if (entry === undefined || !isOfThisPast(entry)) return undefined;
      if (isUse) entry.used = true;
      return entry;
    },
    prefetch: byId.prefetch,
    findHeld,
    dropFormer(name) {
      const entry = findHeld(name);
      if (entry !== undefined && !isOfThisPast(entry)) drop(entry.clientId);
    },
    startPast() {
      pasts += 1;
      ofThisPast = new Set();
    },
    ofThisPast: () => ofThisPast,
    keepOnly(seen) {
      for (const { clientId } of byId.values()) if (!seen(clientId)) drop(clientId);
      ofThisPast = null;
    },
    pasts: () => pasts,
    has: (clientId) => byId.get(clientId) !== undefined,
    keep(entry) {
      // Keep the state of the limit, so that a change gives no API user a new burst, and the uses that wait
      // to be written.
      const before = byId.get(entry.clientId);
      if (before !== undefined) {
        entry.arrivalMs = before.arrivalMs;
        entry.useNumber = before.useNumber;
        dropUsername(before);
      }
      const full = before === undefined && byId.size() >= max;
      if (full) {
        evictOne();
        evictions += 1;
      }
      add(entry);
      ofThisPast?.add(entry.clientId);
      return full;
    },
    drop,
    size: byId.size,
    evictions: () => evictions,
  };
}
