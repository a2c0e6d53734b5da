import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** One-time links that hand over a new secret. The previous version knows none, and removes none. */
export const secretLinks: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('secret_links')
      .addColumn('digest', 'text', (column) => column.primaryKey())
      .addColumn('id', 'text', (column) => column.notNull().unique())
      .addColumn('client_id', 'text', (column) =>
        column.notNull().references('api_users.client_id').onDelete('cascade'),
      )
      .addColumn('request', 'text', (column) => column.notNull())
      .addColumn('passphrase_hash', 'text')
      .addColumn('wrong_passphrases', 'integer', (column) => column.notNull())
      .addColumn('created_by', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema.createIndex('secret_links_client_id').on('secret_links').column('client_id').execute();
    await db.schema.createIndex('secret_links_expires_at').on('secret_links').column('expires_at').execute();
  },
};
