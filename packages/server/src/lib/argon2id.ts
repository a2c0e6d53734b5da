import { argon2, randomBytes, timingSafeEqual, type Argon2Parameters } from 'node:crypto';

/**
 * argon2id (RFC 9106) with OWASP's first recommendation for it: 19 MiB, two passes, one lane. ~9 ms of CPU.
 */
const MEMORY_KIB = 19_456;
const PASSES = 2;
const LANES = 1;
export const SALT_BYTES = 16;
export const HASH_BYTES = 32;
/** What comes before the salt in the PHC string of a hash with this cost. */
export const PHC_PREFIX: string = `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${LANES}$`;

const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/** Returns a PHC string. The thread pool does the work. */
export async function argon2id(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const cost = { memory: MEMORY_KIB, passes: PASSES, parallelism: LANES };
  return phcOf(salt, await derive(password, salt, cost));
}

/** Throws if `phc` is not a PHC string of argon2id: the stored hash is damaged. */
export async function argon2idMatches(password: string, phc: string): Promise<boolean> {
  const [, memory, passes, parallelism, salt = '', hash = ''] = PHC.exec(phc) ?? [];
  if (memory === undefined) throw new Error('A stored password hash is not an argon2id PHC string.');
  const expected = Buffer.from(hash, 'base64');
  const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
  const actual = await derive(password, Buffer.from(salt, 'base64'), cost, expected.length);
  return timingSafeEqual(actual, expected);
}

/** True if `phc` is a PHC string of argon2id with this cost and these lengths. */
export function hasOwnCost(phc: string): boolean {
  const [, , , , salt = '', hash = ''] = PHC.exec(phc) ?? [];
  const [saltBytes, hashBytes] = [Buffer.from(salt, 'base64'), Buffer.from(hash, 'base64')];
  return (
    phc === phcOf(saltBytes, hashBytes) && saltBytes.length === SALT_BYTES && hashBytes.length === HASH_BYTES
  );
}

export function phcOf(salt: Buffer, hash: Buffer): string {
  return `${PHC_PREFIX}${unpadded(salt)}$${unpadded(hash)}`;
}

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
