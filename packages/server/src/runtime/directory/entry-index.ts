import { randomInt } from 'node:crypto';
import type { DirectoryEntry } from './entry.ts';

/**
 * The entries by client id. Of a million, a look-up reads three parts of memory that are in no cache of the
 * processor: a cell, the list of entries and the entry. A Map reads twice as many, because it follows chains
 * of keys.
 */
export interface EntryIndex {
  get(clientId: string): DirectoryEntry | undefined;
  /**
   * Reads the memory that look-ups of these client ids and checks of their secrets need. Alone, a request
   * would wait for five such reads, one after the other. Here those of all requests overlap.
   */
  prefetch(clientIds: readonly string[]): void;
  /** Adds an entry, or replaces the one with its client id. */
  set(entry: DirectoryEntry): void;
  delete(clientId: string): void;
  size(): number;
  values(): Iterable<DirectoryEntry>;
  /** Each call returns the next entry in the order of arrival, and starts over after the last one. */
  next(): DirectoryEntry | undefined;
}

export function createEntryIndex(): EntryIndex {
  const list: (DirectoryEntry | undefined)[] = [];
  /** Free positions in the list. The next entry takes the last one. */
  const free: number[] = [];
  const positions = createPositions((position, clientId) => list[position]?.clientId === clientId);
  let following = 0;
  const size = (): number => list.length - free.length;

  return {
    get(clientId) {
      const position = positions.find(clientId);
      return position === ABSENT ? undefined : list[position];
    },
    prefetch(clientIds) {
      const entries: DirectoryEntry[] = [];
      for (const position of positions.likely(clientIds)) {
        const entry = position === ABSENT ? undefined : list[position];
        if (entry !== undefined) entries.push(entry);
      }
      for (const { useNumber } of entries) sink += useNumber;
      for (const { clientId, secrets, arrivalMs } of entries)
        sink += lastCode(clientId) + lastCode(secrets) + (arrivalMs > 0 ? 1 : 0);
      sink |= 0;
    },
    set(entry) {
      const existing = positions.find(entry.clientId);
      const position = existing === ABSENT ? (free.pop() ?? list.length) : existing;
      list[position] = entry;
      if (existing === ABSENT) positions.add(entry.clientId, position, size());
    },
    delete(clientId) {
      const position = positions.remove(clientId);
      if (position === ABSENT) return;
      list[position] = undefined;
      free.push(position);
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

/** Depends on all that was prefetched, so that V8 does not leave out a read. */
let sink = 0;

/** Reads both ends of the memory of a text: its length and its last character. */
function lastCode(text: string): number {
  return text.length === 0 ? 0 : text.charCodeAt(text.length - 1);
}

const ABSENT = -1;
const FIRST_CELLS = 1024;
/** A cell has two numbers: the hash of the client id, and the position from 1. 0: the cell is free. */
const CELL = 2;

/** Positions in a list, by client id. */
interface Positions {
  /** `ABSENT` without one. */
  find(clientId: string): number;
  /** Like `find` for each client id, but compares hashes only. */
  likely(clientIds: readonly string[]): number[];
  /** Adds the position of a client id that has none. `size`: the number of positions with it. */
  add(clientId: string, position: number, size: number): void;
  /** Returns the former position, or `ABSENT`. */
  remove(clientId: string): number;
}

/** A hash table with open addressing and linear probing, at most half full. The cells are a power of two. */
function createPositions(isAt: (position: number, clientId: string) => boolean): Positions {
  const seed = randomInt(2 ** 31);
  let cells = new Uint32Array(CELL * FIRST_CELLS);
  let mask = FIRST_CELLS - 1;

  /** The cell of the client id, or the free cell for it. */
  function cellOf(clientId: string, hash: number): number {
    for (let cell = cellWith(hash, hash & mask); ; cell = cellWith(hash, (cell + 1) & mask)) {
      const number = numberIn(cells, cell);
      if (number === 0 || isAt(number - 1, clientId)) return cell;
    }
  }

  /** The next cell with this hash, from `cell` on, or the free cell before it. */
  function cellWith(hash: number, cell: number): number {
    while (numberIn(cells, cell) !== 0 && cells[CELL * cell] !== hash) cell = (cell + 1) & mask;
    return cell;
  }

  function fill(cell: number, hash: number, number: number): void {
    cells[CELL * cell] = hash;
    cells[CELL * cell + 1] = number;
  }

  function grow(): void {
    const before = cells;
    cells = new Uint32Array(2 * before.length);
    mask = cells.length / CELL - 1;
    for (let at = 0; at < before.length; at += CELL) {
      const hash = before[at] ?? 0;
      const number = before[at + 1] ?? 0;
      if (number === 0) continue;
      let cell = hash & mask;
      while (numberIn(cells, cell) !== 0) cell = (cell + 1) & mask;
      fill(cell, hash, number);
    }
  }

  /** Frees a cell, and moves later ones into it if their search would end there. */
  function clear(cell: number): void {
    let hole = cell;
    for (let next = (hole + 1) & mask; numberIn(cells, next) !== 0; next = (next + 1) & mask) {
      const hash = cells[CELL * next] ?? 0;
      if (((next - hash) & mask) < ((next - hole) & mask)) continue; // its search begins after the hole
      fill(hole, hash, numberIn(cells, next));
      hole = next;
    }
    fill(hole, 0, 0);
  }

  return {
    find: (clientId) => numberIn(cells, cellOf(clientId, hashOf(clientId, seed))) - 1,
    likely(clientIds) {
      const hashes: number[] = [];
      for (const clientId of clientIds) hashes.push(hashOf(clientId, seed));
      const likely: number[] = [];
      for (const hash of hashes) likely.push(numberIn(cells, cellWith(hash, hash & mask)) - 1);
      return likely;
    },
    add(clientId, position, size) {
      const hash = hashOf(clientId, seed);
      fill(cellOf(clientId, hash), hash, position + 1);
      if (size > (mask + 1) / 2) grow();
    },
    remove(clientId) {
      const cell = cellOf(clientId, hashOf(clientId, seed));
      const position = numberIn(cells, cell) - 1;
      if (position !== ABSENT) clear(cell);
      return position;
    },
  };
}

/** The number in a cell: a position from 1; 0 in a free cell. */
function numberIn(cells: Uint32Array, cell: number): number {
  return cells[CELL * cell + 1] ?? 0;
}

/** FNV-1a over the characters, then the last steps of MurmurHash3: each bit depends on all others. */
function hashOf(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
