/**
 * Entries of a fixed width in one piece of memory, sorted by their first bytes (the key), each with an end
 * time.
 */
export interface SortedEntries {
  /**
   * Adds a copy of an entry. Of two entries with the same key, the greater bytes and the later end win, so
   * the order of the calls does not matter.
   */
  put(entry: Buffer, removesAt: number): void;
  /** The entry that begins with this key, or null. A view, valid until the next change. */
  find(key: Buffer): Buffer | null;
  /** Removes the entries that have ended; returns whether it removed any. */
  dropOver(nowMs: number): boolean;
  /** A view, valid until the next change. */
  bytes(): Buffer;
  size(): number;
}

const ENTRIES_AT_FIRST = 64;

export function sortedEntries(width: number, keyBytes: number): SortedEntries {
  let held = Buffer.alloc(ENTRIES_AT_FIRST * width);
  let ends = new Float64Array(ENTRIES_AT_FIRST);
  let size = 0;
  /** No entry ends before this time. */
  let firstEnd = Number.POSITIVE_INFINITY;

  /** The index of the key, or the index at which to insert it. */
  function positionOf(entry: Buffer): { at: number; present: boolean } {
    let [low, high] = [0, size];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = entry.compare(held, middle * width, middle * width + keyBytes, 0, keyBytes);
      if (order === 0) return { at: middle, present: true };
      if (order < 0) high = middle;
      else low = middle + 1;
    }
    return { at: low, present: false };
  }

  function makeRoom(at: number): void {
    if (size === ends.length) {
      const [oldBytes, oldEnds] = [held, ends];
      held = Buffer.alloc(2 * size * width);
      oldBytes.copy(held);
      ends = new Float64Array(2 * size);
      ends.set(oldEnds);
    }
    held.copyWithin((at + 1) * width, at * width, size * width);
    ends.copyWithin(at + 1, at, size);
    size += 1;
  }

  return {
    put(entry, removesAt) {
      const { at, present } = positionOf(entry);
      if (!present) makeRoom(at);
      if (!present || entry.compare(held, at * width, (at + 1) * width) > 0) entry.copy(held, at * width);
      ends[at] = present ? Math.max(ends[at] as number, removesAt) : removesAt;
      firstEnd = Math.min(firstEnd, removesAt);
    },
    find(key) {
      const { at, present } = positionOf(key);
      return present ? held.subarray(at * width, (at + 1) * width) : null;
    },
    dropOver(nowMs) {
      if (firstEnd > nowMs) return false;
      let kept = 0;
      firstEnd = Number.POSITIVE_INFINITY;
      for (let i = 0; i < size; i++) {
        const end = ends[i] as number;
        if (end <= nowMs) continue;
        if (kept < i) held.copyWithin(kept * width, i * width, (i + 1) * width);
        ends[kept] = end;
        firstEnd = Math.min(firstEnd, end);
        kept += 1;
      }
      const dropped = kept < size;
      size = kept;
      return dropped;
    },
    bytes: () => held.subarray(0, size * width),
    size: () => size,
  };
}
