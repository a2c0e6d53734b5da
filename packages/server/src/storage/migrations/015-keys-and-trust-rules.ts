import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/**
 * Credentials of the kinds `key` and `trust`: what they say, the source of their keys, the last subject and
 * the last refusal. A key belongs to one API user. The previous version lists such credentials and retires
 * them, but gives no tokens for them; a reset of an API user that has one fails there.
 */
export const keysAndTrustRules: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable('credentials').addColumn('facts', 'text').execute();
    await db.schema.alterTable('credentials').addColumn('key_source', 'text').execute();
    await db.schema
      .createIndex('credentials_keys')
      .unique()
      .on('credentials')
      .column('digest')
      .where(sql.ref('kind'), '=', sql.lit('key'))
      .execute();
    await db.schema
      .createIndex('credentials_key_source')
      .on('credentials')
      .column('key_source')
      .where(sql.ref('key_source'), 'is not', null)
      .execute();
    await db.schema.alterTable('credential_usage').addColumn('last_subject', 'text').execute();
    await db.schema
      .createTable('credential_refusals')
      .addColumn('credential_id', 'text', (column) =>
        column.primaryKey().references('credentials.id').onDelete('cascade'),
      )
      .addColumn('refused_at', 'bigint', (column) => column.notNull())
      .addColumn('address', 'text', (column) => column.notNull())
      .addColumn('reason', 'text', (column) => column.notNull())
      .addColumn('detail', 'text')
      .execute();
  },
};
