import type { Kysely } from 'kysely';
import { MIGRATION_NAMES } from './migrations/names.ts';
import { isPassing } from './postgres/error.ts';
import type { Tables } from './schema.ts';
import { StoreError } from './store-error.ts';
import type { Connections } from './connections.ts';

type Readable = Pick<Connections, 'read' | 'tables'>;

/** Attempts to migrate, because a deadlock or the like may end one. */
const ATTEMPTS_MAX = 5;

/**
 * Migrates the store to this program's version, one migration after the other. If one fails, those before it
 * stay. Returns the names of the migrations that this process made; other processes may migrate at the same
 * time.
 */
export async function migrate(connections: Connections): Promise<string[]> {
  const applied = await appliedMigrations(connections);
  refuseUnknown(applied);
  // Return before `Migrator` takes its lock, which belongs to a connection: a pooler that hands connections
  // on may keep the lock for an hour.
  if (pendingAfter(applied).length === 0) return [];
  const migrated: string[] = [];
  for (let attempt = 1; ; attempt++) {
    try {
      await connections.unhurried((db) => migrateWith(db, migrated));
      return migrated;
    } catch (error) {
      if (!isPassing(error) || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

/** Runs each migration in its own transaction, which releases its locks before the next one. */
async function migrateWith(db: Kysely<Tables>, migrated: string[]): Promise<void> {
  const { Migrator } = await import('kysely/migration');
  const { migrations } = await import('./migrations/index.ts');
  // On PostgreSQL, it takes a lock for each migration, and waits while another process holds the lock.
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  for (;;) {
    const { error, results = [] } = await migrator.migrateUp();
    if (error !== undefined) throw error;
    if (results.length === 0) return;
    migrated.push(...results.map(({ migrationName }) => migrationName));
  }
}

/** The migrations that `migrate` would run. */
export async function pendingMigrations(connections: Readable): Promise<string[]> {
  return pendingAfter(await appliedMigrations(connections));
}

/** Throws if a later version of the program has changed the store. */
export async function refuseNewer(connections: Readable): Promise<void> {
  refuseUnknown(await appliedMigrations(connections));
}

function pendingAfter(applied: readonly string[]): string[] {
  return MIGRATION_NAMES.filter((name) => !applied.includes(name));
}

function refuseUnknown(applied: readonly string[]): void {
  const unknown = applied.filter((name) => !MIGRATION_NAMES.some((one) => one === name));
  if (unknown.length === 0) return;
  throw new StoreError(
    'newer',
    `The store is newer than this program (it has ${unknown.join(', ')}): start the version that wrote it, or a later one.`,
  );
}

async function appliedMigrations({ read, tables }: Readable): Promise<string[]> {
  if (!(await tables()).includes('kysely_migration')) return [];
  // Select the time too: the query then reads the table and not only its index, and finds damage before the
  // server serves anything.
  const rows = await read
    .withTables<{ kysely_migration: { name: string; timestamp: string } }>()
    .selectFrom('kysely_migration')
    .select(['name', 'timestamp'])
    .orderBy('name')
    .execute();
  return rows.map((row) => row.name);
}
