import { usernameKey } from './domain/api-user.ts';
import type { DirectoryEntry } from './directory-entry.ts';

/** The entries of the directory, by client id and by username, at most `max` of them. */
export interface DirectoryEntries {
  find(name: string): DirectoryEntry | undefined;
  has(clientId: string): boolean;
  /** Adds an entry or replaces it; true where another had to go for it. */
  keep(entry: DirectoryEntry): boolean;
  drop(clientId: string): void;
  clientIds(): Iterable<string>;
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

  return {
    find(name) {
      const entry = byId.get(name);
      return entry === undefined && byUsername.size > 0 ? byUsername.get(usernameKey(name)) : entry;
    },
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
      return full;
    },
    drop,
    clientIds: () => byId.keys(),
    size: () => byId.size,
    evictions: () => evictions,
  };
}
