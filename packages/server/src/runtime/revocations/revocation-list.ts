import { createHash } from 'node:crypto';
import { sortedEntries, type SortedEntries } from './sorted-entries.ts';
import type { AccessTokenClaims } from '../../domain/access-token.ts';
import { REVOCATION_DIGEST_BYTES, revocationDigest, type Revocation } from '../../domain/revocation.ts';
import type { RevocationRows } from '../../storage/tables/revocation.ts';
import { CLOCK_FAR_MS } from '../clock-watch.ts';

/**
 * The revocations as this process publishes them. Format of the list and reasons for it: docs/decisions/012.
 */
export interface RevocationList {
  /**
   * Reads all revocations again. Only one load may run at a time. A refresh during a load changes both the
   * current list and the one being loaded.
   */
  load(): Promise<void>;
  /** Reads these revocations again, after a change. */
  refresh(digests: readonly string[]): Promise<void>;
  published(nowMs: number): PublishedList;
  /**
   * Whether the list has dropped revocations that may not have ended at this time: clocks were ahead, and
   * are set back. The next load brings them back.
   */
  lacksSome(nowMs: number): boolean;
  /**
   * Whether the list revokes this token: by its id, or with all tokens issued to its API user or organisation
   * before a time.
   */
  includes(token: Pick<AccessTokenClaims, 'tokenId' | 'clientId' | 'organisationId' | 'issuedAt'>): boolean;
  /** The number of tokens that the list revokes by their id. */
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
/** Revocations per read: the process takes in a page within a few milliseconds. */
const PAGE_SIZE = 1000;

interface Entries {
  tokens: SortedEntries;
  /** API users and organisations. */
  owners: SortedEntries;
}

export function createRevocationList(rows: Pick<RevocationRows, 'find' | 'page'>): RevocationList {
  let held = emptyEntries();
  /** What a load has read so far. A refresh writes here too, because the pages of the load may be older. */
  let loading: Entries | undefined;
  let published: PublishedList | undefined;
  /** The latest time at which the list dropped a revocation since its last load. */
  let droppedAt = Number.NEGATIVE_INFINITY;

  /** Whether the list revokes all tokens that this API user or organisation got at that time. */
  function revokesAll(id: string, issuedAt: number): boolean {
    const all = held.owners.find(digestBytes(id));
    return all !== null && BigInt(issuedAt) < all.readBigUInt64BE(REVOCATION_DIGEST_BYTES);
  }

  return {
    async load() {
      const loaded = (loading = emptyEntries());
      try {
        for (let after = ''; ;) {
          const page = await rows.page(after, PAGE_SIZE);
          for (const revocation of page) put(revocation, loaded);
          const last = page.at(-1);
          if (last === undefined) break;
          after = last.digest;
        }
        held = loaded;
        published = undefined;
        droppedAt = Number.NEGATIVE_INFINITY;
      } finally {
        loading = undefined;
      }
    },
    async refresh(digests) {
      for (let at = 0; at < digests.length; at += PAGE_SIZE) {
        for (const revocation of await rows.find(digests.slice(at, at + PAGE_SIZE))) {
          put(revocation, held);
          if (loading !== undefined) put(revocation, loading);
        }
        published = undefined;
      }
    },
    published(nowMs) {
      const hasDropped = [held.tokens, held.owners].map((entries) => entries.dropOver(nowMs)).includes(true);
      if (hasDropped) droppedAt = Math.max(droppedAt, nowMs);
      if (published === undefined || hasDropped) published = publish(held);
      return published;
    },
    // Clocks often differ a little. An entry stays ten minutes longer than its tokens, which covers this.
    lacksSome: (nowMs) => nowMs < droppedAt - CLOCK_FAR_MS,
    includes({ tokenId, clientId, organisationId, issuedAt }) {
      if (held.tokens.find(digestBytes(tokenId)) !== null) return true;
      return (
        revokesAll(clientId, issuedAt) || (organisationId !== null && revokesAll(organisationId, issuedAt))
      );
    },
    tokens: () => held.tokens.size(),
  };
}

function digestBytes(id: string): Buffer {
  return Buffer.from(revocationDigest(id), 'hex');
}

function emptyEntries(): Entries {
  return {
    tokens: sortedEntries(REVOCATION_DIGEST_BYTES, REVOCATION_DIGEST_BYTES),
    owners: sortedEntries(REVOCATION_DIGEST_BYTES + TIME_BYTES, REVOCATION_DIGEST_BYTES),
  };
}

function put({ digest, issuedBefore, removesAt }: Revocation, { tokens, owners }: Entries): void {
  const digestOnly = Buffer.from(digest, 'hex');
  if (issuedBefore === null) return tokens.put(digestOnly, removesAt);
  const time = Buffer.alloc(TIME_BYTES);
  time.writeBigUInt64BE(BigInt(issuedBefore));
  owners.put(Buffer.concat([digestOnly, time]), removesAt);
}

function publish({ tokens, owners }: Entries): PublishedList {
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MAGIC, 'latin1');
  head.writeUInt32BE(VERSION, 4);
  head.writeUInt32BE(tokens.size(), 8);
  head.writeUInt32BE(owners.size(), 12);
  const body = Buffer.concat([head, tokens.bytes(), owners.bytes()]);
  return { body, sha256: createHash('sha256').update(body).digest('base64url') };
}
