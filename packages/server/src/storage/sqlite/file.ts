import { accessSync, closeSync, constants, existsSync, openSync, readSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { sqliteError, StoreError } from '../store-error.ts';

/** `MINT` in ASCII (pragma application_id): SQLite and `file` recognise our databases by it. */
export const APPLICATION_ID = 0x4d494e54;

/** The database header and the header of the first page (https://sqlite.org/fileformat2.html). */
const HEADER_BYTES = 108;
const NOT_A_DATABASE = 26; // result codes of SQLite
const READ_ONLY = 8;
const MAGIC = 'SQLite format 3\0';
const PAGE_BYTES_AT = 16;
const APPLICATION_ID_AT = 68;
const SCHEMA_ROWS_AT = 103;

/**
 * Checks the file before SQLite opens it: SQLite would create files beside it, or change its journal mode.
 * Throws a StoreError if the file is not ours. With `create`, makes a missing file, readable by its owner
 * only, and checks that an existing store can be written.
 */
export function prepareFile(path: string, create: boolean): void {
  if (hasStore(path)) {
    if (create) checkWritable(path);
    return;
  }
  if (!create) {
    throw new StoreError(
      'missing',
      `There is no store at ${path}: mintmark serve or mintmark migrate makes one, or name the right one with ` +
        '--data-dir or --database-url.',
    );
  }
  if (!existsSync(dirname(path))) {
    throw new StoreError(
      'cannot_open',
      `The folder ${dirname(path)} does not exist: create it, or name another.`,
    );
  }
  // SQLite creates the files beside this one with the same mode.
  if (!existsSync(path)) closeSync(open(path, 'a'));
}

/**
 * False if the file is missing or an empty database. Throws a StoreError if it is anything else than our
 * store.
 */
export function hasStore(path: string): boolean {
  if (!existsSync(path)) return false;
  if (statSync(path).isDirectory()) {
    throw new StoreError(
      'cannot_open',
      `The store ${path} is a folder: name a file in it with --database-url.`,
    );
  }
  const header = headerOf(path);
  if (header === null) return false;
  if (header.toString('latin1', 0, MAGIC.length) !== MAGIC)
    throw sqliteError('not a database', NOT_A_DATABASE, path);
  if (header.readUInt32BE(APPLICATION_ID_AT) === APPLICATION_ID) return true;
  const unmarked = header.readUInt32BE(APPLICATION_ID_AT) === 0 && !isFilled(`${path}-wal`);
  if (unmarked && header.readUInt16BE(SCHEMA_ROWS_AT) === 0) return false;
  throw new StoreError(
    'not_ours',
    `The database ${path} belongs to another program: name another file with --database-url.`,
  );
}

/** The size of the pages of a database; null if the file is empty. */
export function pageBytesOf(path: string): number | null {
  const header = headerOf(path);
  const bytes = header === null ? null : header.readUInt16BE(PAGE_BYTES_AT);
  return bytes === 1 ? 65_536 : bytes;
}

/** The start of a file; null if it is empty. */
function headerOf(path: string): Buffer | null {
  const header = Buffer.alloc(HEADER_BYTES);
  const file = open(path, 'r');
  try {
    return readSync(file, header, 0, HEADER_BYTES, 0) === 0 ? null : header;
  } finally {
    closeSync(file);
  }
}

/** SQLite itself fails only at the first real write, which may come long after the start. */
function checkWritable(path: string): void {
  try {
    accessSync(path, constants.W_OK);
  } catch (error) {
    throw sqliteError((error as Error).message, READ_ONLY, path);
  }
}

function isFilled(path: string): boolean {
  return existsSync(path) && statSync(path).size > 0;
}

function open(path: string, flags: 'r' | 'a'): number {
  try {
    return openSync(path, flags, 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw flags === 'r'
      ? new StoreError('cannot_open', `The store ${path} cannot be read (${code}): check its owner and mode.`)
      : new StoreError(
          'cannot_open',
          `The store ${path} cannot be made (${code}): check the folder's owner and mode.`,
        );
  }
}
