import { DatabaseSync } from 'node:sqlite';

/** The size of the pages of a SQLite file, by SQLite. */
export function pageBytesOf(path: string): number {
  using database = new DatabaseSync(path, { readOnly: true });
  return Number(database.prepare('pragma page_size').get()?.['page_size']);
}
