import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../server/src/config/load-config.ts';
import { openStore } from '../../server/src/store-files/open.ts';

export interface SuiteSqlite {
  /** Variables through which tests find it; see migrated-file.ts. */
  env: Record<string, string>;
  remove(): void;
}

/** An empty, migrated store for a test run, which its tests copy, like the template of PostgreSQL. */
export async function makeSuiteSqlite(): Promise<SuiteSqlite> {
  const dataDir = mkdtempSync(join(tmpdir(), 'mintmark-migrated-'));
  const { store } = await openStore(loadConfig({ MINTMARK_DATA_DIR: dataDir }), { watch: false });
  await store.close();
  return {
    env: { MINTMARK_TEST_SQLITE: join(dataDir, 'mintmark.db') },
    remove: () => rmSync(dataDir, { recursive: true, force: true }),
  };
}
