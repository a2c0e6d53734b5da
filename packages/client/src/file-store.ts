import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TokenStore } from './token-store.ts';

/** Nobody but the owner may read a token. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/**
 * A token store in a directory, for the processes of one machine (not for a network file system). Each token lies in a
 * file of its own that only the owner can read, and is replaced as a whole: a reader sees the old one or the new one.
 */
export class FileTokenStore implements TokenStore {
  readonly #directory: string;

  /** `directory` is made, for the owner alone, when it is first needed. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  async get(key: string): Promise<string | undefined> {
    const stored = (await unlessMissing(readFile(this.#path(key), 'utf8'))) ?? '';
    const [expiresAt = ''] = stored.split('\n', 1);
    return Number(expiresAt) > Date.now() ? stored.slice(expiresAt.length + 1) : undefined;
  }

  async set(key: string, value: string, ttlMs: number): Promise<void> {
    await this.#prepare();
    const path = this.#path(key);
    const unfinished = `${path}.${randomUUID()}`;
    await writeFile(unfinished, `${Date.now() + ttlMs}\n${value}`, { mode: FILE_MODE, flag: 'wx' });
    await rename(unfinished, path);
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
      // It may have been taken over meanwhile, and be another's.
      if ((await unlessMissing(readFile(path, 'utf8'))) === owner) await rm(path, { force: true });
    };
  }

  /** A lock outlives its owner when that is killed. Two processes may find so at once: at worst both go ahead. */
  async #removeAbandoned(path: string, ttlMs: number): Promise<void> {
    const lock = await unlessMissing(stat(path));
    if (lock && Date.now() - lock.mtimeMs > ttlMs) await rm(path, { force: true });
  }

  async #prepare(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: DIRECTORY_MODE });
  }

  #path(key: string): string {
    return join(this.#directory, createHash('sha256').update(key).digest('hex'));
  }
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
