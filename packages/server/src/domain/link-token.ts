import { hash } from 'node:crypto';
import { randomBase62 } from '../lib/random.ts';

// The secret part of a one-time link: a prefix, and 43 random characters. Only its digest is stored.

const RANDOM_LENGTH = 43; // 43 × log2(62) = 256 bits
const RANDOM = new RegExp(`^[0-9A-Za-z]{${RANDOM_LENGTH}}$`);

export interface LinkToken {
  /** Shown once. */
  token: string;
  digest: string;
}

export function newLinkToken(prefix: string): LinkToken {
  const token = prefix + randomBase62(RANDOM_LENGTH);
  return { token, digest: digestOf(token) };
}

/** The stored digest of a token; null if the text cannot be a token with this prefix. */
export function linkTokenDigest(prefix: string, text: string): string | null {
  return text.startsWith(prefix) && RANDOM.test(text.slice(prefix.length)) ? digestOf(text) : null;
}

function digestOf(token: string): string {
  return hash('sha256', token, 'base64url');
}
