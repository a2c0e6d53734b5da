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
 * Uses of credentials, in columns of numbers instead of an object each: there may be a hundred thousand
 * objects, which the garbage collector would read and copy.
 */
export interface Uses {
  /** The number of uses. Columns have room for more, and may still hold earlier ones there. */
  size: number;
  /** The bytes of all credential ids, one after the other. */
  credentialIds: Uint8Array;
  /** The bytes of all client ids, one after the other. */
  clientIds: Uint8Array;
  /** The end of each client id in `clientIds`. */
  clientIdEnds: Uint32Array;
  lastUsedAt: Float64Array;
  addresses: string[];
  counts: Uint32Array;
  tokens: Uint32Array;
  /** Subjects by the position of the use, of those that have one. */
  subjects: Map<number, string>;
}

export const CREDENTIAL_ID_WIDTH = 10;
const FIRST_ROOM = 64;
/** Bytes of a generated client id. */
const CLIENT_ID_BYTES = 24;

export function noUses(): Uses {
  return {
    size: 0,
    credentialIds: new Uint8Array(FIRST_ROOM * CREDENTIAL_ID_WIDTH),
    clientIds: new Uint8Array(FIRST_ROOM * CLIENT_ID_BYTES),
    clientIdEnds: new Uint32Array(FIRST_ROOM),
    lastUsedAt: new Float64Array(FIRST_ROOM),
    addresses: [],
    counts: new Uint32Array(FIRST_ROOM),
    tokens: new Uint32Array(FIRST_ROOM),
    subjects: new Map(),
  };
}

export function usesOf(uses: readonly Use[]): Uses {
  const all = noUses();
  for (const use of uses) addUse(all, use);
  return all;
}

/** Adds a use after the others. */
export function addUse(uses: Uses, use: Use): void {
  const at = uses.size;
  if (at === uses.counts.length) doubleRoom(uses);
  const { credentialId, of } = use;
  for (let i = 0; i < CREDENTIAL_ID_WIDTH; i++)
    uses.credentialIds[at * CREDENTIAL_ID_WIDTH + i] = credentialId.charCodeAt(i); // a byte each: ids are ASCII
  addClientId(uses, at, of.clientId);
  uses.lastUsedAt[at] = use.lastUsedAt;
  uses.addresses[at] = use.lastUsedAddress;
  uses.counts[at] = use.count;
  uses.tokens[at] = use.tokens;
  if (typeof use.lastSubject === 'string') uses.subjects.set(at, use.lastSubject);
  uses.size = at + 1;
}

function addClientId(uses: Uses, at: number, clientId: string): void {
  const start = clientIdStart(uses, at);
  const end = start + clientId.length;
  if (end > uses.clientIds.length) uses.clientIds = larger(uses.clientIds, new Uint8Array(2 * end));
  for (let i = 0; i < clientId.length; i++) uses.clientIds[start + i] = clientId.charCodeAt(i); // ASCII as well
  uses.clientIdEnds[at] = end;
}

function doubleRoom(uses: Uses): void {
  const room = 2 * uses.size;
  uses.credentialIds = larger(uses.credentialIds, new Uint8Array(room * CREDENTIAL_ID_WIDTH));
  uses.clientIdEnds = larger(uses.clientIdEnds, new Uint32Array(room));
  uses.lastUsedAt = larger(uses.lastUsedAt, new Float64Array(room));
  uses.counts = larger(uses.counts, new Uint32Array(room));
  uses.tokens = larger(uses.tokens, new Uint32Array(room));
}

export function larger<Column extends { set(from: Column): void }>(from: Column, to: Column): Column {
  to.set(from);
  return to;
}

/** The start of the client id at this position in `clientIds`. */
export function clientIdStart({ clientIdEnds }: Uses, at: number): number {
  return at === 0 ? 0 : (clientIdEnds[at - 1] ?? 0);
}

export function clientIdAt(uses: Uses, at: number): string {
  return String.fromCharCode(...uses.clientIds.subarray(clientIdStart(uses, at), uses.clientIdEnds[at]));
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
  for (let at = 0; at < from.size; at++) {
    const part = parts?.[at] ?? COUNT_PART | TOKENS_PART;
    if (part === 0) continue;
    addUse(uses, {
      credentialId: credentialIdAt(from, at),
      of: { clientId: clientIdAt(from, at) },
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
