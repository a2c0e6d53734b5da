import { noUses, type Uses } from '../../storage/tables/uses.ts';

/**
 * Columns of uses that serve again after they are written. As garbage, those of a hundred thousand uses would
 * cause a collection of the whole heap after every few flushes.
 */
export interface UseRooms {
  /** Columns without uses. */
  next(): Uses;
  /** Takes columns with uses that are written. */
  reuse(uses: Uses): void;
}

/** A flush in which a minute ends writes two, while a third one gathers. */
const ROOMS_MAX = 2;
/** After this many in a row with far more room than uses, all are dropped: within a minute. */
const UNUSED_MAX = 6;

export function createUseRooms(): UseRooms {
  let rooms: Uses[] = [];
  let unused = 0;
  return {
    next: () => rooms.pop() ?? noUses(),
    reuse(uses) {
      unused = isRoomUsed(uses) ? 0 : unused + 1;
      if (unused >= UNUSED_MAX) rooms = [];
      else if (rooms.length < ROOMS_MAX) rooms.push(uses);
      uses.size = 0;
      uses.subjects.clear();
    },
  };
}

function isRoomUsed({ size, counts }: Uses): boolean {
  return size * 4 >= counts.length;
}
