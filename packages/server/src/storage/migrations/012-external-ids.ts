import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/**
 * Two keys of API users for imports that are sent again, each unique: the id that another system has for it, and the digest of the
 * line that made it. A program of the version before leaves both alone; API users that it imports have no such digest.
 */
export const externalIds: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const column of ['external_id', 'import_key'] as const) {
      await db.schema.alterTable('api_users').addColumn(column, 'text').execute();
      await db.schema
        .createIndex(`api_users_${column}`)
        .unique()
        .on('api_users')
        .column(column)
        .where(sql.ref(column), 'is not', null)
        .execute();
    }
  },
};
