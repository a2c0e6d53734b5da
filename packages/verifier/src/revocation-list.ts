import { sha256, whenReady } from './digest.ts';

const MAGIC = 0x4d4d524c; // "MMRL"
const VERSION = 1;
const HEAD_BYTES = 16;
const DIGEST_BYTES = 16;
const WORD_BYTES = 4;
const TIME_BYTES = 8;
/** An API user or an organisation. */
const OWNER_BYTES = DIGEST_BYTES + TIME_BYTES;
/** Entries checked in one turn of the event loop, in about a millisecond. */
const CHECKED_AT_A_TIME = 50_000;

/** An issuer's revocation list, searched in its binary form (docs/decisions/012). */
export interface RevocationList {
  /**
   * Whether the list revokes this token id, or the tokens of its API user or organisation issued before a
   * time.
   */
  includes(token: ListedToken): boolean | Promise<boolean>;
}

interface ListedToken {
  tokenId: string;
  clientId: string;
  organisationId: string | undefined;
  issuedAt: number;
}

export const EMPTY_LIST: RevocationList = { includes: () => false };

/** Throws an Error if the bytes are not a list. Keeps the bytes, which must not change. */
export async function revocationList(bytes: Uint8Array): Promise<RevocationList> {
  const view = viewOf(bytes);
  if (bytes.length < HEAD_BYTES || view.getUint32(0) !== MAGIC || view.getUint32(4) !== VERSION) {
    throw new Error('The answer is not a revocation list of version 1.');
  }
  const tokens = view.getUint32(8);
  const owners = view.getUint32(12);
  const ownersAt = HEAD_BYTES + tokens * DIGEST_BYTES;
  if (bytes.length !== ownersAt + owners * OWNER_BYTES) {
    throw new Error('The revocation list is not as long as it says.');
  }
  // A binary search would miss entries of an unsorted list.
  await refuseUnsorted(view, HEAD_BYTES, DIGEST_BYTES, tokens);
  await refuseUnsorted(view, ownersAt, OWNER_BYTES, owners);

  const hasToken = (digest: Uint8Array) =>
    search(view, HEAD_BYTES, DIGEST_BYTES, tokens, viewOf(digest)) >= 0;
  const hasOwner = (digest: Uint8Array, issuedAt: number) => {
    const at = search(view, ownersAt, OWNER_BYTES, owners, viewOf(digest));
    return at >= 0 && BigInt(Math.floor(issuedAt)) < view.getBigUint64(at + DIGEST_BYTES);
  };
  const ownerIncluded = (id: string, issuedAt: number) =>
    whenReady(sha256(id), (digest) => hasOwner(digest, issuedAt));
  /** By the API user, then by its organisation. */
  const ownersIncluded = ({ clientId, organisationId, issuedAt }: ListedToken) => {
    if (owners === 0) return false;
    const byApiUser = ownerIncluded(clientId, issuedAt);
    return organisationId === undefined
      ? byApiUser
      : whenReady(byApiUser, (isIncluded) => isIncluded || ownerIncluded(organisationId, issuedAt));
  };
  return {
    includes(token) {
      if (tokens === 0) return ownersIncluded(token) as boolean | Promise<boolean>;
      return whenReady(sha256(token.tokenId), (digest) => hasToken(digest) || ownersIncluded(token)) as
        | boolean
        | Promise<boolean>;
    },
  };
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

async function refuseUnsorted(view: DataView, from: number, width: number, count: number): Promise<void> {
  for (let entry = 1; entry < count; entry += 1) {
    const at = from + entry * width;
    if (compare(view, at - width, view, at) >= 0) throw new Error('The revocation list is not sorted.');
    if (entry % CHECKED_AT_A_TIME === 0) await nextTurn();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Offset of the entry that begins with `digest` among `count` sorted ones of `width` bytes; else -1. */
function search(view: DataView, from: number, width: number, count: number, digest: DataView): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = from + middle * width;
    const order = compare(digest, 0, view, at);
    if (order === 0) return at;
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return -1;
}

/** Negative if the digest in `a` is lower than the one in `b`. Usually the first word decides. */
function compare(a: DataView, atA: number, b: DataView, atB: number): number {
  for (let word = 0; word < DIGEST_BYTES; word += WORD_BYTES) {
    const order = a.getUint32(atA + word) - b.getUint32(atB + word);
    if (order !== 0) return order;
  }
  return 0;
}
