import { endFault, followChain, type ChainEnds, type ChainFault } from '../domain/audit-chain.ts';
import { isFoundBy, type AuditEntry, type AuditLink, type NamedAuditEntry } from '../domain/audit-entry.ts';
import { AppError } from '../domain/app-error.ts';
import type { ApiUser } from '../domain/api-user.ts';
import type { AuditFilter } from '../domain/audit-filter.ts';
import type { Store } from '../storage/store.ts';
import { existingApiUser } from './api-user.ts';
import { audited, type Change } from './audited.ts';

/** Entries read at a time: less than a millisecond of hashing, after which others have their turn. */
const PAGE = 200;

export interface AuditPageAsked {
  /** `next` of the page before; null: from the newest entry on. */
  after: string | null;
  limit: number;
}

export interface AuditListed {
  items: NamedAuditEntry[];
  /** Null: this was the last page. */
  next: string | null;
}

/** Entries that a search reads for one page: of millions, a page may hold few or none, and `next` says where to continue. */
const SEARCHED_MAX = 4000;

/** A page of the audit log, the newest first. Throws an AppError where `after` is none that this gave out. */
export async function listAudit(
  store: Store,
  filter: AuditFilter,
  { after, limit }: AuditPageAsked,
): Promise<AuditListed> {
  const before = after === null ? null : placeOf(after);
  const search = filter.search ?? null;
  if (search !== null) return await searchAudit(store, { ...filter, search }, before, limit);
  // One more, which says whether there is a next page.
  const found = await store.audit.list(filter, { before, limit: limit + 1 });
  const items = await named(store, found.slice(0, limit));
  const last = items.at(-1);
  return { items, next: found.length > limit && last !== undefined ? cursorOf(last) : null };
}

/** Reads the names too, because a search looks through what a reader sees: no index has that. */
async function searchAudit(
  store: Store,
  filter: AuditFilter & { search: string },
  from: Pick<AuditEntry, 'at' | 'n'> | null,
  limit: number,
): Promise<AuditListed> {
  const items: NamedAuditEntry[] = [];
  let before: Pick<AuditEntry, 'at' | 'n'> | null = from;
  for (let searched = 0; searched < SEARCHED_MAX; searched += PAGE) {
    const page: AuditEntry[] = await store.audit.list(filter, { before, limit: PAGE });
    for (const entry of await named(store, page)) {
      if (isFoundBy(entry, filter.search)) items.push(entry);
      if (items.length === limit) return { items, next: cursorOf(entry) };
      before = entry;
    }
    if (page.length < PAGE) return { items, next: null };
  }
  return { items, next: before === null ? null : cursorOf(before) };
}

/** The same entries with the names of what they are about. */
async function named(store: Store, entries: readonly AuditEntry[]): Promise<NamedAuditEntry[]> {
  const ids = new Set(entries.flatMap(({ subjectId, relatedId }) => [subjectId, relatedId]));
  const names = await store.audit.names(Array.from(ids).filter((id) => id !== null));
  const nameOf = (id: string | null) => (id === null ? null : (names.get(id) ?? null));
  return entries.map((entry) => ({
    ...entry,
    subjectName: nameOf(entry.subjectId),
    relatedName: nameOf(entry.relatedId),
  }));
}

/**
 * The entries about an API user, given by client id or username, and its credentials. They outlive it: of one that was
 * deleted, the client id tells. Throws an AppError where there never was one.
 */
export async function listHistory(store: Store, name: string, page: AuditPageAsked): Promise<AuditListed> {
  const user = await existingApiUser(store, name).catch((error: unknown) => error);
  const subject = user instanceof Error ? name : (user as ApiUser).clientId;
  const found = await listAudit(store, { subject }, page);
  if (user instanceof Error && found.items.length === 0) throw user;
  return found;
}

/** Whole numbers, also where somebody wrote fractions, as SQLite lets anybody: what is next to such an entry may be left out. */
function cursorOf({ at, n }: Pick<AuditEntry, 'at' | 'n'>): string {
  return `${Math.floor(at)}.${Math.floor(n)}`;
}

function placeOf(cursor: string): { at: number; n: number } {
  const [, at, n] = /^(-?\d{1,16})\.(-?\d{1,16})$/.exec(cursor) ?? [];
  if (at !== undefined && n !== undefined) return { at: Number(at), n: Number(n) };
  throw new AppError(
    'invalid',
    `"${cursor}" is no page of the audit log: give the next of a page before it.`,
  );
}

/**
 * The entries that the filter lets through, in the order of the chain, up to the last one at the beginning: that of the
 * export itself, because an export takes the log out of the house.
 */
export async function* exportAudit(
  change: Change,
  filter: AuditFilter,
): AsyncGenerator<NamedAuditEntry, void, undefined> {
  const { store } = change;
  const given = Object.entries(filter).filter(([, value]) => value !== null && value !== undefined);
  const attempt = { action: 'audit.export', subject: { kind: 'store', id: null } } as const;
  await audited(change, attempt, async () => ({
    result: null,
    after: { filter: Object.fromEntries(given) },
  }));
  const { last } = await store.audit.head();
  for (let after = 0; ;) {
    const page = await store.audit.after(after, PAGE, filter);
    for (const entry of await named(store, page)) {
      if (entry.n > last.n) return;
      if (filter.search === null || filter.search === undefined || isFoundBy(entry, filter.search))
        yield entry;
    }
    const end = page.at(-1);
    if (end === undefined || page.length < PAGE) return;
    after = end.n;
  }
}

export interface AuditVerification {
  /** How many entries were looked at: all, where the chain is whole. */
  entries: number;
  valid: boolean;
  /** The last entry, to be noted somewhere else. */
  head: AuditLink;
  /** The last entry that was removed because it was kept long enough; number 0: none. */
  removed: AuditLink;
  firstBad: ChainFault | null;
  /** Of an entry that was noted elsewhere: whether it is in the chain; `removed`: it was kept long enough. */
  noted: 'found' | 'removed' | null;
}

/**
 * Follows the whole chain, also while it grows, and while maintenance removes its beginning. With `noted`, an entry as it
 * once was: what came after can be rewritten only by somebody who keeps that one.
 */
export async function verifyAudit(store: Store, noted: AuditLink | null = null): Promise<AuditVerification> {
  let ends = await store.audit.head();
  let reached = ends.removed;
  let entries = 0;
  let seen: AuditVerification['noted'] = null;
  const result = (firstBad: ChainFault | null): AuditVerification => ({
    entries,
    valid: firstBad === null,
    head: ends.last,
    removed: ends.removed,
    firstBad,
    noted: seen,
  });
  for (;;) {
    if (noted !== null && noted.n === reached.n) {
      if (noted.hash !== reached.hash) return result({ n: noted.n, fault: 'unlike' });
      seen = 'found';
    }
    const limit = noted !== null && noted.n > reached.n ? Math.min(PAGE, noted.n - reached.n) : PAGE;
    const page = await store.audit.after(reached.n, limit);
    const followed = followChain(reached, page);
    entries += followed.last.n - reached.n;
    if (page.length > 0 && followed.fault === null) {
      reached = followed.last;
      continue;
    }
    ends = await store.audit.head();
    if (wasRemoved(ends, followed.last)) {
      reached = ends.removed;
      continue;
    }
    if (followed.fault !== null) return result(followed.fault);
    // Written since the page was read.
    if ((ends.found?.highest ?? 0) > reached.n) continue;
    const fault = endFault(ends, reached);
    if (fault === null && noted !== null && seen === null) {
      if (noted.n > reached.n) return result({ n: noted.n, fault: 'missing' });
      seen = 'removed';
    }
    return result(fault);
  }
}

/** Maintenance has removed the beginning meanwhile, further than the chain was followed. */
function wasRemoved({ removed, found }: ChainEnds, reached: AuditLink): boolean {
  return removed.n > reached.n && (found === null || found.lowest > removed.n);
}
