import { createHash } from 'node:crypto';
import { sortedEntries, type SortedEntries } from './sorted-entries.ts';
import type { AccessTokenClaims } from './domain/access-token.ts';
import { REVOCATION_DIGEST_BYTES, revocationDigest, type Revocation } from './domain/revocation.ts';
import type { RevocationRows } from './storage/revocation.ts';

/** The revocations as this process publishes them. What the list looks like, and why: docs/decisions/012. */
export interface RevocationList {
  /** Reads all of them again. */
  load(): Promise<void>;
  /** Reads these again: they were changed. */
  refresh(digests: readonly string[]): Promise<void>;
  published(nowMs: number): PublishedList;
  /** Whether a token is on it, by its id or with everything that was issued to its API user before a time. */
  includes(token: Pick<AccessTokenClaims, 'tokenId' | 'clientId' | 'issuedAt'>): boolean;
  /** How many single tokens are on it. */
  tokens(): number;
}

export interface PublishedList {
  body: Buffer;
  /** SHA-256 of the body, base64url. */
  sha256: string;
}

const MAGIC = 'MMRL';
const VERSION = 1;
const HEAD_BYTES = 16;
const TIME_BYTES = 8;
/** Revocations per read: so many are taken in within a few milliseconds. */
const PAGE_SIZE = 1000;

export function createRevocationList(rows: RevocationRows): RevocationList {
  let tokens = emptyTokens();
  let apiUsers = emptyApiUsers();
  let published: PublishedList | undefined;

  function take(revocation: Revocation, into: { tokens: SortedEntries; apiUsers: SortedEntries }): void {
    const digest = Buffer.from(revocation.digest, 'hex');
    if (revocation.issuedBefore === null) into.tokens.put(digest, revocation.removesAt);
    else {
      const time = Buffer.alloc(TIME_BYTES);
      time.writeBigUInt64BE(BigInt(revocation.issuedBefore));
      into.apiUsers.put(Buffer.concat([digest, time]), revocation.removesAt);
    }
    published = undefined;
  }

  return {
    async load() {
      // Beside what is held, which is published meanwhile.
      const fresh = { tokens: emptyTokens(), apiUsers: emptyApiUsers() };
      for (let after = ''; ;) {
        const page = await rows.page(after, PAGE_SIZE);
        for (const revocation of page) take(revocation, fresh);
        const last = page.at(-1);
        if (last === undefined) break;
        after = last.digest;
      }
      ({ tokens, apiUsers } = fresh);
      published = undefined;
    },
    async refresh(digests) {
      for (let at = 0; at < digests.length; at += PAGE_SIZE) {
        const found = await rows.find(digests.slice(at, at + PAGE_SIZE));
        for (const revocation of found) take(revocation, { tokens, apiUsers });
      }
    },
    published(nowMs) {
      const dropped = [tokens, apiUsers].map((entries) => entries.dropOver(nowMs));
      if (published === undefined || dropped.includes(true)) published = publish(tokens, apiUsers);
      return published;
    },
    includes({ tokenId, clientId, issuedAt }) {
      if (tokens.find(digestBytes(tokenId)) !== null) return true;
      const all = apiUsers.find(digestBytes(clientId));
      return all !== null && BigInt(issuedAt) < all.readBigUInt64BE(REVOCATION_DIGEST_BYTES);
    },
    tokens: () => tokens.size(),
  };
}

function digestBytes(id: string): Buffer {
  return Buffer.from(revocationDigest(id), 'hex');
}

const emptyTokens = () => sortedEntries(REVOCATION_DIGEST_BYTES, REVOCATION_DIGEST_BYTES);
const emptyApiUsers = () => sortedEntries(REVOCATION_DIGEST_BYTES + TIME_BYTES, REVOCATION_DIGEST_BYTES);

function publish(tokens: SortedEntries, apiUsers: SortedEntries): PublishedList {
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MAGIC, 'latin1');
  head.writeUInt32BE(VERSION, 4);
  head.writeUInt32BE(tokens.size(), 8);
  head.writeUInt32BE(apiUsers.size(), 12);
  const body = Buffer.concat([head, tokens.bytes(), apiUsers.bytes()]);
  return { body, sha256: createHash('sha256').update(body).digest('base64url') };
}
