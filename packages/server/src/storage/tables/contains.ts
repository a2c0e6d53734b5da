import { sql, type RawBuilder, type SqlBool } from 'kysely';

/** True if the text occurs in the column. SQL wildcards in the text are ordinary characters. */
export function contains(column: string, text: string): RawBuilder<SqlBool> {
  const pattern = `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
  return sql<SqlBool>`${sql.ref(column)} like ${pattern} escape '\\'`;
}
