import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, mkdir, open, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ConfigurationError } from './configuration-error.ts';
import { mustBePrintable } from './printable.ts';
import type { TokenStore } from './token-store.ts';

/** Only the owner may read and write. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const WRITABLE_BY_OTHERS = 0o022;
const WRITABLE_BY_ANYBODY = 0o002;
/** In a sticky folder, such as /tmp, users cannot rename or remove each other's files. */
const STICKY = 0o1000;
const ACCESSIBLE_TO_OTHERS = 0o077;
/** A stored token has about one kilobyte. */
const FILE_BYTES_MAX = 1_048_576;
// Windows lacks the last two; `|` treats undefined as 0.
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;

/**
 * A token store in a directory, shared by the processes of one machine (not for network file systems). Each
 * token has its own file, which only the owner can read. Writes replace the whole file at once.
 *
 * Refused, because another user could plant or read a token: directories that others can write, links, other
 * users' files and files that others can read.
 */
export class FileTokenStore implements TokenStore {
  readonly #directory: string;
  /** Parents are checked once, because each check costs one system call per folder. */
  #parentsChecked = false;

  /** Creates `directory` on first use, with access for the owner alone. */
  constructor(directory: string) {
    mustBePrintable('directory', directory);
    // `resolve` removes a trailing slash, which would make lstat follow a link.
    this.#directory = resolve(directory);
  }

  async get(key: string): Promise<string | undefined> {
    if (!(await this.#exists())) return undefined;
    const stored = (await readOwn(this.#path(key))) ?? '';
    const [expiresAt = ''] = stored.split('\n', 1);
    return Number(expiresAt) > Date.now() ? stored.slice(expiresAt.length + 1) : undefined;
  }

  async set(key: string, value: string, ttlMs: number): Promise<void> {
    await this.#prepare();
    const path = this.#path(key);
    const unfinished = `${path}.${randomUUID()}`;
    try {
      await writeFile(unfinished, `${Date.now() + ttlMs}\n${value}`, { mode: FILE_MODE, flag: 'wx' });
      await rename(unfinished, path);
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error;
    }
  }

  async lock(key: string, ttlMs: number): Promise<(() => Promise<void>) | undefined> {
    await this.#prepare();
    const path = `${this.#path(key)}.lock`;
    await this.#removeAbandoned(path, ttlMs);
    const owner = randomUUID();
    try {
      await writeFile(path, owner, { mode: FILE_MODE, flag: 'wx' });
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return undefined;
      throw error;
    }
    return async () => {
      // Another process may own the lock by now, if ours expired.
      if ((await readOwn(path)) === owner) await rm(path, { force: true });
    };
  }

  /** Removes the lock of a killed process. If two processes do so at once, both request a token. */
  async #removeAbandoned(path: string, ttlMs: number): Promise<void> {
    const lock = await unlessMissing(lstat(path));
    if (lock && Date.now() - lock.mtimeMs > ttlMs) await rm(path, { force: true });
  }

  async #prepare(): Promise<void> {
    if (await this.#exists()) return;
    await mkdir(this.#directory, { recursive: true, mode: DIRECTORY_MODE });
    await this.#exists();
  }

  /** Checks the directory on every access, because its mode may change. */
  async #exists(): Promise<boolean> {
    const directory = this.#directory;
    const stats = await unlessMissing(lstat(directory));
    if (!stats) return false;
    if (!stats.isDirectory()) refuse(directory, 'is not a folder (a link is not followed: name its target)');
    if (!isOwn(stats.uid)) refuse(directory, 'belongs to another user: use a folder of this one');
    if (hasModes() && stats.mode & WRITABLE_BY_OTHERS)
      refuse(directory, `is a folder in which others can write: chmod 700 ${directory}`);
    if (!this.#parentsChecked) await refuseOpenParents(directory);
    this.#parentsChecked = true;
    return true;
  }

  #path(key: string): string {
    return join(this.#directory, createHash('sha256').update(key).digest('hex'));
  }
}

/** A user with write access to a parent could replace the directory. */
async function refuseOpenParents(directory: string): Promise<void> {
  if (!hasModes()) return;
  let path = await realpath(dirname(directory));
  for (let below = ''; path !== below; below = path, path = dirname(path)) {
    const { mode } = await lstat(path);
    if (mode & WRITABLE_BY_ANYBODY && !(mode & STICKY))
      refuse(directory, `lies in ${path}, in which others can write: chmod o-w ${path}`);
  }
}

/** Reads a file that only this user can have written and can read. Undefined if the file is missing. */
async function readOwn(path: string): Promise<string | undefined> {
  // Without O_NONBLOCK, opening a pipe waits for its writer.
  const opening = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error: unknown) => {
    // The error for a link: ELOOP in POSIX, EMLINK on some BSDs.
    if (/^(ELOOP|EMLINK)$/.test(String(codeOf(error)))) refuseFile(path);
    throw error;
  });
  const file = await unlessMissing(opening);
  if (!file) return undefined;
  try {
    const stats = await file.stat();
    const isShared = hasModes() && ((stats.mode & ACCESSIBLE_TO_OTHERS) !== 0 || stats.nlink > 1);
    if (!stats.isFile() || !isOwn(stats.uid) || isShared) refuseFile(path);
    if (stats.size > FILE_BYTES_MAX) refuse(path, `has more than ${FILE_BYTES_MAX} bytes: remove it`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

function refuseFile(path: string): never {
  refuse(path, 'is not a file of this user alone (owner, mode 600, no link): remove it');
}

function refuse(path: string, problem: string): never {
  throw new ConfigurationError('FileTokenStore', `does not use ${path}: it ${problem}`);
}

/** Owners and modes mean nothing on Windows. */
function hasModes(): boolean {
  return process.platform !== 'win32';
}

function isOwn(uid: number): boolean {
  return !hasModes() || uid === process.geteuid?.();
}

async function unlessMissing<T>(result: Promise<T>): Promise<T | undefined> {
  return result.catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
}

function codeOf(error: unknown): unknown {
  return Reflect.get(Object(error), 'code');
}
