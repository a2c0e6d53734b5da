import { confinedTo, type Actor } from '../domain/actor.ts';
import { endFault, followChain, type ChainEnds, type ChainFault } from '../domain/audit-chain.ts';
import { isFoundBy, type AuditEntry, type AuditLink, type NamedAuditEntry } from '../domain/audit-entry.ts';
import { AppError } from '../domain/app-error.ts';
import type { ApiUser } from '../domain/api-user.ts';
import type { AuditFilter } from '../domain/audit-filter.ts';
import type { Store } from '../storage/store.ts';
import { entryForMembers, filterForMembers } from '../domain/audit-view.ts';
import { existingApiUser } from './api-user.ts';
import { audited, type Change } from './audited.ts';

/** Entries per read. Hashing them takes less than a millisecond; then other work gets its turn. */
const PAGE = 200;

export interface AuditPageAsked {
  /** The `next` of the previous page; null: begin with the newest entry. */
  after: string | null;
  limit: number;
}

export interface AuditListed {
  items: NamedAuditEntry[];
  /** Null: this was the last page. */
  next: string | null;
}

/**
 * The most entries that a search reads for one page. With millions of entries a page may hold few or none;
 * `next` continues the search.
 */
const SEARCHED_MAX = 4000;

/** Who reads the audit log: members see only the entries of their organisation. */
export type AuditReader = Pick<Change, 'store' | 'actor'>;

/**
 * A page of the audit log, newest first. Throws an AppError if `after` does not have the form of a `next`.
 */
export async function listAudit(
  reader: AuditReader,
  input: AuditFilter,
  { after, limit }: AuditPageAsked,
): Promise<AuditListed> {
  const { store } = reader;
  const filter = confined(input, reader.actor);
  const before = after === null ? null : cursorPosition(after);
  const search = filter.search ?? null;
  if (search !== null) return await searchAudit(reader, { ...filter, search }, before, limit);
  // One more than the page holds, to know whether there is a next page.
  const entries = await store.audit.list(filter, { before, limit: limit + 1 });
  const items = await named(reader, entries.slice(0, limit));
  const last = items.at(-1);
  return { items, next: entries.length > limit && last !== undefined ? cursorOf(last) : null };
}

function confined(filter: AuditFilter, actor: Actor): AuditFilter {
  const organisation = confinedTo(actor);
  return organisation === null ? filter : filterForMembers(filter, organisation);
}

/** Reads the names too, because a search covers everything that the reader sees. No index has that. */
async function searchAudit(
  reader: AuditReader,
  filter: AuditFilter & { search: string },
  from: Pick<AuditEntry, 'at' | 'n'> | null,
  limit: number,
): Promise<AuditListed> {
  const items: NamedAuditEntry[] = [];
  let before: Pick<AuditEntry, 'at' | 'n'> | null = from;
  for (let searched = 0; searched < SEARCHED_MAX; searched += PAGE) {
    const page: AuditEntry[] = await reader.store.audit.list(filter, { before, limit: PAGE });
    for (const entry of await named(reader, page)) {
      if (isFoundBy(entry, filter.search)) items.push(entry);
      if (items.length === limit) return { items, next: cursorOf(entry) };
      before = entry;
    }
    if (page.length < PAGE) return { items, next: null };
  }
  return { items, next: before === null ? null : cursorOf(before) };
}

/** Adds the names of the subjects to the entries, and leaves out what the reader may not know. */
async function named(
  { store, actor }: AuditReader,
  entries: readonly AuditEntry[],
): Promise<NamedAuditEntry[]> {
  const organisation = confinedTo(actor);
  const ids = new Set(entries.flatMap(({ subjectId, relatedId }) => [subjectId, relatedId]));
  const names = await store.audit.names(
    Array.from(ids).filter((id) => id !== null),
    organisation,
  );
  const nameOf = (id: string | null) => (id === null ? null : (names.get(id) ?? null));
  return entries.map((entry) => {
    const withNames = {
      ...entry,
      subjectName: nameOf(entry.subjectId),
      relatedName: nameOf(entry.relatedId),
    };
    return organisation === null ? withNames : entryForMembers(withNames, organisation);
  });
}

/**
 * The entries about an API user, given by client id or username, and its credentials. The entries remain when
 * the API user is deleted: then they are found by its client id. Throws an AppError if neither the API user
 * nor an entry exists.
 */
export async function listHistory(
  reader: AuditReader,
  name: string,
  page: AuditPageAsked,
): Promise<AuditListed> {
  const user = await existingApiUser(reader.store, name, reader.actor).catch((error: unknown) => error);
  const subject = user instanceof Error ? name : (user as ApiUser).clientId;
  const listing = await listAudit(reader, { subject }, page);
  // Ids of members and organisations have entries, too, which plain members may not read.
  if (user instanceof Error && !listing.items.some(isAboutApiUser)) throw user;
  return listing;
}

function isAboutApiUser({ subjectKind, relatedKind }: AuditEntry): boolean {
  return subjectKind === 'api_user' || relatedKind === 'api_user';
}

/**
 * Rounds down: SQLite lets anyone with access to the file write fractions. Entries next to such an entry may
 * then be missing from a page.
 */
function cursorOf({ at, n }: Pick<AuditEntry, 'at' | 'n'>): string {
  return `${Math.floor(at)}.${Math.floor(n)}`;
}

function cursorPosition(cursor: string): { at: number; n: number } {
  const [, at, n] = /^(-?\d{1,16})\.(-?\d{1,16})$/.exec(cursor) ?? [];
  if (at !== undefined && n !== undefined) return { at: Number(at), n: Number(n) };
  throw new AppError(
    'invalid',
    `"${cursor}" is not a page of the audit log: give the value of "next" in the page before.`,
  );
}

/**
 * Yields the entries that match the filter in the order of the chain, up to the newest entry when the export
 * starts. The export first records itself, because it takes the log out of the server.
 */
export async function* exportAudit(
  change: Change,
  input: AuditFilter,
): AsyncGenerator<NamedAuditEntry, void, undefined> {
  const { store } = change;
  const filter = confined(input, change.actor);
  const criteria = Object.entries(filter).filter(([, value]) => value !== null && value !== undefined);
  const attempt = { action: 'audit.export', subject: { kind: 'store', id: null } } as const;
  await audited(change, attempt, async () => ({
    result: null,
    after: { filter: Object.fromEntries(criteria) },
  }));
  const { last } = await store.audit.head();
  for (let after = 0; ;) {
    const page = await store.audit.after(after, PAGE, filter);
    for (const entry of await named(change, page)) {
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
  /** How many entries were checked; if the chain is intact, all of them. */
  entries: number;
  valid: boolean;
  /** The last entry, for the operator to note elsewhere. */
  head: AuditLink;
  /** The last entry that maintenance removed because of its age; number 0: none. */
  removed: AuditLink;
  firstBad: ChainFault | null;
  /**
   * Whether the chain contains the entry that was noted elsewhere; `removed`: maintenance has removed it
   * because of its age. Null: no entry was given, or the check ended before it.
   */
  noted: 'found' | 'removed' | null;
}

/**
 * Verifies the whole chain, even while it grows and while maintenance removes its beginning. `noted` is an
 * entry whose hash was noted elsewhere: an attacker can then rewrite only later entries unnoticed.
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
    // These entries were written after the page was read.
    if ((ends.range?.highest ?? 0) > reached.n) continue;
    const fault = endFault(ends, reached);
    if (fault === null && noted !== null && seen === null) {
      if (noted.n > reached.n) return result({ n: noted.n, fault: 'missing' });
      seen = 'removed';
    }
    return result(fault);
  }
}

/** Whether maintenance has removed entries beyond the last one that was checked. */
function wasRemoved({ removed, range }: ChainEnds, reached: AuditLink): boolean {
  return removed.n > reached.n && (range === null || range.lowest > removed.n);
}
