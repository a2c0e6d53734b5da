import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Revocations of access tokens. The previous version ignores the table. */
export const revocations: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('revocations')
      .addColumn('digest', 'text', (column) => column.primaryKey())
      .addColumn('issued_before', 'bigint')
      .addColumn('removes_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema.createIndex('revocations_removes_at').on('revocations').column('removes_at').execute();
  },
};
