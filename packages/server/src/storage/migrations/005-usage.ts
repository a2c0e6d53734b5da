import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { isSqlite } from './001-first.ts';

/**
 * Tokens and refusals per API user, by minute, hour and day. Each unit has its own table: each is kept for a
 * different time, and expired rows are removed in the order of the key.
 */
export const usage: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const unit of ['minutes', 'hours', 'days']) {
      await createTable(db, `usage_${unit}`, [], 'tokens');
      await createTable(db, `refusal_${unit}`, ['reason'], 'refusals');
    }
    // For the API users that hit their limit recently: the query does not read other recent refusals.
    await db.schema
      .createIndex('refusal_minutes_reason')
      .on('refusal_minutes')
      .columns(['reason', 'at'])
      .execute();
    await db.schema.alterTable('api_users').addColumn('last_used_at', 'bigint').execute();
    // Holds every column that the query for unused API users needs, so that it does not read the table.
    await db.schema
      .createIndex('api_users_last_used_at')
      .on('api_users')
      .columns(['last_used_at', 'client_id', 'enabled', 'created_at'])
      .execute();
  },
};

/** No foreign key: the totals of all callers still include the rows of a deleted API user. */
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
  // SQLite stores the table as one tree in the order of its key: each minute lies beside the minute before.
  await (isSqlite(db) ? whole.modifyEnd(sql`without rowid`) : whole).execute();
}
