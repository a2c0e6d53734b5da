import { noUses, type Uses } from '../../storage/tables/uses.ts';

/**
 * Columns of uses, which are reused once they are written. As garbage, those of a hundred thousand uses would
 * cause a collection of the whole heap after about three flushes. One spare is enough for a flush, except
 * when a minute has ended in it.
 */
export interface UseRooms {
  /** Columns without uses. */
  next(): Uses;
  /** Takes columns with uses that are written. */
  reuse(uses: Uses): void;
}

/** Columns with more room than this many times the uses are dropped. */
export const CAPACITY_MAX = 4;
/** Columns are measured by the largest of this many that returned last: by default, those of a minute. */
const RECENT_MAX = 6;

export function createUseRooms(): UseRooms {
  let spare: Uses | null = null;
  let sizes: number[] = [];
  return {
    next() {
      const uses = spare ?? noUses();
      spare = null;
      return uses;
    },
    reuse(uses) {
      sizes = [...sizes.slice(1 - RECENT_MAX), uses.size];
      uses.size = 0;
      uses.subjects.clear();
      spare = uses.counts.length > CAPACITY_MAX * Math.max(...sizes) ? null : uses;
    },
  };
}
