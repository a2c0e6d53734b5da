import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Public keys of other issuers, as last fetched. The previous version ignores the table. */
export const keySources: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('key_sources')
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('address', 'text', (column) => column.notNull())
      .addColumn('key_set', 'text')
      .addColumn('left_out', 'bigint', (column) => column.notNull())
      .addColumn('fetched_at', 'bigint')
      .addColumn('life_ms', 'bigint', (column) => column.notNull())
      .addColumn('tried_at', 'bigint', (column) => column.notNull())
      .addColumn('error', 'text')
      .addPrimaryKeyConstraint('key_sources_primary', ['kind', 'address'])
      .execute();
  },
};
