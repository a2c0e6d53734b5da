import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/**
 * Two tables with one row for each process: the number of its last usage flush, and the difference between
 * its clock and the store's. The previous version ignores both tables.
 */
export const flushesAndClocks: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('usage_flushes')
      .addColumn('process', 'text', (column) => column.primaryKey().notNull())
      .addColumn('flush', 'bigint', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('process_clocks')
      .addColumn('process', 'text', (column) => column.primaryKey().notNull())
      .addColumn('offset_ms', 'bigint', (column) => column.notNull())
      .addColumn('seen_at', 'bigint', (column) => column.notNull())
      .execute();
  },
};
