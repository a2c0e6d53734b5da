import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { UNFINISHED_COPY, type MetaKey } from '../tables/meta.ts';
import { MIGRATION_NAMES } from '../migrations/names.ts';
import { hasStore, pageBytesOf, prepareFile } from './file.ts';
import { sqliteError, StoreError } from '../store-error.ts';

/**
 * Copies all pages in one step: they are of one moment, and a write of a server does not restart the copy.
 */
const ALL_PAGES = 2 ** 31 - 1;

export interface BackupFile {
  bytes: number;
}

/**
 * Writes the content of the store at one moment into a new file, also while servers run on it. The file gets
 * its name only when it is complete, checked and on the disk. Throws a StoreError.
 */
export async function backupSqlite(path: string, file: string): Promise<BackupFile> {
  prepareFile(path, false);
  if (isFolder(file)) throw new StoreError('conflict', `${file} is a folder: name a file in it.`);
  if (existsSync(file)) {
    throw new StoreError('conflict', `The file ${file} exists: name another, or remove it.`);
  }
  const partial = `${file}.partial`;
  try {
    makeOwnFile(partial);
    using source = new DatabaseSync(path, { readOnly: true });
    await backup(source, partial, { rate: ALL_PAGES });
    finish(partial);
    renameSync(partial, file);
    sync(dirname(file));
    return { bytes: statSync(file).size };
  } catch (error) {
    removeWithJournal(partial);
    throw backupError(error, file);
  }
}

/**
 * An empty file with this mode, before SQLite writes it: other users can neither read it at any time nor have
 * put a file in its place.
 */
function makeOwnFile(file: string): void {
  removeWithJournal(file);
  closeSync(openSync(file, 'wx', 0o600));
}

function removeWithJournal(file: string): void {
  for (const beside of ['', '-wal', '-shm']) rmSync(`${file}${beside}`, { force: true });
}

/**
 * Keeps the store at `path` in another file before it is replaced: as a backup, or as a copy of its files if
 * it is too damaged for a backup.
 */
export async function keepSqlite(path: string, file: string): Promise<void> {
  try {
    await backupSqlite(path, file);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'corrupt') throw error;
    for (const beside of ['', '-wal']) {
      if (!existsSync(`${path}${beside}`)) continue;
      copyFileSync(`${path}${beside}`, `${file}${beside}`, constants.COPYFILE_EXCL);
      chmodSync(`${file}${beside}`, 0o600);
      sync(`${file}${beside}`);
    }
  }
}

/** Makes it one file without a journal beside it, checks it, and writes it to the disk. */
function finish(file: string): void {
  const database = new DatabaseSync(file);
  try {
    database.exec('pragma journal_mode = delete');
    const verdict = database.prepare('pragma integrity_check(1)').get()?.['integrity_check'];
    if (verdict !== 'ok') throw new StoreError('corrupt', `What was copied is damaged: ${String(verdict)}.`);
  } finally {
    database.close();
  }
  sync(file);
}

/**
 * Throws a StoreError if the file is not a complete, undamaged store, or is of a later version of the
 * program. Changes nothing.
 */
export function checkBackup(file: string): void {
  if (isFolder(file) || !hasStore(file)) {
    throw new StoreError(
      'missing',
      `There is no backup at ${file}: name a file that mintmark store backup made.`,
    );
  }
  try {
    using database = new DatabaseSync(file, { readOnly: true });
    const verdict = database.prepare('pragma integrity_check(1)').get()?.['integrity_check'];
    if (verdict !== 'ok') throw new StoreError('corrupt', `The backup ${file} is damaged: use another.`);
    const names = database.prepare('select name from kysely_migration order by name').all();
    const unknown = names
      .map(({ name }) => String(name))
      .filter((name) => !MIGRATION_NAMES.some((one) => one === name));
    if (unknown.length > 0) {
      throw new StoreError(
        'newer',
        `The backup ${file} is newer than this program (it has ${unknown.join(', ')}): restore it with the version that made it.`,
      );
    }
    const copied = metaOf(database, UNFINISHED_COPY);
    if (copied !== null) {
      throw new StoreError(
        'unfinished',
        `The backup ${file} is an unfinished copy of ${copied}: complete it with the same mintmark store copy again.`,
      );
    }
  } catch (error) {
    throw backupError(error, file);
  }
}

/**
 * Returns the check value of the master key from the store in a file; null if the store has none or cannot be
 * read.
 */
export function masterKeyCheckIn(file: string): string | null {
  if (!hasStore(file)) return null;
  try {
    using database = new DatabaseSync(file, { readOnly: true });
    return metaOf(database, 'master_key_check');
  } catch {
    return null;
  }
}

function metaOf(database: DatabaseSync, key: MetaKey): string | null {
  const value = database.prepare('select value from meta where key = ?').get(key)?.['value'];
  return value === undefined ? null : String(value);
}

/** Replaces the content of the store at `path` with a backup, also while servers run on it: they follow. */
export async function restoreSqlite(file: string, path: string): Promise<void> {
  prepareFile(path, true);
  const withItsPages = `${path}.restoring`;
  try {
    const pageBytes = pageBytesOf(path);
    const isCopied = pageBytes !== null && pageBytes !== pageBytesOf(file);
    if (isCopied) copyWithPages(file, withItsPages, pageBytes);
    using source = new DatabaseSync(isCopied ? withItsPages : file, { readOnly: true });
    await backup(source, path, { rate: ALL_PAGES });
    sync(path);
  } catch (error) {
    throw backupError(error, path);
  } finally {
    removeWithJournal(withItsPages);
  }
}

/** A store keeps the size of its pages while servers run on it, and SQLite copies pages as they are. */
function copyWithPages(file: string, to: string, pageBytes: number): void {
  makeOwnFile(to);
  using source = new DatabaseSync(file, { readOnly: true });
  source.exec(`pragma page_size = ${pageBytes}`);
  source.prepare('vacuum into ?').run(to);
}

function backupError(error: unknown, path: string): Error {
  if (!(error instanceof Error) || error instanceof StoreError) return error as Error;
  const { errcode, code } = error as Error & { errcode?: number; code?: string };
  if (errcode !== undefined) return sqliteError(error.message, errcode, path);
  if (code === 'ENOSPC') return sqliteError(error.message, FULL, path);
  if (code !== undefined && code.startsWith('E') && 'syscall' in error) {
    const text = `The file ${path} cannot be written (${code}): check its folder, owner and mode.`;
    return new StoreError('cannot_open', text, { cause: error });
  }
  return error;
}

const FULL = 13; // result code of SQLite

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function sync(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
