import type { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { migrations } from './migrations/index.ts';
import { isPassing } from './postgres/error.ts';
import type { Tables } from './schema.ts';
import { StoreError } from './store-error.ts';
import type { Connections } from './connections.ts';

type Readable = Pick<Connections, 'read' | 'tables'>;

/** How often migrations are begun where a deadlock or the like ends one. */
const ATTEMPTS_MAX = 5;

/**
 * Brings the store up to this program's version, one migration after the other: one that fails leaves those before it made.
 * Gives back the names of the ones that this process made; others may do so at the same time.
 */
export async function migrate(connections: Connections): Promise<string[]> {
  const applied = await appliedMigrations(connections);
  refuseUnknown(applied);
  // Then without the lock below, which belongs to a connection: a pooler that hands those on may keep it for an hour.
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

/** Each in a transaction of its own, so that what one has locked is free again before the next one is made. */
async function migrateWith(db: Kysely<Tables>, migrated: string[]): Promise<void> {
  // For each it takes a lock where several processes may come at once, and waits for the one that has it.
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

/** Throws where a later version of the program has changed the store. */
export async function refuseNewer(connections: Readable): Promise<void> {
  refuseUnknown(await appliedMigrations(connections));
}

function pendingAfter(applied: readonly string[]): string[] {
  return Object.keys(migrations).filter((name) => !applied.includes(name));
}

function refuseUnknown(applied: readonly string[]): void {
  const unknown = applied.filter((name) => !(name in migrations));
  if (unknown.length === 0) return;
  throw new StoreError(
    'newer',
    `The store is newer than this program (it has ${unknown.join(', ')}): start the version that wrote it, or a later one.`,
  );
}

async function appliedMigrations({ read, tables }: Readable): Promise<string[]> {
  if (!(await tables()).includes('kysely_migration')) return [];
  // The time as well, so that the table is read and not its index alone: a damaged one is found before anything is served.
  const rows = await read
    .withTables<{ kysely_migration: { name: string; timestamp: string } }>()
    .selectFrom('kysely_migration')
    .select(['name', 'timestamp'])
    .orderBy('name')
    .execute();
  return rows.map((row) => row.name);
}
