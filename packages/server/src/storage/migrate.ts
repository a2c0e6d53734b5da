import { Migrator, type MigrationResult } from 'kysely/migration';
import { migrations } from './migrations/index.ts';
import { StoreError } from './store-error.ts';
import type { Connections } from './store.ts';

type Readable = Pick<Connections, 'read' | 'tables'>;

/** Brings the store up to this program's version; gives back the names of the migrations that it ran. */
export async function migrate(connections: Connections): Promise<string[]> {
  await refuseNewer(connections);
  return await connections.unhurried(async (db) => {
    // Takes a lock where several processes may come at once, and waits for the one that has it.
    const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
    const { error, results = [] } = await migrator.migrateToLatest();
    if (error !== undefined) throw error;
    return results.map(({ migrationName }: MigrationResult) => migrationName);
  });
}

/** The migrations that `migrate` would run. */
export async function pendingMigrations(connections: Readable): Promise<string[]> {
  const applied = new Set(await appliedMigrations(connections));
  return Object.keys(migrations).filter((name) => !applied.has(name));
}

/** Throws where a later version of the program has changed the store. */
export async function refuseNewer(connections: Readable): Promise<void> {
  const unknown = (await appliedMigrations(connections)).filter((name) => !(name in migrations));
  if (unknown.length === 0) return;
  throw new StoreError(
    'newer',
    `The store is newer than this program (it has ${unknown.join(', ')}): start the version that wrote it, or a later one.`,
  );
}

async function appliedMigrations({ read, tables }: Readable): Promise<string[]> {
  if (!(await tables()).includes('kysely_migration')) return [];
  const rows = await read
    .withTables<{ kysely_migration: { name: string } }>()
    .selectFrom('kysely_migration')
    .select('name')
    .orderBy('name')
    .execute();
  return rows.map((row) => row.name);
}
