import assert from 'node:assert/strict';
import { migrations } from '../../src/storage/migrations/index.ts';

/** What takes a migration back, so that a test can have it made again. A new migration gets a line. */
const UNDO: Record<string, string> = {
  '007-api-user-filters': `drop index api_users_disabled_created_at, api_users_disabled_name_key,
    api_users_disabled_last_used_at, api_users_scopes`,
  '008-passwords': 'drop index credentials_passwords',
  '009-flushes-and-clocks': 'drop table usage_flushes, process_clocks',
};

/** The migrations from this one on, and the SQL that makes the database one from before them. */
export function undoFrom(first: string): { names: string[]; sql: string } {
  const names = Object.keys(migrations).filter((name) => name >= first);
  const undo = names.map((name) => {
    const sql = UNDO[name];
    assert.ok(sql !== undefined, `support/undo-migrations.ts says how to take back ${name}`);
    return sql;
  });
  return { names, sql: [...undo, `delete from kysely_migration where name >= '${first}'`].join('; ') };
}
