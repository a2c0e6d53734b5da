import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { BASE62, randomBase62 } from '../lib/random.ts';

/**
 * A generated secret is `mms_<key id>_<43 random characters><6 characters of CRC-32>`, all of it
 * `[A-Za-z0-9_]`.
 */
export const SECRET_PREFIX = 'mms_';
export const KEY_ID_LENGTH = 10;
const RANDOM_LENGTH = 43; // 43 × log2(62) = 256 bits
const CHECKSUM_LENGTH = 6; // 62^6 > 2^32
export const SECRET_LENGTH: number =
  SECRET_PREFIX.length + KEY_ID_LENGTH + 1 + RANDOM_LENGTH + CHECKSUM_LENGTH;

/** The pattern for secret scanners. The checksum then tells a secret from a look-alike. */
export const SECRET_PATTERN: RegExp = /^mms_([0-9A-Za-z]{10})_[0-9A-Za-z]{49}$/;

export interface GeneratedSecret {
  keyId: string;
  /** The whole secret. Shown once; only its digest is stored. */
  secret: string;
}

export function generateSecret(): GeneratedSecret {
  const keyId = randomBase62(KEY_ID_LENGTH);
  const body = `${SECRET_PREFIX}${keyId}_${randomBase62(RANDOM_LENGTH)}`;
  return { keyId, secret: body + checksum(body) };
}

/**
 * The key id of a well-formed secret with a right checksum, else null. Needs no look-up: the checksum reveals
 * a typo.
 */
export function keyIdOf(secret: string): string | null {
  const problem = secretProblem(secret);
  return problem === null ? secret.slice(SECRET_PREFIX.length, SECRET_PREFIX.length + KEY_ID_LENGTH) : null;
}

export function isKeyId(id: string): boolean {
  return /^[0-9A-Za-z]{10}$/.test(id);
}

/** Why `secret` cannot be one of ours; null if it can. The text never quotes the secret. */
export function secretProblem(secret: string): string | null {
  if (!secret.startsWith(SECRET_PREFIX)) return `it does not begin with ${SECRET_PREFIX}`;
  if (secret.length !== SECRET_LENGTH) {
    return `it has ${secret.length} characters where a secret has ${SECRET_LENGTH}`;
  }
  if (!SECRET_PATTERN.test(secret))
    return 'it holds a character that no secret has, or its parts are misplaced';
  const end = SECRET_LENGTH - CHECKSUM_LENGTH;
  return secret.slice(end) === checksum(secret.slice(0, end))
    ? null
    : 'its checksum is wrong: a character was changed or lost on the way';
}

/**
 * The stored digest of a secret: SHA-256 of all of it, base64url, 43 characters. Why no slow hash:
 * docs/decisions/004.
 */
export function secretDigest(secret: string): string {
  return hash('sha256', secret, 'base64url');
}

/** CRC-32 (IEEE 802.3) of the text, base 62, most significant digit first, padded to six characters. */
function checksum(text: string): string {
  let value = crc32(text);
  let digits = '';
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    digits = BASE62.charAt(value % 62) + digits;
    value = Math.floor(value / 62);
  }
  return digits;
}
