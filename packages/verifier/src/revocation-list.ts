import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';

const HEAD_BYTES = 16;
const DIGEST_BYTES = 16;
const TIME_BYTES = 8;
const API_USER_BYTES = DIGEST_BYTES + TIME_BYTES;
/** Entries whose order is checked at a time, in about a millisecond: others have their turn in between. */
const CHECKED_AT_A_TIME = 50_000;

/** The revocation list of an issuer, searched in the bytes as they came (docs/decisions/012). */
export interface RevocationList {
  /** Whether a token is on it, by its id or with everything that was issued to its API user before a time. */
  includes(token: { tokenId: string; clientId: string; issuedAt: number }): boolean;
}

export const EMPTY_LIST: RevocationList = { includes: () => false };

/** Throws an Error where the bytes are not a list. They are kept, and must not be changed. */
export async function revocationList(bytes: Buffer): Promise<RevocationList> {
  if (bytes.length < HEAD_BYTES || bytes.toString('latin1', 0, 4) !== 'MMRL' || bytes.readUInt32BE(4) !== 1) {
    throw new Error('The answer is not a revocation list of version 1.');
  }
  const tokens = bytes.readUInt32BE(8);
  const apiUsers = bytes.readUInt32BE(12);
  const apiUsersAt = HEAD_BYTES + tokens * DIGEST_BYTES;
  if (bytes.length !== apiUsersAt + apiUsers * API_USER_BYTES) {
    throw new Error('The revocation list is not as long as it says.');
  }
  // In a list out of order a search would pass by what is on it.
  await refuseUnsorted(bytes, HEAD_BYTES, DIGEST_BYTES, tokens);
  await refuseUnsorted(bytes, apiUsersAt, API_USER_BYTES, apiUsers);
  return {
    includes({ tokenId, clientId, issuedAt }) {
      if (tokens > 0 && search(bytes, HEAD_BYTES, DIGEST_BYTES, tokens, digestOf(tokenId)) >= 0) return true;
      if (apiUsers === 0) return false;
      const at = search(bytes, apiUsersAt, API_USER_BYTES, apiUsers, digestOf(clientId));
      return at >= 0 && BigInt(Math.floor(issuedAt)) < bytes.readBigUInt64BE(at + DIGEST_BYTES);
    },
  };
}

async function refuseUnsorted(bytes: Buffer, from: number, width: number, count: number): Promise<void> {
  for (let entry = 1; entry < count; entry += 1) {
    const at = from + entry * width;
    const before = at - width;
    const order =
      bytes.readUInt32BE(before) - bytes.readUInt32BE(at) ||
      bytes.compare(bytes, at, at + DIGEST_BYTES, before, before + DIGEST_BYTES);
    if (order >= 0) throw new Error('The revocation list is not sorted.');
    if (entry % CHECKED_AT_A_TIME === 0) await nextTurn();
  }
}

function digestOf(id: string): Buffer {
  return createHash('sha256').update(id).digest().subarray(0, DIGEST_BYTES);
}

/** Where the entry that begins with `digest` lies among `count` sorted ones of `width` bytes from `from` on; -1: nowhere. */
function search(bytes: Buffer, from: number, width: number, count: number, digest: Buffer): number {
  let [low, high] = [0, count];
  const first = digest.readUInt32BE(0);
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = from + middle * width;
    // Nearly always the first four bytes tell: a comparison of buffers is a call out of JavaScript each time.
    const order = first - bytes.readUInt32BE(at) || digest.compare(bytes, at, at + DIGEST_BYTES);
    if (order === 0) return at;
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return -1;
}
