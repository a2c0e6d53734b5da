import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/**
 * An index of the credentials that are passwords: few or none. After changes, processes check whether any
 * password exists. Without the index, that check read millions of secrets. The previous version keeps
 * working; its changes of credentials wait while the database builds the index.
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
