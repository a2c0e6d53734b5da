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
  /** Where what was there before is; null where there was nothing. */
  before: string | null;
  /**
   * How many changes of each kind are taken back, as far as the audit log that was there says so; null where what was there
   * cannot be read by this program.
   */
  takenBack: Record<string, number> | null;
}

/**
 * Puts a backup in place of the store, and keeps what was there as another backup beside it. Servers on the store follow
 * within a second. Throws a StoreError or AppError, and changes nothing, where the backup is none.
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
  /** Of the API users that were made or deleted since the backup: none of these ids is used again. */
  clientIds: Set<string>;
}

/** The end of the audit log that was there, and what it has that the restored one has not; null where it cannot be read. */
async function whatWas(config: OpenConfig, before: string, restored: Store): Promise<Replaced | null> {
  try {
    const store = await openMigratedStore({ ...config, databaseUrl: { kind: 'sqlite', path: before } });
    try {
      return await difference(store, restored);
    } finally {
      await store.close();
    }
  } catch (error) {
    // It may be damaged, or of another version of the program: that may be why it is replaced.
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

/** The number of the last entry that two logs have in common: a hash is the same only where all before it are. */
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

/** For the name of a file: the second, in UTC. */
function stamp(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
}

/** A store may be restored twice in a second. */
function freeName(name: string): string {
  let free = name;
  for (let n = 2; existsSync(free); n++) free = `${name}-${n}`;
  return free;
}
