import { sql, type RawBuilder, type SqlBool } from 'kysely';

/**
 * True if the text occurs in the column. SQL wildcards in the text are ordinary characters. Callers fold both
 * texts, because `like` ignores the letter case of ASCII on SQLite only.
 */
export function contains(column: string, text: string): RawBuilder<SqlBool> {
  const pattern = `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
  return sql<SqlBool>`${sql.ref(column)} like ${pattern} escape '\\'`;
}

/** True if the text, which is not empty, occurs in the column in the same letter case, on both databases. */
export function containsExactly(column: string, text: string): RawBuilder<SqlBool> {
  return sql<SqlBool>`replace(${sql.ref(column)}, ${text}, '') <> ${sql.ref(column)}`;
}
