import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/**
 * An index of the credentials that are passwords, of which there are few or none: whether there is one is asked with
 * changes, and was found by reading millions of secrets. A program of the version before goes on; its changes of
 * credentials wait while the index is made.
 */
export const passwords: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createIndex('credentials_passwords')
      .on('credentials')
      .column('id')
      .where(sql.ref('kind'), '=', sql.lit('password'))
      .execute();
  },
};
