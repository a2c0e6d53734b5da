import { existsSync } from 'node:fs';
import type { Database } from '../config/database-url.ts';
import type { Actor } from '../domain/actor.ts';
import type { AuditLink } from '../domain/audit-entry.ts';
import { AppError } from '../domain/app-error.ts';
import {
  backupSqlite,
  checkBackup,
  keepSqlite,
  masterKeyCheckIn,
  restoreSqlite,
  type BackupFile,
} from '../storage/sqlite/backup.ts';
import { hasStore } from '../storage/sqlite/file.ts';
import { StoreError } from '../storage/store-error.ts';
import type { Store } from '../storage/store.ts';
import { audited } from '../admin/audited.ts';
import { makePlace, openMigratedStore, openStore, type OpenConfig } from './open.ts';

export async function backUp(config: OpenConfig, file: string): Promise<BackupFile> {
  return await backupSqlite(sqlitePath(config.databaseUrl, 'back it up'), file);
}

export interface Restored {
  /** The file that now holds the replaced store; null if there was no store. */
  before: string | null;
  /**
   * How many changes of each kind the restore undid, according to the audit log of the replaced store; null
   * if this program cannot read that store.
   */
  takenBack: Record<string, number> | null;
}

/**
 * Replaces the store with a backup, and keeps the replaced store in another file beside it. Servers on the
 * store follow within a second. Throws a StoreError or AppError, and changes nothing, if the backup is
 * unusable.
 */
export async function restore(config: OpenConfig, by: Actor, file: string, nowMs: number): Promise<Restored> {
  const path = sqlitePath(config.databaseUrl, 'restore it');
  checkBackup(file);
  refuseAnother(file, path);
  makePlace(config);
  const before = hasStore(path) ? freeName(`${path}.before-restore-${stamp(nowMs)}`) : null;
  if (before !== null) await keepSqlite(path, before);
  await restoreSqlite(file, path);
  const { store } = await openStore(config, { watch: false });
  try {
    const { last } = await store.audit.head();
    const replaced = before === null ? null : await whatWas(config, before, store);
    const attempt = { action: 'store.restore', subject: { kind: 'store', id: null } } as const;
    await audited({ store, actor: by, nowMs }, attempt, async ({ deletedClientIds }) => {
      await deletedClientIds.addUnused(Array.from(replaced?.clientIds ?? []), nowMs);
      return {
        result: undefined,
        before: replaced === null ? null : { entries: replaced.last.n, hash: replaced.last.hash },
        after: { entries: last.n, hash: last.hash },
      };
    });
    return { before, takenBack: before === null ? {} : (replaced?.counts ?? null) };
  } finally {
    await store.close();
  }
}

function refuseAnother(file: string, path: string): void {
  const [backup, there] = [masterKeyCheckIn(file), masterKeyCheckIn(path)];
  if (backup === null || there === null || backup === there) return;
  throw new AppError(
    'conflict',
    `The backup ${file} is of another store than ${path}: it is under another master key. Nothing was changed: ` +
      'name the folder of its own store with --data-dir, or an empty one.',
  );
}

const PAGE_SIZE = 1000;

interface Replaced {
  last: AuditLink;
  counts: Record<string, number>;
  /**
   * API users that were created, changed or deleted since the backup. If the backup lacks one, its client id
   * is never used again.
   */
  clientIds: Set<string>;
}

/**
 * The end of the audit log of the replaced store, and its entries that the restored one lacks; null if it
 * cannot be read.
 */
async function whatWas(config: OpenConfig, before: string, restored: Store): Promise<Replaced | null> {
  try {
    const store = await openMigratedStore({ ...config, databaseUrl: { kind: 'sqlite', path: before } });
    try {
      return await difference(store, restored);
    } finally {
      await store.close();
    }
  } catch (error) {
    // The replaced store may be damaged or from a different version of the program: that may be why an
    // operator restores.
    if (error instanceof StoreError) return null;
    throw error;
  }
}

async function difference(store: Store, restored: Store): Promise<Replaced> {
  const counts: Record<string, number> = {};
  const clientIds = new Set<string>();
  const { last } = await store.audit.head();
  for await (const { action, outcome, subjectKind, subjectId } of entriesAfter(
    store,
    await commonEnd(store, restored),
  )) {
    if (outcome !== 'done') continue;
    counts[action] = (counts[action] ?? 0) + 1;
    if (subjectKind === 'api_user' && subjectId !== null) clientIds.add(subjectId);
  }
  return { last, counts, clientIds };
}

/**
 * The number of the last entry that both logs share. If two hashes are equal, all entries before them are
 * equal too.
 */
async function commonEnd(a: Store, b: Store): Promise<number> {
  const [headOfA, headOfB] = [await a.audit.head(), await b.audit.head()];
  let common = Math.max(headOfA.removed.n, headOfB.removed.n);
  let other = Math.min(headOfA.last.n, headOfB.last.n) + 1;
  while (common + 1 < other) {
    const n = Math.floor((common + other) / 2);
    const [[inA], [inB]] = [await a.audit.after(n - 1, 1), await b.audit.after(n - 1, 1)];
    if (inA !== undefined && inA.n === n && inA.hash === inB?.hash) common = n;
    else other = n;
  }
  return common;
}

async function* entriesAfter(store: Store, n: number) {
  for (let after = n; ;) {
    const page = await store.audit.after(after, PAGE_SIZE);
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.n;
  }
}

function sqlitePath(database: Database, what: string): string {
  if (database.kind === 'sqlite') return database.path;
  throw new AppError(
    'invalid',
    `The store is in PostgreSQL, which has its own means to ${what}: pg_dump and pg_restore, or an archive of its log. ` +
      'mintmark store copy makes a SQLite file of it.',
  );
}

/** The second, in UTC, for a file name. */
function stamp(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
}

/** Adds a number if the name is taken: a store may be restored twice in a second. */
function freeName(name: string): string {
  let free = name;
  for (let n = 2; existsSync(free); n++) free = `${name}-${n}`;
  return free;
}
