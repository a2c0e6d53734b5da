import { mkdirSync } from 'node:fs';
import type { Config } from '../config.ts';
import { Refused } from '../domain/refused.ts';
import { createMasterKey, readMasterKey, type MasterKey } from '../master-key.ts';
import { migrate, pendingMigrations, refuseNewer } from '../storage/migrate.ts';
import { openSqlite } from '../storage/sqlite.ts';
import { StoreError } from '../storage/store-error.ts';
import { createStore, type Connections, type Store } from '../storage/store.ts';

export interface OpenStore {
  store: Store;
  connections: Connections;
  /** Names of the migrations that were run. */
  migrated: string[];
}

export type OpenConfig = Pick<
  Config,
  'dataDir' | 'databaseUrl' | 'masterKeyFile' | 'storeBusyTimeoutMs' | 'changeWakeMs'
>;

/** Opens the configured store, made and migrated as needed. `watch`: be told of what other processes write. */
export async function openStore(config: OpenConfig, { watch }: { watch: boolean }): Promise<OpenStore> {
  const connections = await connect(config, watch);
  try {
    const migrated = await migrate(connections);
    return { store: createStore(connections), connections, migrated };
  } catch (error) {
    await connections.close();
    throw error;
  }
}

/** Opens the store as it is, for those who must change nothing. Throws where it needs a migration. */
export async function openMigratedStore(config: OpenConfig): Promise<Store> {
  const connections = await connect(config, false);
  try {
    await refuseNewer(connections);
    const pending = await pendingMigrations(connections);
    if (pending.length > 0) {
      throw new StoreError(
        'not_migrated',
        `The store needs the migration ${pending.join(', ')}: run mintmark migrate.`,
      );
    }
    return createStore(connections);
  } catch (error) {
    await connections.close();
    throw error;
  }
}

async function connect(config: OpenConfig, watch: boolean): Promise<Connections> {
  const path = config.databaseUrl.slice('sqlite:'.length);
  // Only our own data folder is made; one that somebody named must exist, or a typo would start an empty store.
  const ours =
    path === `${config.dataDir}/mintmark.db` || config.masterKeyFile === `${config.dataDir}/master.key`;
  if (ours) mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  return await openSqlite({
    path,
    busyTimeoutMs: config.storeBusyTimeoutMs,
    wakePollMs: watch ? config.changeWakeMs : 0,
  });
}

/**
 * The master key of this store. An empty store gets one (a new file, if none is configured). Throws a Refused where the
 * key is missing or is not the one under which the store's signing keys lie.
 */
export async function masterKeyOf(
  store: Store,
  config: Pick<Config, 'masterKey' | 'masterKeyFile'>,
): Promise<MasterKey> {
  const check = await store.meta.get('master_key_check');
  const key = readMasterKey(config);
  if (check === null) {
    const made = key ?? createMasterKey(config);
    await store.write((transaction) => transaction.meta.set('master_key_check', made.check));
    return made;
  }
  if (key === null) {
    throw new Refused(
      'not_found',
      `The master key file ${config.masterKeyFile} is missing, and the store's signing keys are encrypted under it: ` +
        'put it back from your backup, or set MINTMARK_MASTER_KEY.',
    );
  }
  if (key.check !== check) {
    throw new Refused(
      'invalid',
      "The master key is not the one under which this store's signing keys are encrypted: set MINTMARK_MASTER_KEY or " +
        'MINTMARK_MASTER_KEY_FILE to the right one.',
    );
  }
  return key;
}
