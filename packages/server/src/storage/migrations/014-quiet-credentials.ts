import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { sql } from 'kysely';

/**
 * The time from which a credential is retired as soon as it is quiet, and an index of the few credentials
 * that have one. The previous version does not change the column and does not retire these credentials.
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
