import { createHash } from 'node:crypto';
import { sql, type Kysely, type RawBuilder } from 'kysely';
import { UNFINISHED_COPY } from './tables/meta.ts';
import { PRIMARY_KEYS, TABLE_NAMES, type Tables } from './schema.ts';
import type { Connections } from './connections.ts';

export interface CopiedTable {
  table: string;
  rows: number;
  /** Rows that the copy wrote; the others were there already. */
  written: number;
  /** SHA-256 of all rows in the order of their keys, in base64url. A complete copy has the same sum. */
  sha256: string;
}

export interface TableSum {
  rows: number;
  sha256: string;
}

/** Called after every batch. */
export type CopyProgress = (step: { doing: 'copying' | 'comparing'; table: string; rows: number }) => void;

type Row = Record<string, unknown>;
type Key = readonly unknown[];
type Table = keyof Tables;

const BATCH = 500;

/** True if the store holds nothing yet, whatever its version. The mark of a copy counts as content. */
export async function isEmpty({ read, tables }: Connections): Promise<boolean> {
  const there = await tables();
  for (const table of ['meta', 'changes', 'api_users', 'signing_keys', 'operators', 'audit'] as const) {
    if (!there.includes(table)) continue;
    const { rows } = await sql`select 1 from ${sql.table(table)} limit 1`.execute(read);
    if (rows.length > 0) return false;
  }
  return true;
}

/** The source of a copy that was begun and not completed; otherwise null. */
export async function unfinishedCopy({ read }: Pick<Connections, 'read'>): Promise<string | null> {
  const row = read.selectFrom('meta').select('value').where('key', '=', UNFINISHED_COPY);
  return (await row.executeTakeFirst())?.value ?? null;
}

/**
 * Makes `to` equal to `from` as of one moment. Equal rows stay: only missing and different ones are written,
 * so the same call completes a copy that was cut off. The mark "unfinished" stays on `to` until a comparison
 * of all tables finds no difference. `different` lists the tables that differ in the end: none, unless
 * another program writes to `to`.
 */
export async function copyStore(
  from: Connections,
  to: Connections,
  source: string,
  progress: CopyProgress,
): Promise<{ tables: CopiedTable[]; different: string[] }> {
  await mark(to, source);
  return await from.snapshot(async (snapshot) => {
    // Delete extra and different rows first: a row to insert may clash with a row to delete.
    for (const table of TABLE_NAMES) await removeOthers(snapshot, to, table);
    const tables: CopiedTable[] = [];
    const different: string[] = [];
    const written = new Map<Table, number>();
    for (const table of TABLE_NAMES) written.set(table, await writeMissing(snapshot, to, table, progress));
    for (const table of TABLE_NAMES) {
      const sum = await sumOf(snapshot, table, (rows) => progress({ doing: 'comparing', table, rows }));
      const copied = await sumOf(to.read, table, () => undefined);
      if (copied.rows !== sum.rows || copied.sha256 !== sum.sha256) different.push(table);
      tables.push({ table, rows: sum.rows, written: written.get(table) ?? 0, sha256: sum.sha256 });
    }
    if (different.length === 0)
      await to.write.deleteFrom('meta').where('key', '=', UNFINISHED_COPY).execute();
    return { tables, different };
  });
}

async function mark({ write }: Connections, source: string): Promise<void> {
  const row = { key: UNFINISHED_COPY, value: source };
  const insert = write.insertInto('meta').values(row);
  await insert.onConflict((conflict) => conflict.column('key').doUpdateSet(row)).execute();
}

async function removeOthers(snapshot: Kysely<Tables>, to: Connections, table: Table): Promise<void> {
  for await (const there of batches(to.read, table)) {
    const here = await rowsBetween(snapshot, table, there.after, there.upTo);
    const wanted = new Map(here.map((row) => [textOf(keyOf(table, row)), textOf(row)]));
    const others = there.rows.filter((row) => wanted.get(textOf(keyOf(table, row))) !== textOf(row));
    if (others.length === 0) continue;
    await to.transaction(async (db) => {
      for (const row of others) {
        await sql`delete from ${sql.table(table)} where ${isKey(table, keyOf(table, row))}`.execute(db);
      }
    });
  }
}

async function writeMissing(
  snapshot: Kysely<Tables>,
  to: Connections,
  table: Table,
  progress: CopyProgress,
): Promise<number> {
  let rows = 0;
  let written = 0;
  for await (const here of batches(snapshot, table)) {
    const there = await rowsBetween(to.read, table, here.after, here.upTo);
    const present = new Set(there.map((row) => textOf(keyOf(table, row))));
    const missing = here.rows.filter((row) => !present.has(textOf(keyOf(table, row))));
    if (missing.length > 0) await to.transaction((db) => insertAll(db, table, missing));
    rows += here.rows.length;
    written += missing.length;
    progress({ doing: 'copying', table, rows });
  }
  return written;
}

async function insertAll(db: Kysely<Tables>, table: Table, rows: readonly Row[]): Promise<void> {
  const columns = Object.keys(rows[0] ?? {});
  const values = rows.map((row) => sql`(${sql.join(columns.map((column) => row[column]))})`);
  const names = sql.join(columns.map((column) => sql.ref(column)));
  await sql`insert into ${sql.table(table)} (${names}) values ${sql.join(values)}`.execute(db);
}

/** Count and digest of all rows, in the order of their keys. The order of the columns does not matter. */
async function sumOf(db: Kysely<Tables>, table: Table, progress: (rows: number) => void): Promise<TableSum> {
  const hash = createHash('sha256');
  let count = 0;
  for await (const { rows } of batches(db, table)) {
    for (const row of rows) hash.update(`${textOf(row)}\n`);
    count += rows.length;
    progress(count);
  }
  return { rows: count, sha256: hash.digest('base64url') };
}

interface Batch {
  rows: Row[];
  /** The batch begins after this key; null: at the start of the table. */
  after: Key | null;
  /** The batch ends with this key; null: at the end of the table. */
  upTo: Key | null;
}

async function* batches(db: Kysely<Tables>, table: Table): AsyncGenerator<Batch> {
  for (let after: Key | null = null; ;) {
    const rows: Row[] = await rowsAfter(db, table, after, BATCH);
    const last = rows.at(-1);
    const upTo: Key | null = last === undefined || rows.length < BATCH ? null : keyOf(table, last);
    if (rows.length > 0) yield { rows, after, upTo };
    if (upTo === null) return;
    after = upTo;
  }
}

async function rowsAfter(db: Kysely<Tables>, table: Table, after: Key | null, limit: number): Promise<Row[]> {
  const { rows } = await sql<Row>`select * from ${sql.table(table)} where ${isAbove(table, after)}
    order by ${columnsOf(table)} limit ${limit}`.execute(db);
  return rows;
}

async function rowsBetween(
  db: Kysely<Tables>,
  table: Table,
  after: Key | null,
  upTo: Key | null,
): Promise<Row[]> {
  const end = upTo === null ? sql`` : sql`and (${columnsOf(table)}) <= (${sql.join(upTo)})`;
  const { rows } = await sql<Row>`select * from ${sql.table(table)} where ${isAbove(table, after)} ${end}
    order by ${columnsOf(table)}`.execute(db);
  return rows;
}

function isAbove(table: Table, after: Key | null): RawBuilder<unknown> {
  // The mark of the copy is not copied.
  const ours = table === 'meta' ? sql`key <> ${UNFINISHED_COPY}` : sql`1 = 1`;
  return after === null ? ours : sql`${ours} and (${columnsOf(table)}) > (${sql.join(after)})`;
}

function isKey(table: Table, key: Key): RawBuilder<unknown> {
  const parts = PRIMARY_KEYS[table].map((column, i) => sql`${sql.ref(column)} = ${key[i]}`);
  return sql.join(parts, sql` and `);
}

function columnsOf(table: Table): RawBuilder<unknown> {
  return sql.join(PRIMARY_KEYS[table].map((column) => sql.ref(column)));
}

function keyOf(table: Table, row: Row): Key {
  return PRIMARY_KEYS[table].map((column) => row[column]);
}

function textOf(value: Row | Key): string {
  if (Array.isArray(value)) return JSON.stringify(value);
  return JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
