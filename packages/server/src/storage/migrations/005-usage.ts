import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { isSqlite } from './001-first.ts';

/**
 * Tokens and refusals per API user, by minute, hour and day. A table for each unit, because each is kept for another time
 * and what is at the end of its time is removed in the order of the key.
 */
export const usage: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const unit of ['minutes', 'hours', 'days']) {
      await createTable(db, `usage_${unit}`, [], 'tokens');
      await createTable(db, `refusal_${unit}`, ['reason'], 'refusals');
    }
    // Whose limits were hit lately: not all that was refused lately is looked at for it.
    await db.schema
      .createIndex('refusal_minutes_reason')
      .on('refusal_minutes')
      .columns(['reason', 'at'])
      .execute();
    await db.schema.alterTable('api_users').addColumn('last_used_at', 'bigint').execute();
    // With all that is asked of those that were not used lately, so that the table itself is not read for it.
    await db.schema
      .createIndex('api_users_last_used_at')
      .on('api_users')
      .columns(['last_used_at', 'client_id', 'enabled', 'created_at'])
      .execute();
  },
};

/** Without a foreign key: the rows of an API user that was deleted are part of what all have used. */
async function createTable(
  db: Kysely<unknown>,
  name: string,
  more: readonly string[],
  count: string,
): Promise<void> {
  const key = ['at', 'client_id', ...more];
  let table = db.schema
    .createTable(name)
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('client_id', 'text', (column) => column.notNull());
  for (const column of more) table = table.addColumn(column, 'text', (built) => built.notNull());
  const whole = table
    .addColumn(count, 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint(`${name}_key`, key);
  // In SQLite as one tree in the order of its key: a minute is written beside the minute before.
  await (isSqlite(db) ? whole.modifyEnd(sql`without rowid`) : whole).execute();
}
