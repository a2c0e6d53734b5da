import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/**
 * An index of client ids in lower case, which a new username is compared with. Client ids are ASCII, so the `lower` of both
 * databases folds them as the program does (PostgreSQL by the collation of the column, which is "C"). A process of the
 * version before continues to run; its changes of API users wait while the index is made.
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
