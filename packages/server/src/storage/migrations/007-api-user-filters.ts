import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/**
 * Indexes for what few of very many API users are: disabled, in each order of a list, and of a set of scopes, of which there
 * are few. A program of the version before goes on; its changes of API users wait while an index is made.
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
