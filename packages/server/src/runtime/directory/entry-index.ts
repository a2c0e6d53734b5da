import { randomInt } from 'node:crypto';
import type { DirectoryEntry } from './entry.ts';

/**
 * The entries by client id. Of a million, a look-up reads three places that are in no cache of the processor: a
 * slot, the list of entries and the entry. A Map reads twice as many, because it follows chains of keys.
 */
export interface EntryIndex {
  get(clientId: string): DirectoryEntry | undefined;
  /** Adds an entry, or replaces the one with its client id. */
  set(entry: DirectoryEntry): void;
  delete(clientId: string): void;
  size(): number;
  values(): Iterable<DirectoryEntry>;
  /** Each call returns the next entry, in the order in which they came, and begins again after the last one. */
  next(): DirectoryEntry | undefined;
}

const FIRST_SLOTS = 1024;
/** A slot has two numbers: the hash of the client id, and the place in the list, from 1. 0: the slot is free. */
const SLOT = 2;

export function createEntryIndex(): EntryIndex {
  const seed = randomInt(2 ** 31);
  /** Open addressing with linear probing. The number of slots is a power of two, at least twice that of entries. */
  let slots = new Uint32Array(SLOT * FIRST_SLOTS);
  let mask = FIRST_SLOTS - 1;
  const list: (DirectoryEntry | undefined)[] = [];
  /** Free places in the list. The next entry takes the last one. */
  const free: number[] = [];
  let following = 0;

  /** The slot of the client id, or the free slot for it. */
  function slotOf(clientId: string, hash: number): number {
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const place = slots[SLOT * slot + 1] ?? 0;
      if (place === 0) return slot;
      if (slots[SLOT * slot] === hash && list[place - 1]?.clientId === clientId) return slot;
    }
  }

  function entryIn(slot: number): DirectoryEntry | undefined {
    const place = slots[SLOT * slot + 1] ?? 0;
    return place === 0 ? undefined : list[place - 1];
  }

  function fill(slot: number, hash: number, place: number): void {
    slots[SLOT * slot] = hash;
    slots[SLOT * slot + 1] = place;
  }

  function grow(): void {
    const before = slots;
    slots = new Uint32Array(2 * before.length);
    mask = slots.length / SLOT - 1;
    for (let at = 0; at < before.length; at += SLOT) {
      const hash = before[at] ?? 0;
      const place = before[at + 1] ?? 0;
      if (place === 0) continue;
      let slot = hash & mask;
      while (slots[SLOT * slot + 1] !== 0) slot = (slot + 1) & mask;
      fill(slot, hash, place);
    }
  }

  /** Frees a slot, and moves later ones into it whose search would end there. */
  function clear(slot: number): void {
    let hole = slot;
    for (let next = (hole + 1) & mask; ; next = (next + 1) & mask) {
      const hash = slots[SLOT * next] ?? 0;
      const place = slots[SLOT * next + 1] ?? 0;
      if (place === 0) break;
      if (((next - hash) & mask) < ((next - hole) & mask)) continue; // its search begins after the hole
      fill(hole, hash, place);
      hole = next;
    }
    fill(hole, 0, 0);
  }

  const size = (): number => list.length - free.length;

  return {
    get: (clientId) => entryIn(slotOf(clientId, hashOf(clientId, seed))),
    set(entry) {
      const hash = hashOf(entry.clientId, seed);
      const slot = slotOf(entry.clientId, hash);
      const place = slots[SLOT * slot + 1] ?? 0;
      if (place > 0) {
        list[place - 1] = entry;
        return;
      }
      const at = free.pop() ?? list.length;
      list[at] = entry;
      fill(slot, hash, at + 1);
      if (size() > (mask + 1) / 2) grow();
    },
    delete(clientId) {
      const slot = slotOf(clientId, hashOf(clientId, seed));
      const place = slots[SLOT * slot + 1] ?? 0;
      if (place === 0) return;
      list[place - 1] = undefined;
      free.push(place - 1);
      clear(slot);
    },
    size,
    *values() {
      for (const entry of list) if (entry !== undefined) yield entry;
    },
    next() {
      for (let passed = 0; passed < list.length; passed++) {
        const entry = list[following];
        following = following + 1 < list.length ? following + 1 : 0;
        if (entry !== undefined) return entry;
      }
      return undefined;
    },
  };
}

/** FNV-1a over the characters, then the last steps of MurmurHash3, so that every bit depends on every other. */
function hashOf(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
