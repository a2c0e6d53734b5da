import { argon2, randomBytes, timingSafeEqual, type Argon2Parameters } from 'node:crypto';
import { SECRET_PREFIX } from './secret.ts';

/**
 * argon2id (RFC 9106) with OWASP's first recommendation for it: 19 MiB, two passes, one lane. ~9 ms of CPU.
 */
const MEMORY_KIB = 19_456;
const PASSES = 2;
const LANES = 1;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

export const PASSWORD_LENGTH_MIN = 12;
export const PASSWORD_LENGTH_MAX = 128;

const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/** Why a password may not be used; null if it may. The text never quotes the password. */
export function passwordProblem(password: string): string | null {
  if (password.startsWith(SECRET_PREFIX)) {
    return `A password may not begin with ${SECRET_PREFIX}, which generated secrets do: choose another.`;
  }
  if (password.length < PASSWORD_LENGTH_MIN || password.length > PASSWORD_LENGTH_MAX) {
    return `A password has ${PASSWORD_LENGTH_MIN} to ${PASSWORD_LENGTH_MAX} characters; this one has ${password.length}.`;
  }
  return new Set(password).size < 5
    ? 'The password repeats the same few characters: choose one that is harder to guess.'
    : null;
}

/** Returns a PHC string. The thread pool does the work. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, { memory: MEMORY_KIB, passes: PASSES, parallelism: LANES });
  return `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${LANES}$${unpadded(salt)}$${unpadded(hash)}`;
}

/**
 * Why an imported password hash is refused; null if it is accepted. With another cost than ours, a check
 * would be slower or faster than one for an unknown client id, and the two must take equally long.
 */
export function passwordHashProblem(phc: string): string | null {
  const [, memory, passes, lanes, salt = '', hash = ''] = PHC.exec(phc) ?? [];
  const cost = `m=${MEMORY_KIB},t=${PASSES},p=${LANES}`;
  const fits =
    `m=${memory},t=${passes},p=${lanes}` === cost &&
    unpadded(Buffer.from(salt, 'base64')) === salt &&
    Buffer.from(salt, 'base64').length === SALT_BYTES &&
    unpadded(Buffer.from(hash, 'base64')) === hash &&
    Buffer.from(hash, 'base64').length === HASH_BYTES;
  return fits
    ? null
    : `The digest of a password is $argon2id$v=19$${cost}$, a salt of ${SALT_BYTES} bytes and a hash of ${HASH_BYTES}.`;
}

/** Throws if `phc` is not a PHC string of argon2id: the stored hash is damaged. */
export async function passwordMatches(password: string, phc: string): Promise<boolean> {
  const [, memory, passes, parallelism, salt = '', hash = ''] = PHC.exec(phc) ?? [];
  if (memory === undefined) throw new Error('A stored password hash is not an argon2id PHC string.');
  const expected = Buffer.from(hash, 'base64');
  const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
  const actual = await derive(password, Buffer.from(salt, 'base64'), cost, expected.length);
  return timingSafeEqual(actual, expected);
}

/**
 * A hash that no password has, with the cost of a real one. Passwords for an unknown client id are checked
 * against it.
 */
export const NO_PASSWORD: string =
  `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${LANES}$` +
  `${unpadded(Buffer.alloc(SALT_BYTES))}$${unpadded(Buffer.alloc(HASH_BYTES))}`;

type Cost = Pick<Argon2Parameters, 'memory' | 'passes' | 'parallelism'>;

function derive(password: string, salt: Buffer, cost: Cost, tagLength = HASH_BYTES): Promise<Buffer> {
  // NFC, so that a password typed on another keyboard is the same password (RFC 8265 §4.2)
  const message = password.normalize('NFC');
  return new Promise((resolve, reject) => {
    argon2('argon2id', { message, nonce: salt, tagLength, ...cost }, (error, tag) => {
      if (error) reject(error);
      else resolve(tag);
    });
  });
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
