// An empty SQLite store that a test run migrates once (scripts/test.mjs) and its tests copy. They copy a database of
// PostgreSQL likewise.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../server/src/config/load-config.ts';
import { openStore } from '../../server/src/store-files/open.ts';
import { onPostgres } from './store-under-test.ts';

const NAME = 'mintmark.db';
const template = process.env['MINTMARK_TEST_SQLITE'];

export interface MigratedFile extends Disposable {
  /** Variables through which tests find it. */
  env: Record<string, string>;
}

export async function makeMigratedFile(): Promise<MigratedFile> {
  const dataDir = mkdtempSync(join(tmpdir(), 'mintmark-migrated-'));
  const { store } = await openStore(loadConfig({ MINTMARK_DATA_DIR: dataDir }), { watch: false });
  await store.close();
  return {
    env: { MINTMARK_TEST_SQLITE: join(dataDir, NAME) },
    [Symbol.dispose]: () => rmSync(dataDir, { recursive: true, force: true }),
  };
}

/** Puts the store into a new data folder; false if there is none, and whoever opens the folder has to migrate. */
export function copyMigratedFile(dataDir: string): boolean {
  if (template === undefined || onPostgres) return false;
  copyFileSync(template, join(dataDir, NAME));
  return true;
}
