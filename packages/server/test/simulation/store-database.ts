import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

export interface Answer {
  rows: unknown[];
  changes: number;
}

/** A statement, and what the clock of the store said when it ran. It has the same result each time. */
export interface Statement {
  sql: string;
  parameters: readonly unknown[];
  nowMs: number;
}

const READS = /^\s*(?:select|with) /;
/** A delete may also delete rows of other tables. */
const DELETES = /^\s*delete /;

type Row = Record<string, unknown>;

/** Reads of the clock differ each time. */
const CLOCK = 'store_now';
/** Results of reads that are remembered until a write to one of their tables. */
const REMEMBERED_MAX = 500;

interface Prepared {
  statement: StatementSync;
  hasRows: boolean;
  /** Tables that it names. */
  tables: readonly string[];
  writes: 'nothing' | 'these tables' | 'any table';
}

interface Remembered {
  rows: Row[];
  /** How many writes the run had done before. */
  writes: number;
}

/**
 * Real SQLite in memory, with the tables of the product. A run is one transaction, which `reset` takes back, so
 * all runs share the tables of the first and its prepared statements. The transactions of a run are savepoints.
 */
export class StoreDatabase {
  readonly #database = new DatabaseSync(':memory:');
  readonly #prepared = new Map<string, Prepared>();
  readonly #tables: readonly string[];
  #nowMs = 0;
  /** What was read before the first write to its tables: the same in each run. */
  readonly #readAtFirst = new Map<string, Row[]>();
  #read = new Map<string, Remembered>();
  /** Writes of the run, and which was the last to each table. */
  #writes = 0;
  #lastWrites = new Map<string, number>();

  constructor(bytes: Uint8Array) {
    this.#database.deserialize(bytes);
    this.#database.function(CLOCK, () => this.#nowMs);
    const tables = this.#database.prepare("select name from sqlite_master where type = 'table'").all();
    this.#tables = tables.map(({ name }) => String(name));
    this.#control('begin');
  }

  /** Takes back everything since the first run began. */
  reset(): void {
    this.#control('rollback');
    this.#control('begin');
    this.#read = new Map();
    this.#writes = 0;
    this.#lastWrites = new Map();
  }

  begin(): void {
    this.#control('savepoint store');
  }

  commit(): void {
    this.#control('release store');
  }

  rollBack(): void {
    this.#control('rollback to store');
    this.#control('release store');
    this.#written(this.#tables);
  }

  /** Like `run`, for a statement that only reads. */
  read(statement: Statement): Answer {
    const { sql, parameters } = statement;
    if (sql.includes(CLOCK)) return this.run(statement);
    const key = parameters.length === 0 ? sql : JSON.stringify([sql, parameters]);
    let rows = this.#recall(sql, key);
    if (rows === undefined) {
      rows = this.run(statement).rows as Row[];
      this.#remember(sql, key, rows);
    }
    return { rows: rows.map((row) => ({ ...row })), changes: 0 };
  }

  /** The last write to a table that this statement names. */
  #lastWrite(sql: string): number {
    let last = 0;
    for (const table of this.#prepare(sql).tables) last = Math.max(last, this.#lastWrites.get(table) ?? 0);
    return last;
  }

  #recall(sql: string, key: string): Row[] | undefined {
    const last = this.#lastWrite(sql);
    if (last === 0) return this.#readAtFirst.get(key);
    const read = this.#read.get(key);
    return read !== undefined && last <= read.writes ? read.rows : undefined;
  }

  #remember(sql: string, key: string, rows: Row[]): void {
    if (this.#lastWrite(sql) === 0) {
      if (this.#readAtFirst.size < REMEMBERED_MAX) this.#readAtFirst.set(key, rows);
    } else if (this.#read.size < REMEMBERED_MAX) this.#read.set(key, { rows, writes: this.#writes });
  }

  #written(tables: readonly string[]): void {
    this.#writes += 1;
    for (const table of tables) this.#lastWrites.set(table, this.#writes);
  }

  run({ sql, parameters, nowMs }: Statement): Answer {
    this.#nowMs = nowMs;
    const { statement, hasRows, tables, writes } = this.#prepare(sql);
    const values = parameters as SQLInputValue[];
    if (writes !== 'nothing') this.#written(writes === 'any table' ? this.#tables : tables);
    if (!hasRows) return { rows: [], changes: Number(statement.run(...values).changes) };
    const rows = statement.all(...values);
    return { rows, changes: writes === 'nothing' ? 0 : rows.length };
  }

  #control(sql: string): void {
    this.#prepare(sql).statement.run();
  }

  #prepare(sql: string): Prepared {
    let prepared = this.#prepared.get(sql);
    if (prepared === undefined) {
      const statement = this.#database.prepare(sql);
      const tables = this.#tables.filter((table) => new RegExp(`\\b${table}\\b`).test(sql));
      prepared = { statement, hasRows: statement.columns().length > 0, tables, writes: writesOf(sql) };
      this.#prepared.set(sql, prepared);
    }
    return prepared;
  }
}

function writesOf(sql: string): Prepared['writes'] {
  if (READS.test(sql)) return 'nothing';
  return DELETES.test(sql) ? 'any table' : 'these tables';
}
