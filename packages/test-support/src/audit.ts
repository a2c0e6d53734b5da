import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';

/** Columns that hold what stands for a secret: digests, and keys under the master key. */
const STANDS_FOR_A_SECRET = /digest|hash|sealed|secret/;

/**
 * Fails where anything in the store that stands for a secret is in the audit log too. The columns are found by their names,
 * so that a new table is looked at as well. Gives back how many values were looked for.
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
      for (const value of texts(`select "${column}" as text from "${table}" where "${column}" is not null`)) {
        count += 1;
        assert.ok(!audit.includes(value), `a value of ${table}.${column} is in the audit log`);
      }
    }
  }
  return count;
}
