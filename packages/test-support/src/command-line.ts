import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import type { SQLInputValue } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyMigratedFile } from './migrated-file.ts';
import { mintmark } from './server.ts';
import { sqlOn } from './store-under-test.ts';

export interface Run {
  code: number;
  out: string;
  err: string;
}

/** A store without a server, and the command line on it. */
export interface TestStore extends Disposable {
  dataDir: string;
  /** Path of the database file. */
  path: string;
  env: Record<string, string>;
  /** Runs a command; returns its output, whatever its exit code. */
  run(args: readonly string[], options?: { stdin?: string; env?: Record<string, string> }): Promise<Run>;
  /** Runs a command that must succeed. */
  cli(...args: string[]): Promise<string>;
  /** Like `cli`, with --json, parsed. */
  json<T = Record<string, unknown>>(...args: string[]): Promise<T>;
  /** Runs SQL on the database behind the program's back. */
  sql(statement: string, ...parameters: SQLInputValue[]): Record<string, unknown>[];
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'mintmark-test-'));
}

/** A migrated store; with `keys`, also a master key and an active signing key. */
export async function testStore({ keys = false }: { keys?: boolean } = {}): Promise<TestStore> {
  const dataDir = temporaryFolder();
  const env = { MINTMARK_DATA_DIR: dataDir };
  const store: TestStore = {
    dataDir,
    path: join(dataDir, 'mintmark.db'),
    env,
    run: (args, options = {}) =>
      mintmark([...args], { stdin: options.stdin ?? '', env: { ...env, ...options.env } }),
    async cli(...args) {
      const { code, out, err } = await store.run(args);
      assert.equal(code, 0, `mintmark ${args.join(' ')}: exit code ${code}\n${err}`);
      return out;
    },
    async json<T>(...args: string[]) {
      return JSON.parse(await store.cli(...args, '--json')) as T;
    },
    sql: (statement, ...parameters) => sqlOn(store.path, statement, ...parameters),
    [Symbol.dispose]: () => rmSync(dataDir, { recursive: true, force: true }),
  };
  if (!copyMigratedFile(dataDir)) await store.cli('migrate');
  if (keys) await store.cli('signing-key', 'rotate');
  return store;
}

export { sqlOn };
