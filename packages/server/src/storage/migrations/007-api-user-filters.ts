import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/**
 * Indexes for filters that match few of millions of API users: the disabled ones, in each order of a list,
 * and those with a set of scopes. Few different sets exist. The previous version keeps working; its changes
 * of API users wait while the database builds an index.
 */
export const apiUserFilters: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const by of ['created_at', 'name_key', 'last_used_at'] as const) {
      await db.schema
        .createIndex(`api_users_disabled_${by}`)
        .on('api_users')
        .columns([by, 'client_id'])
        .where(sql.ref('enabled'), '=', sql.lit(0))
        .execute();
    }
    await db.schema.createIndex('api_users_scopes').on('api_users').column('scopes').execute();
  },
};
