import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { sql } from 'kysely';

/**
 * From when on a credential is retired as soon as it is quiet, and an index of the few that are. A program of the version
 * before leaves the column as it is, and retires none.
 */
export const quietCredentials: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable('credentials').addColumn('retire_when_quiet_from', 'bigint').execute();
    await db.schema
      .createIndex('credentials_when_quiet')
      .on('credentials')
      .column('id')
      .where(sql.ref('retire_when_quiet_from'), 'is not', null)
      .execute();
  },
};
