/** The uses of one credential. */
export interface Use {
  credentialId: string;
  lastUsedAt: number;
  lastUsedAddress: string;
  /** Requests that the credential authenticated. */
  count: number;
  /** Requests that got a token. */
  tokens: number;
  of: { clientId: string };
  /** `sub` of the assertion at the last use of a trust rule. */
  lastSubject?: string | null;
}

/**
 * Uses of credentials, in columns instead of an object each: there may be a hundred thousand, and the garbage
 * collector would copy every object twice until they are written.
 */
export interface Uses {
  /** The bytes of all credential ids, one after the other. */
  credentialIds: Uint8Array;
  clientIds: string[];
  lastUsedAt: number[];
  addresses: string[];
  counts: number[];
  tokens: number[];
  /** Subjects by the position of the use, of those that have one. */
  subjects: Map<number, string>;
}

export const CREDENTIAL_ID_WIDTH = 10;
const FIRST_ROOM = 64;

export function noUses(): Uses {
  return {
    credentialIds: new Uint8Array(FIRST_ROOM * CREDENTIAL_ID_WIDTH),
    clientIds: [],
    lastUsedAt: [],
    addresses: [],
    counts: [],
    tokens: [],
    subjects: new Map(),
  };
}

export function usesOf(uses: readonly Use[]): Uses {
  const all = noUses();
  for (const use of uses) addUse(all, use);
  return all;
}

/** The number of uses. */
export function sizeOf({ counts }: Uses): number {
  return counts.length;
}

/** Adds a use after the others. */
export function addUse(uses: Uses, use: Use): void {
  const at = uses.counts.length;
  const from = at * CREDENTIAL_ID_WIDTH;
  if (from === uses.credentialIds.length) {
    const larger = new Uint8Array(2 * from);
    larger.set(uses.credentialIds);
    uses.credentialIds = larger;
  }
  for (let i = 0; i < CREDENTIAL_ID_WIDTH; i++) uses.credentialIds[from + i] = use.credentialId.charCodeAt(i); // a byte each: ids are ASCII
  uses.clientIds.push(use.of.clientId);
  uses.lastUsedAt.push(use.lastUsedAt);
  uses.addresses.push(use.lastUsedAddress);
  uses.counts.push(use.count);
  uses.tokens.push(use.tokens);
  if (typeof use.lastSubject === 'string') uses.subjects.set(at, use.lastSubject);
}

/** Whether the use at this position is one of the credential. */
export function isUseOf({ credentialIds }: Uses, at: number, credentialId: string): boolean {
  const from = at * CREDENTIAL_ID_WIDTH;
  for (let i = 0; i < CREDENTIAL_ID_WIDTH; i++)
    if (credentialIds[from + i] !== credentialId.charCodeAt(i)) return false;
  return true;
}

/** Copies the uses at these positions, or all, to the end of `uses`. */
export function appendUses(uses: Uses, from: Uses, positions: Iterable<number> = from.counts.keys()): void {
  for (const at of positions) {
    addUse(uses, {
      credentialId: credentialIdAt(from, at),
      of: { clientId: from.clientIds[at] ?? '' },
      lastUsedAt: from.lastUsedAt[at] ?? 0,
      lastUsedAddress: from.addresses[at] ?? '',
      count: from.counts[at] ?? 0,
      tokens: from.tokens[at] ?? 0,
      lastSubject: from.subjects.get(at) ?? null,
    });
  }
}

export function credentialIdAt({ credentialIds }: Uses, at: number): string {
  const from = at * CREDENTIAL_ID_WIDTH;
  return String.fromCharCode(...credentialIds.subarray(from, from + CREDENTIAL_ID_WIDTH));
}

/**
 * The positions of the uses in the order of their credential ids, each credential once: this adds up several
 * uses of one. Neighbours lie side by side in the store, so that a batch of them writes few of its pages.
 */
export function positionsInOrder(uses: Uses): Uint32Array {
  const positions = byFirstBytes(uses);
  let kept = 0;
  for (const at of positions) {
    const last = positions[kept - 1];
    if (last !== undefined && compareIds(uses, last, at) === 0) addUp(uses, last, at);
    else positions[kept++] = at;
  }
  return positions.subarray(0, kept);
}

const BYTE = 256;
/** A longer list of ids that begin alike is not sorted by insertion. */
const INSERTED_MAX = 48;

/** Sorts by counting the first two bytes, then each list of those that begin alike. */
function byFirstBytes(uses: Uses): Uint32Array {
  const { credentialIds, counts } = uses;
  const firstBytes = (at: number): number => {
    const from = at * CREDENTIAL_ID_WIDTH;
    return (credentialIds[from] ?? 0) * BYTE + (credentialIds[from + 1] ?? 0);
  };
  /** How many uses begin with these bytes or lesser ones; in the end, the position of the first that does. */
  const starts = new Uint32Array(BYTE * BYTE + 1);
  for (let at = 0; at < counts.length; at++) starts[firstBytes(at)] = (starts[firstBytes(at)] ?? 0) + 1;
  for (let i = 1; i < starts.length; i++) starts[i] = (starts[i] ?? 0) + (starts[i - 1] ?? 0);
  const positions = new Uint32Array(counts.length);
  for (let at = counts.length - 1; at >= 0; at--) {
    const bytes = firstBytes(at);
    const position = (starts[bytes] ?? 0) - 1;
    starts[bytes] = position;
    positions[position] = at;
  }
  for (let i = 1; i < starts.length; i++) sortAlike(uses, positions, starts[i - 1] ?? 0, starts[i] ?? 0);
  return positions;
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
