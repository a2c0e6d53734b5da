import { CLIENT_ID_PREFIX } from '../../domain/api-user.ts';

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

/** Bits of the two parts of a use, which may be written one after the other. */
export const COUNT_PART = 1;
export const TOKENS_PART = 2;

/** Copies the uses to the end of `uses`. `parts`: by position, which parts of them; by default both. */
export function appendUses(uses: Uses, from: Uses, parts?: Uint8Array): void {
  for (const at of from.counts.keys()) {
    const part = parts?.[at] ?? COUNT_PART | TOKENS_PART;
    if (part === 0) continue;
    addUse(uses, {
      credentialId: credentialIdAt(from, at),
      of: { clientId: from.clientIds[at] ?? '' },
      lastUsedAt: from.lastUsedAt[at] ?? 0,
      lastUsedAddress: from.addresses[at] ?? '',
      count: (part & COUNT_PART) === 0 ? 0 : (from.counts[at] ?? 0),
      tokens: (part & TOKENS_PART) === 0 ? 0 : (from.tokens[at] ?? 0),
      lastSubject: from.subjects.get(at) ?? null,
    });
  }
}

export function credentialIdAt({ credentialIds }: Uses, at: number): string {
  const from = at * CREDENTIAL_ID_WIDTH;
  return String.fromCharCode(...credentialIds.subarray(from, from + CREDENTIAL_ID_WIDTH));
}

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
  const { sorted, starts } = sortByKey(Uint32Array.from(uses.counts.keys()), credentialKeys(uses));
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

function apiUserKeys({ clientIds }: Uses): KeyOf {
  const byteAt = (at: number, i: number) => (clientIds[at] ?? '').charCodeAt(i) & (BYTE - 1); // 0 beyond its end
  return (at) => byteAt(at, CLIENT_ID_PREFIX.length) * BYTE + byteAt(at, CLIENT_ID_PREFIX.length + 1);
}

/** Sorts by counting the keys. `starts`: where those of each key start in `sorted`. */
function sortByKey(positions: Uint32Array, keyOf: KeyOf): { sorted: Uint32Array; starts: Uint32Array } {
  /** How many have this key or a lesser one; in the end, where the first one is. */
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
