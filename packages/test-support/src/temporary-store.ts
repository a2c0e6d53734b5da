import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../../server/src/config/config.ts';
import type { ApiUserSettings } from '../../server/src/domain/api-user.ts';
import { loadConfig } from '../../server/src/config/load-config.ts';
import { openStore } from '../../server/src/store-files/open.ts';
import type { Store } from '../../server/src/storage/store.ts';
import type { OpenedStore } from '../../server/test/storage/store-contract.ts';
import { copyMigratedFile } from './migrated-file.ts';
import { dropDatabase, withDatabase } from './store-under-test.ts';

export interface TemporaryStore extends OpenedStore {
  config: Config;
  dataDir: string;
  /** Path of the SQLite file, on SQLite. */
  path: string;
}

/** A real store, removed at the end. */
export async function temporaryStore(env: Record<string, string> = {}): Promise<TemporaryStore> {
  const dataDir = mkdtempSync(join(tmpdir(), 'mintmark-store-'));
  copyMigratedFile(dataDir);
  const config = loadConfig(await withDatabase({ MINTMARK_DATA_DIR: dataDir, ...env }));
  const stores: Store[] = [];
  const another = async (): Promise<Store> => {
    const { store } = await openStore(config, { watch: true });
    stores.push(store);
    return store;
  };
  return {
    store: await another(),
    another,
    config,
    dataDir,
    path: join(dataDir, 'mintmark.db'),
    async [Symbol.asyncDispose]() {
      await Promise.all(stores.map((store) => store.close()));
      await dropDatabase(dataDir);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export function apiUserSettings(changes: Partial<ApiUserSettings> = {}): ApiUserSettings {
  return {
    name: 'Importer',
    username: null,
    externalId: null,
    contact: null,
    scopes: ['campaigns:read'],
    audiences: [],
    limitPerMinute: null,
    allowedNetworks: [],
    claims: {},
    tokenLifeSeconds: null,
    ...changes,
  };
}
