import { sql, type RawBuilder, type SqlBool } from 'kysely';

/**
 * True if the text occurs in the column. SQL wildcards in the text are ordinary characters. Both texts are folded:
 * `like` of SQLite ignores the letter case of ASCII, that of PostgreSQL does not.
 */
export function contains(column: string, text: string): RawBuilder<SqlBool> {
  const pattern = `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
  return sql<SqlBool>`${sql.ref(column)} like ${pattern} escape '\\'`;
}

/** True if the text occurs in the column in the same letter case, on both databases. The text is not empty. */
export function containsExactly(column: string, text: string): RawBuilder<SqlBool> {
  return sql<SqlBool>`replace(${sql.ref(column)}, ${text}, '') <> ${sql.ref(column)}`;
}
