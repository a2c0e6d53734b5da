import { setTimeout as sleep } from 'node:timers/promises';
import { usernameKey } from '../../domain/api-user.ts';
import type { Denial } from '../../domain/denial.ts';
import type { KnownApiUser } from '../../domain/known-api-user.ts';
import { createEntries } from './entries.ts';
import { knownApiUsers, type DirectoryEntry } from './entry.ts';
import { withDeadline } from '../../lib/deadline.ts';
import { inTurn } from '../../lib/in-turn.ts';
import type { Organisations } from './organisations.ts';
import { createUnknownNames } from './unknown-names.ts';
import type { KnownApiUserRow, KnownApiUserRows, Position } from '../../storage/tables/known-api-user.ts';

export interface DirectorySettings {
  directoryMax: number;
  unknownMax: number;
  unknownTtlMs: number;
  lookupsMax: number;
  lookupTimeoutMs: number;
  staleMaxSeconds: number;
  /** The audience of API users without one of their own. */
  audience: string;
  /** The limit of API users without one of their own. */
  apiUserLimit: number;
}

/** The API users in memory: bounded, filled in the background, kept fresh by the change feed. */
export interface Directory {
  /**
   * Finds the API user with this client id or username; undefined if the name is unknown. Returns at once if
   * the API user is in memory, or if the name is unknown while all API users are. Otherwise all callers share
   * one look-up in the store. `again`: the request has found this API user before, so this is not another
   * use.
   */
  find(name: string, nowMs: number, again?: boolean): LookUpResult | Promise<LookUpResult>;
  /** Loads into the caches of the processor what `find` by these client ids will read. */
  prefetch(clientIds: readonly string[]): void;
  /** Reads these API users again, after a change. */
  refresh(clientIds: readonly string[]): Promise<void>;
  /** Reads all API users again, page by page, so that the server can answer requests in between. */
  load(): Promise<void>;
  /**
   * Like `load`, for a store with another past (a restored one). From the call on, an API user is looked up
   * in the store unless it was read since. The entry from the former past serves only if the store is out of
   * reach.
   */
  loadAnew(): Promise<void>;
  loading(): boolean;
  passwordsExist(): boolean;
  status(): { entries: number; complete: boolean };
}

type LookUpResult = KnownApiUser | undefined | Denial;

/** The directory may be this stale and still report a client id as unknown without a look-up in the store. */
const FRESH_MS = 1000;
/**
 * API users per read: the process takes in a page within a millisecond or two, and a caller waits no longer.
 */
const PAGE_SIZE = 250;
/** Attempts to read a page before the load fails. */
const PAGE_ATTEMPTS = 3;
/** Pause between two attempts. */
const PAGE_AGAIN_MS = 1000;
/** No client id or username is longer. A longer name is neither looked up nor remembered. */
const NAME_LENGTH_MAX = 256;

/** `staleMs` returns how long ago the change feed was last known to be up to date. */
export function createDirectory(
  stored: KnownApiUserRows,
  settings: DirectorySettings,
  staleMs: () => number,
  organisations: Pick<Organisations, 'add' | 'get'>,
): Directory {
  const rows = withOrganisations(stored, organisations);
  const entries = createEntries(settings.directoryMax);
  const unknown = createUnknownNames(settings.unknownMax, settings.unknownTtlMs);
  const lookUpOnce = createLookUps(settings.lookupsMax);
  const toEntries = knownApiUsers({ ...settings, organisations });
  const passwords = passwordPresence(rows);
  let complete = false;
  let damaged = 0; // API users that were skipped so far
  const loading = inTurn(loadAll);
  let refreshes = 0; // a row that was read before the last one may be older than the directory
  /** API users that changed during the load: a page of the load may hold older rows of them. */
  let changedWhileLoading = new Set<string>();

  function find(name: string, nowMs: number, again = false): LookUpResult | Promise<LookUpResult> {
    const stale = staleMs();
    if (stale > settings.staleMaxSeconds * 1000) return tooStale(stale);
    const entry = entries.find(name, !again);
    if (entry !== undefined) return entry;
    if (name.length > NAME_LENGTH_MAX || (complete && stale < FRESH_MS)) return undefined;
    if (unknown.has(name, nowMs)) return undefined;
    // Not shared with a look-up that began before the last refresh: it may have read older rows.
    return lookUpOnce(`${refreshes} ${name}`, () => lookUp(name, nowMs));
  }

  async function lookUp(name: string, nowMs: number): Promise<LookUpResult> {
    const refreshesBefore = refreshes;
    let matches: KnownApiUserRow[];
    try {
      matches = await withTimeout(rows.byName(name, usernameKey(name)), settings.lookupTimeoutMs);
    } catch (error) {
      return entries.findHeld(name) ?? unavailable((error as Error).message);
    }
    const candidates = toEntries(matches); // throws if the store answered with a damaged row
    const entry = candidates.find((candidate) => candidate.clientId === name) ?? candidates[0];
    // After a change during the look-up, this answer serves this request, but may be too old for the next.
    if (refreshes !== refreshesBefore) return entry;
    if (entry === undefined) entries.dropFormer(name);
    if (entry === undefined) unknown.add(name, nowMs);
    else keep(entry);
    return entry;
  }

  function keep(entry: DirectoryEntry): void {
    if (entries.keep(entry)) complete = false;
    if (entry.others !== null && entry.others.passwords.length > 0) passwords.seen();
  }

  /** Skips a damaged API user. Only its own requests fail, in a look-up; the others stay in step. */
  function passOverDamaged(): void {
    damaged += 1;
    complete = false;
  }

  async function refresh(clientIds: readonly string[]): Promise<void> {
    refreshes += 1;
    unknown.clear();
    if (loading.underWay()) for (const clientId of clientIds) changedWhileLoading.add(clientId);
    const wanted =
      complete || loading.underWay() ? clientIds : clientIds.filter((clientId) => entries.has(clientId));
    for (let at = 0; at < wanted.length; at += PAGE_SIZE) {
      const page = wanted.slice(at, at + PAGE_SIZE);
      const pageEntries = toEntries(await rows.byIds(page), passOverDamaged);
      const foundIds = new Set(pageEntries.map((entry) => entry.clientId));
      for (const clientId of page) if (!foundIds.has(clientId)) entries.drop(clientId);
      for (const entry of pageEntries) keep(entry);
    }
    // Count once more: a look-up that began during these reads may have read rows from before the change.
    refreshes += 1;
    if (clientIds.length > wanted.length) await passwords.look();
  }

  /**
   * Entries stay in use during the load. At its end, entries that were not read again are dropped: their API
   * users may be changed or removed.
   */
  async function loadAll(): Promise<void> {
    refreshes += 1;
    complete = false;
    unknown.clear();
    const past = entries.pasts();
    const seen = entries.ofThisPast() ?? (entries.size() === 0 ? null : new Set<string>());
    await passwords.look();
    changedWhileLoading = new Set();
    await rows.readAll(async () => {
      const [damagedBefore, evictionsBefore] = [damaged, entries.evictions()];
      const all = await eachPage(rows, settings.directoryMax, (page) => {
        if (past !== entries.pasts()) return false;
        for (const entry of toEntries(page, passOverDamaged)) {
          seen?.add(entry.clientId);
          if (!changedWhileLoading.has(entry.clientId)) keep(entry);
        }
        return true;
      });
      if (past !== entries.pasts()) return; // another load follows
      // Before the cache shrinks, which waits for the store: an API user found in that time must stay.
      entries.keepOnly(
        (clientId) => seen === null || seen.has(clientId) || changedWhileLoading.has(clientId),
      );
      complete = all && damaged === damagedBefore && entries.evictions() === evictionsBefore;
    });
  }

  async function loadAnew(): Promise<void> {
    entries.startPast();
    refreshes += 1;
    complete = false;
    unknown.clear();
    await loading.run();
  }

  return {
    find,
    prefetch: entries.prefetch,
    refresh,
    load: loading.run,
    loadAnew,
    loading: loading.underWay,
    passwordsExist: passwords.exist,
    status: () => ({ entries: entries.size(), complete }),
  };
}

/**
 * Reads the organisations of the API users that are read, unless they are in memory: an API user must not get
 * a token without its organisation.
 */
function withOrganisations(
  rows: KnownApiUserRows,
  organisations: Pick<Organisations, 'add'>,
): KnownApiUserRows {
  async function adding(reading: Promise<KnownApiUserRow[]>): Promise<KnownApiUserRow[]> {
    const read = await reading;
    const ids = new Set<string>();
    for (const { organisation_id: id } of read) if (id !== null) ids.add(id);
    if (ids.size > 0) await organisations.add(Array.from(ids));
    return read;
  }

  return {
    byName: (clientId, key) => adding(rows.byName(clientId, key)),
    byIds: (clientIds) => adding(rows.byIds(clientIds)),
    page: (after, limit) => adding(rows.page(after, limit)),
    readAll: (work) => rows.readAll(work),
    anyPassword: () => rows.anyPassword(),
  };
}

/** Callers with the same key share one look-up. At most `max` look-ups run at a time. */
function createLookUps(
  max: number,
): (key: string, lookUp: () => Promise<LookUpResult>) => LookUpResult | Promise<LookUpResult> {
  const underWay = new Map<string, Promise<LookUpResult>>();
  return (key, lookUp) => {
    const joined = underWay.get(key);
    if (joined !== undefined) return joined;
    if (underWay.size >= max) return unavailable('too many look-ups wait for the store');
    const started = lookUp().finally(() => underWay.delete(key));
    underWay.set(key, started);
    return started;
  };
}

/**
 * Reads the pages one after the other. Returns whether it has read all: it stops after `max` API users,
 * because the others are looked up on their first request, and if `add` returns false.
 */
async function eachPage(
  rows: Pick<KnownApiUserRows, 'page'>,
  max: number,
  add: (page: readonly KnownApiUserRow[]) => boolean,
): Promise<boolean> {
  let page = await pageAfter(rows, null);
  for (let count = 0; page.length > 0; count += PAGE_SIZE) {
    if (count >= max || !add(page)) return false;
    page = await pageAfter(rows, page.at(-1) ?? null);
  }
  return true;
}

/** Ten million API users take 40,000 pages: retry a page instead of failing the whole load. */
async function pageAfter(
  rows: Pick<KnownApiUserRows, 'page'>,
  after: Position | null,
): Promise<readonly KnownApiUserRow[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rows.page(after, PAGE_SIZE);
    } catch (error) {
      if (attempt === PAGE_ATTEMPTS) throw error;
      await sleep(PAGE_AGAIN_MS, undefined, { ref: false });
    }
  }
}

/**
 * Whether the store has any password. Stays true when the last one is removed: that only costs time for wrong
 * guesses, but a wrong false would cost a caller its token.
 */
function passwordPresence(rows: Pick<KnownApiUserRows, 'anyPassword'>): {
  exist(): boolean;
  seen(): void;
  look(): Promise<void>;
} {
  let exist = false;
  return {
    exist: () => exist,
    seen: () => {
      exist = true;
    },
    async look() {
      if (!exist && (await rows.anyPassword())) exist = true;
    },
  };
}

function tooStale(staleMs: number): Denial {
  return unavailable(`the store has been out of reach for ${Math.round(staleMs / 1000)} s`);
}

function unavailable(reason: string): Denial {
  return { denied: 'temporarily_unavailable', reason };
}

function withTimeout<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  return withDeadline(work, timeoutMs, () => new Error(`the store did not answer within ${timeoutMs} ms`));
}
