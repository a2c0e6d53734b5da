import type { KyselyPlugin } from 'kysely';
import { migrate } from '../../storage/migrate.ts';
import { copyMemory, memoryPath } from '../../storage/sqlite/memory.ts';
import { openSqlite } from '../../storage/sqlite/sqlite.ts';
import type { Connections } from '../../storage/connections.ts';
import { createStore, type Store } from '../../storage/store.ts';
import { StoreError } from '../../storage/store-error.ts';

const BUSY_MS = 5000;

/**
 * The migrations take most of a start. The process runs them for its first sandbox and keeps the result, an
 * empty store, for the others to copy.
 */
let migrated: Promise<Migrated> | undefined;

/** The database lasts as long as its connections. */
interface Migrated {
  path: string;
  connections: Connections;
}

async function openMigrated(): Promise<Migrated> {
  const path = memoryPath();
  const connections = await openSqlite({ path, busyTimeoutMs: BUSY_MS, wakePollMs: 0 });
  await migrate(connections);
  return { path, connections };
}

/** Opens a migrated store in memory. While `isAway()`, every read and write of it fails. */
export async function openMemoryStore(now: () => number, isAway: () => boolean): Promise<Store> {
  migrated ??= openMigrated();
  const path = memoryPath();
  const connections = await openSqlite({ path, busyTimeoutMs: BUSY_MS, wakePollMs: 0 });
  await copyMemory((await migrated).path, path);
  const failing: KyselyPlugin = {
    transformQuery({ node }) {
      if (isAway()) throw away();
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  const read = connections.read.withPlugin(failing);
  const write = connections.write.withPlugin(failing);
  return createStore(
    {
      ...connections,
      read,
      follow: read,
      lookUp: read,
      write,
      unhurried: async (work) => await work(write),
      transaction: async (work) => {
        if (isAway()) throw away();
        return await connections.transaction(work);
      },
    },
    now,
  );
}

function away(): StoreError {
  return new StoreError('unavailable', 'The sandbox keeps the store away: this is the fault storeAway.');
}
