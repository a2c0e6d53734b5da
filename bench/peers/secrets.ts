// The check of a secret in servers that leave it to their user: a SHA-256 digest, compared in constant time.
import { hash, timingSafeEqual } from 'node:crypto';
import { clientIdAt, secretAt } from '../population.ts';

const DIGEST_BYTES = 43; // SHA-256 in base64url

/**
 * Checks secrets of the first `apiUsers` of the seeded population. The digests lie in one buffer: a million
 * objects would cost the garbage collector of a server time.
 */
export function seededSecrets(apiUsers: number): (clientId: string, secret: string) => boolean {
  const offsets = new Map<string, number>();
  const digests = Buffer.alloc(apiUsers * DIGEST_BYTES);
  for (let index = 0; index < apiUsers; index++) {
    offsets.set(clientIdAt(index), index * DIGEST_BYTES);
    digests.write(hash('sha256', secretAt(index), 'base64url'), index * DIGEST_BYTES, 'latin1');
  }
  return (clientId, secret) => {
    const offset = offsets.get(clientId);
    const digest = Buffer.from(hash('sha256', secret, 'base64url'), 'latin1');
    return offset !== undefined && timingSafeEqual(digest, digests.subarray(offset, offset + DIGEST_BYTES));
  };
}
