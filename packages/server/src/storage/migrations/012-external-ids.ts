import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/**
 * Two unique keys that let an import recognise its API users when it is repeated: the id in another system,
 * and the digest of the line that created the API user. The previous version ignores both, so API users that
 * it imports have no digest.
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
