import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Config } from '../config/config.ts';
import { AppError } from '../domain/app-error.ts';
import {
  checkMasterKeySource,
  createMasterKey,
  readMasterKey,
  type MasterKey,
} from '../storage/master-key.ts';
import { unfinishedCopy } from '../storage/copy.ts';
import { migrate, pendingMigrations, refuseNewer } from '../storage/migrate.ts';
import { openSqlite } from '../storage/sqlite/sqlite.ts';
import { StoreError } from '../storage/store-error.ts';
import type { Connections } from '../storage/connections.ts';
import { createStore, type Store } from '../storage/store.ts';

export interface OpenStore {
  store: Store;
  connections: Connections;
  /** The names of the migrations that ran. */
  migrated: string[];
}

export type OpenConfig = Pick<
  Config,
  | 'dataDir'
  | 'databaseUrl'
  | 'masterKey'
  | 'masterKeyFile'
  | 'storeBusyTimeoutMs'
  | 'changeWakeMs'
  | 'postgresConnectionsMax'
  | 'postgresConnectTimeoutMs'
  | 'postgresStatementTimeoutMs'
  | 'postgresFollowTimeoutMs'
  | 'postgresListen'
>;

/**
 * Opens the configured store; creates and migrates it as needed. `watch`: report changes of other processes.
 */
export async function openStore(config: OpenConfig, { watch }: { watch: boolean }): Promise<OpenStore> {
  makePlace(config);
  const connections = await connect(config, { create: true, watch });
  try {
    const migrated = await migrate(connections);
    await refuseUnfinished(connections);
    return { store: createStore(connections), connections, migrated };
  } catch (error) {
    await connections.close();
    throw error;
  }
}

/** Creates the data folder. Throws before that if the master key is unusable or could not be created. */
export function makePlace(config: OpenConfig): void {
  checkMasterKeySource(config);
  makeDataDir(config);
}

/**
 * Opens an existing store: a typo in its path must not create an empty one. Throws if it needs a migration.
 */
export async function openMigratedStore(config: OpenConfig): Promise<Store> {
  return createStore(await connectMigrated(config));
}

/** Connects to a complete store of this program's version; throws for any other. */
export async function connectMigrated(config: OpenConfig): Promise<Connections> {
  const connections = await connect(config, { create: false, watch: false });
  try {
    await refuseNewer(connections);
    const pending = await pendingMigrations(connections);
    if (pending.length > 0) {
      throw new StoreError(
        'not_migrated',
        `The store lacks the migrations ${pending.join(', ')}: run mintmark migrate.`,
      );
    }
    await refuseUnfinished(connections);
    return connections;
  } catch (error) {
    await connections.close();
    throw error;
  }
}

async function refuseUnfinished(connections: Connections): Promise<void> {
  const source = await unfinishedCopy(connections);
  if (source === null) return;
  throw new StoreError(
    'unfinished',
    `The store is an unfinished copy of ${source}: complete it with the same mintmark store copy again.`,
  );
}

/** Connects to the database in any state: without migrations, or newer than this program. */
export async function connect(
  config: OpenConfig,
  { create, watch }: { create: boolean; watch: boolean },
): Promise<Connections> {
  const database = config.databaseUrl;
  if (database.kind === 'sqlite') {
    return await openSqlite({
      path: database.path,
      busyTimeoutMs: config.storeBusyTimeoutMs,
      wakePollMs: watch ? config.changeWakeMs : 0,
      create,
    });
  }
  // Loaded only here: a server on SQLite needs no driver for PostgreSQL.
  const { openPostgres } = await import('../storage/postgres/postgres.ts');
  return await openPostgres({
    target: database.target,
    wakeEveryMs: watch && config.postgresListen ? config.changeWakeMs : 0,
    connectTimeoutMs: config.postgresConnectTimeoutMs,
    statementTimeoutMs: config.postgresStatementTimeoutMs,
    lockTimeoutMs: config.storeBusyTimeoutMs,
    followTimeoutMs: config.postgresFollowTimeoutMs,
    connectionsMax: config.postgresConnectionsMax,
    create,
  });
}

/**
 * Creates only the data folder itself, and only if the store or the master key will lie in it. A missing
 * folder above it is a typo.
 */
function makeDataDir({ dataDir, databaseUrl, masterKey, masterKeyFile }: OpenConfig): void {
  const isIn = (file: string) => dirname(resolve(file)) === resolve(dataDir);
  const holdsStore = databaseUrl.kind === 'sqlite' && isIn(databaseUrl.path);
  const holdsKey = masterKey === null && isIn(masterKeyFile);
  if (existsSync(dataDir) || !(holdsStore || holdsKey)) return;
  try {
    mkdirSync(dataDir, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StoreError(
      'cannot_open',
      code === 'ENOENT'
        ? `The folder ${dirname(dataDir)} does not exist: create it, or name another with --data-dir.`
        : `The data folder ${dataDir} cannot be made (${code}): name another with --data-dir.`,
    );
  }
}

/**
 * Returns the master key of this store. An empty store gets one (in a new file, if none is configured).
 * Throws an AppError if the key is missing or is not the one that encrypts the signing keys of the store.
 */
export async function masterKeyOf(
  store: Store,
  config: Pick<Config, 'masterKey' | 'masterKeyFile'>,
): Promise<MasterKey> {
  const check = await store.meta.get('master_key_check');
  const key = readMasterKey(config);
  if (check === null) {
    const masterKey = key ?? createMasterKey(config);
    const first = await store.write(async (transaction) => {
      // Check again inside the transaction: another process may have been first, with another key.
      if ((await transaction.meta.get('master_key_check')) !== null) return false;
      await transaction.meta.set('master_key_check', masterKey.check);
      return true;
    });
    return first ? masterKey : await masterKeyOf(store, config);
  }
  if (key === null) {
    throw new AppError(
      'not_found',
      `The master key file ${config.masterKeyFile} is missing, and the store's signing keys are encrypted under it: ` +
        'put it back from your backup, or set MINTMARK_MASTER_KEY.',
    );
  }
  if (key.check !== check) {
    throw new AppError(
      'invalid',
      "The master key is not the one under which this store's signing keys are encrypted: set MINTMARK_MASTER_KEY or " +
        'MINTMARK_MASTER_KEY_FILE to the right one.',
    );
  }
  return key;
}
