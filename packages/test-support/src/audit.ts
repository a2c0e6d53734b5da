import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';

/** Columns with digests or with keys encrypted under the master key. */
const STANDS_FOR_A_SECRET = /digest|hash|sealed|secret/;

/**
 * Fails if the audit log contains a digest or an encrypted key from the store. Columns are selected by name,
 * so that new tables are covered. Returns the number of values searched.
 */
export function assertNoDigestInAudit(path: string): number {
  using database = new DatabaseSync(path, { readOnly: true });
  const audit = JSON.stringify(database.prepare('select * from audit').all());
  const texts = (sql: string, ...parameters: string[]) =>
    database
      .prepare(sql)
      .all(...parameters)
      .map(({ text }) => text as string);
  const tables = texts(
    `select name as text from sqlite_schema
     where type = 'table' and name not like 'audit%' and name not like 'sqlite_%'`,
  );
  let count = 0;
  for (const table of tables) {
    const columns = texts('select name as text from pragma_table_info(?)', table);
    for (const column of columns.filter((name) => STANDS_FOR_A_SECRET.test(name))) {
      // The digest of a key or trust rule stands for nothing secret.
      const kinds = table === 'credentials' ? `and kind in ('secret', 'password')` : '';
      const all = `select "${column}" as text from "${table}" where "${column}" is not null ${kinds}`;
      for (const value of texts(all)) {
        count += 1;
        assert.ok(!audit.includes(value), `a value of ${table}.${column} is in the audit log`);
      }
    }
  }
  return count;
}
