import { randomFillSync } from 'node:crypto';

export const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * Largest multiple of 62 that fits a byte. Bytes from this value up are discarded, so that no character is
 * favoured.
 */
const BYTE_LIMIT = 62 * 4;

/** `length` characters of `[0-9A-Za-z]` from the system's generator, 5.95 bits each. */
export function randomBase62(length: number): string {
  return base62From(newSource(length), length);
}

/** The same for ids, which are no secrets: most need no system call, because a pool holds bytes for many. */
export function randomId(length: number): string {
  return base62From(idBytes, length);
}

/** Random bytes. Those from `next` on are unused. */
interface Source {
  bytes: Uint8Array<ArrayBuffer>;
  next: number;
}

const newSource = (size: number): Source => ({ bytes: new Uint8Array(size), next: size });

const idBytes = newSource(4096);

function base62From(source: Source, length: number): string {
  let text = '';
  while (text.length < length) {
    if (source.next === source.bytes.length) {
      randomFillSync(source.bytes);
      source.next = 0;
    }
    const byte = source.bytes[source.next++] ?? BYTE_LIMIT;
    if (byte < BYTE_LIMIT) text += BASE62.charAt(byte % 62);
  }
  return text;
}

/**
 * Creates random identifiers without a call to the system or to native code for each: the generator fills a
 * pool, and every id takes its own characters from the text of it. The ids are as long as `bytes` bytes in
 * the encoding. An id that is kept keeps the text of its pool, 3 KiB at most.
 */
export function pooledRandom(
  bytes: number,
  encoding: 'hex' | 'base64url',
  poolBytes: number = POOL_BYTES,
): () => string {
  const length = Math.ceil((8 * bytes) / (encoding === 'hex' ? 4 : 6));
  const pool = Buffer.alloc(poolBytes - (poolBytes % 3)); // base64url makes four characters of three bytes
  let text = '';
  let next = 0;
  return () => {
    if (next + length > text.length) {
      randomFillSync(pool);
      text = pool.toString(encoding);
      next = 0;
    }
    next += length;
    return text.slice(next - length, next);
  };
}

const POOL_BYTES = 1536;
