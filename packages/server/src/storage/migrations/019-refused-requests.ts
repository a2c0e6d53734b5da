import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { isSqlite } from './001-first.ts';

/** The last refused requests of each API user. The previous version writes none. */
export const refusedRequests: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    // No foreign key: its check would cost every row a look-up. Rows of deleted API users expire in a day.
    const table = db.schema
      .createTable('refused_requests')
      .addColumn('client_id', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('trace_id', 'text', (column) => column.notNull())
      .addColumn('address', 'text', (column) => column.notNull())
      .addColumn('network', 'text', (column) => column.notNull())
      .addColumn('own', 'integer', (column) => column.notNull())
      .addColumn('reason', 'text', (column) => column.notNull())
      .addColumn('credential_id', 'text')
      .addColumn('detail', 'text')
      .addPrimaryKeyConstraint('refused_requests_key', ['client_id', 'at', 'trace_id']);
    await (isSqlite(db) ? table.modifyEnd(sql`without rowid`) : table).execute();
    await db.schema
      .createIndex('refused_requests_trace_id')
      .on('refused_requests')
      .column('trace_id')
      .execute();
    await db.schema.createIndex('refused_requests_at').on('refused_requests').column('at').execute();
  },
};
