import { Migrator, type MigrationResult } from 'kysely/migration';
import { migrations } from './migrations/index.ts';
import { StoreError } from './store-error.ts';
import type { Connections } from './store.ts';

/** Brings the store up to this program's version; gives back the names of the migrations that it ran. */
export async function migrate({ write, read }: Connections): Promise<string[]> {
  await refuseNewer({ read });
  const migrator = new Migrator({ db: write, provider: { getMigrations: async () => migrations } });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
  return results.map(({ migrationName }: MigrationResult) => migrationName);
}

/** The migrations that `migrate` would run. */
export async function pendingMigrations({ read }: Pick<Connections, 'read'>): Promise<string[]> {
  const applied = new Set(await appliedMigrations({ read }));
  return Object.keys(migrations).filter((name) => !applied.has(name));
}

/** Throws where a later version of the program has changed the store. */
export async function refuseNewer({ read }: Pick<Connections, 'read'>): Promise<void> {
  const unknown = (await appliedMigrations({ read })).filter((name) => !(name in migrations));
  if (unknown.length === 0) return;
  throw new StoreError(
    'newer',
    `The store is newer than this program (it has ${unknown.join(', ')}): start the version that wrote it, or a later one.`,
  );
}

async function appliedMigrations({ read }: Pick<Connections, 'read'>): Promise<string[]> {
  const tables = await read.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === 'kysely_migration')) return [];
  const rows = await read
    .withTables<{ kysely_migration: { name: string } }>()
    .selectFrom('kysely_migration')
    .select('name')
    .orderBy('name')
    .execute();
  return rows.map((row) => row.name);
}
