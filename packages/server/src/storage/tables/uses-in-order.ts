import { CLIENT_ID_PREFIX } from '../../domain/api-user.ts';
import { clientIdStart, CREDENTIAL_ID_WIDTH, type Uses } from './uses.ts';

/**
 * Positions of the same number of uses in the order of their credential ids, and of their API users.
 * Neighbours lie side by side in the store, so that a batch of them writes few of its pages.
 */
export interface Positions {
  byCredential: Uint32Array;
  /** Roughly: by two characters, which are the first random ones of our client ids. */
  byApiUser: Uint32Array;
}

/** Each credential once: this adds up several uses of one. */
export function positionsInOrder(uses: Uses): Positions {
  const byCredential = positionsByCredential(uses);
  return { byCredential, byApiUser: sortByKey(byCredential, apiUserKeys(uses)).sorted };
}

const BYTE = 256;
/** A longer list of ids that begin alike is not sorted by insertion. */
const INSERTED_MAX = 48;

function positionsByCredential(uses: Uses): Uint32Array {
  const { sorted, starts } = sortByKey(allPositions(uses), credentialKeys(uses));
  for (let i = 1; i < starts.length; i++) sortAlike(uses, sorted, starts[i - 1] ?? 0, starts[i] ?? 0);
  let kept = 0;
  for (const at of sorted) {
    const last = sorted[kept - 1];
    if (last !== undefined && compareIds(uses, last, at) === 0) addUp(uses, last, at);
    else sorted[kept++] = at;
  }
  return sorted.subarray(0, kept);
}

/** Two bytes of each id. */
type KeyOf = (at: number) => number;

function credentialKeys({ credentialIds }: Uses): KeyOf {
  return (at) => {
    const from = at * CREDENTIAL_ID_WIDTH;
    return (credentialIds[from] ?? 0) * BYTE + (credentialIds[from + 1] ?? 0);
  };
}

function apiUserKeys(uses: Uses): KeyOf {
  return (at) => {
    const from = clientIdStart(uses, at) + CLIENT_ID_PREFIX.length; // of a shorter id, bytes of the next one
    return (uses.clientIds[from] ?? 0) * BYTE + (uses.clientIds[from + 1] ?? 0);
  };
}

function allPositions({ size }: Uses): Uint32Array {
  const positions = new Uint32Array(size);
  for (let at = 0; at < size; at++) positions[at] = at;
  return positions;
}

/** Sorts by counting the keys. `starts`: by key, the first of its positions in `sorted`. */
function sortByKey(positions: Uint32Array, keyOf: KeyOf): { sorted: Uint32Array; starts: Uint32Array } {
  /** By key, the number of those with it or a lesser one; in the end, the first of its positions. */
  const starts = new Uint32Array(BYTE * BYTE + 1);
  for (const at of positions) starts[keyOf(at)] = (starts[keyOf(at)] ?? 0) + 1;
  for (let i = 1; i < starts.length; i++) starts[i] = (starts[i] ?? 0) + (starts[i - 1] ?? 0);
  const sorted = new Uint32Array(positions.length);
  for (let i = positions.length - 1; i >= 0; i--) {
    const at = positions[i] ?? 0;
    const key = keyOf(at);
    const position = (starts[key] ?? 0) - 1;
    starts[key] = position;
    sorted[position] = at;
  }
  return { sorted, starts };
}

function sortAlike(uses: Uses, positions: Uint32Array, start: number, end: number): void {
  if (end - start > INSERTED_MAX) {
    positions.subarray(start, end).sort((a, b) => compareIds(uses, a, b));
    return;
  }
  for (let i = start + 1; i < end; i++) {
    const position = positions[i] ?? 0;
    let to = i;
    for (; to > start && compareIds(uses, positions[to - 1] ?? 0, position) > 0; to--)
      positions[to] = positions[to - 1] ?? 0;
    positions[to] = position;
  }
}

function compareIds({ credentialIds }: Uses, a: number, b: number): number {
  const [fromA, fromB] = [a * CREDENTIAL_ID_WIDTH, b * CREDENTIAL_ID_WIDTH];
  for (let i = 0; i < CREDENTIAL_ID_WIDTH; i++) {
    const difference = (credentialIds[fromA + i] ?? 0) - (credentialIds[fromB + i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Adds the use at `from` to the one at `to`, of the same credential. */
function addUp(uses: Uses, to: number, from: number): void {
  const { counts, tokens, lastUsedAt, addresses } = uses;
  counts[to] = (counts[to] ?? 0) + (counts[from] ?? 0);
  tokens[to] = (tokens[to] ?? 0) + (tokens[from] ?? 0);
  const [laterAt, at] = [lastUsedAt[from] ?? 0, lastUsedAt[to] ?? 0];
  if (laterAt <= at) return;
  lastUsedAt[to] = laterAt;
  addresses[to] = addresses[from] ?? '';
  const subject = uses.subjects.get(from);
  if (subject === undefined) uses.subjects.delete(to);
  else uses.subjects.set(to, subject);
}
