import { sql, type RawBuilder, type SqlBool } from 'kysely';

/** True where the text is a part of the column, letter for letter: wildcards of SQL in it are characters. */
export function contains(column: string, text: string): RawBuilder<SqlBool> {
  const pattern = `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
  return sql<SqlBool>`${sql.ref(column)} like ${pattern} escape '\\'`;
}
