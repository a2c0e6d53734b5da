import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/**
 * An index of client ids in lower case, for comparison with a new username. Client ids are ASCII, so `lower`
 * in both databases gives the same result as the program (in PostgreSQL because the collation of the column
 * is "C"). The previous version keeps working; its changes of API users wait until the index is ready.
 */
export const clientIdKeys: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createIndex('api_users_client_id_key')
      .on('api_users')
      .expression(sql`lower(client_id)`)
      .execute();
  },
};
