import { usernameKey } from '../../domain/api-user.ts';
import type { DirectoryEntry } from './entry.ts';

/** The entries of the directory, by client id and by username, at most `max` of them. */
export interface DirectoryEntries {
  /** Nobody of another past. */
  find(name: string): DirectoryEntry | undefined;
  /** Of whatever past. */
  findHeld(name: string): DirectoryEntry | undefined;
  /** From now on who is held is of another past, until kept again. */
  startPast(): void;
  /** Drops the one of another past: it is no more. */
  dropFormer(name: string): void;
  /** Who was kept since the past became another one; null: everybody who is held. */
  ofThisPast(): Set<string> | null;
  /** Drops whoever is not among these; the others are of this past. */
  keepOnly(seen: (clientId: string) => boolean): void;
  /** How often the past became another one. */
  pasts(): number;
  has(clientId: string): boolean;
  /** Adds an entry or replaces it; true where another had to go for it. */
  keep(entry: DirectoryEntry): boolean;
  drop(clientId: string): void;
  size(): number;
  /** How many had to go for others so far. */
  evictions(): number;
}

/** Were all of a million used, to pass over them would take seconds. */
const PASSED_OVER_MAX = 64;

export function createEntries(max: number): DirectoryEntries {
  const byId = new Map<string, DirectoryEntry>();
  const byUsername = new Map<string, DirectoryEntry>();

  let evictions = 0;
  let ofThisPast: Set<string> | null = null;
  let pasts = 0;

  function add(entry: DirectoryEntry): void {
    byId.set(entry.clientId, entry);
    if (entry.usernameKey !== null) byUsername.set(entry.usernameKey, entry);
  }

  function drop(clientId: string): void {
    const entry = byId.get(clientId);
    if (entry === undefined) return;
    byId.delete(clientId);
    const { usernameKey: key } = entry;
    if (key !== null && byUsername.get(key) === entry) byUsername.delete(key);
  }

  /** The oldest that was not used since it was last passed over (second chance), of the oldest few. */
  function evictOne(): void {
    let passedOver = 0;
    for (const [clientId, entry] of byId) {
      drop(clientId);
      if (!entry.used || passedOver === PASSED_OVER_MAX) return;
      entry.used = false;
      add(entry);
      passedOver += 1;
    }
  }

  function findHeld(name: string): DirectoryEntry | undefined {
    const entry = byId.get(name);
    return entry === undefined && byUsername.size > 0 ? byUsername.get(usernameKey(name)) : entry;
  }

  function isOfThisPast({ clientId }: DirectoryEntry): boolean {
    return ofThisPast === null || ofThisPast.has(clientId);
  }

  return {
    find(name) {
      const entry = findHeld(name);
      return entry !== undefined && isOfThisPast(entry) ? entry : undefined;
    },
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
      for (const clientId of byId.keys()) if (!seen(clientId)) drop(clientId);
      ofThisPast = null;
    },
    pasts: () => pasts,
    has: (clientId) => byId.has(clientId),
    keep(entry) {
      // What was changed is not the limit's state: a change must not give anybody a new burst. Nor what waits to be written.
      const before = byId.get(entry.clientId);
      if (before !== undefined) {
        entry.arrivalMs = before.arrivalMs;
        entry.uses = before.uses;
        for (let use = entry.uses; use !== null; use = use.next) use.of = entry;
      }
      drop(entry.clientId);
      const full = byId.size >= max;
      if (full) {
        evictOne();
        evictions += 1;
      }
      add(entry);
      ofThisPast?.add(entry.clientId);
      return full;
    },
    drop,
    size: () => byId.size,
    evictions: () => evictions,
  };
}
