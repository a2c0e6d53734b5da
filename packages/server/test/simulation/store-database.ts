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

const READS = /^(?:select|with) /;

type Row = Record<string, unknown>;

/** Reads of the clock differ each time. */
const CLOCK = 'store_now';
/** Results of reads that are remembered until the next write. */
const REMEMBERED_MAX = 500;

interface Prepared {
  statement: StatementSync;
  hasRows: boolean;
  writes: boolean;
}

/**
 * Real SQLite in memory, with the tables of the product. A run is one transaction, which `reset` takes back, so
 * all runs share the tables of the first and its prepared statements. The transactions of a run are savepoints.
 */
export class StoreDatabase {
  readonly #database = new DatabaseSync(':memory:');
  readonly #prepared = new Map<string, Prepared>();
  #nowMs = 0;
  /** What was read since the last change. The first state is that of each run. */
  #read: Map<string, Row[]> = new Map();
  readonly #readAtFirst: Map<string, Row[]> = this.#read;

  constructor(bytes: Uint8Array) {
    this.#database.deserialize(bytes);
    this.#database.function(CLOCK, () => this.#nowMs);
    this.#control('begin');
  }

  /** Takes back everything since the first run began. */
  reset(): void {
    this.#control('rollback');
    this.#control('begin');
    this.#read = this.#readAtFirst;
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
    this.#read = new Map();
  }

  /** Like `run`, for a statement that only reads. */
  read(statement: Statement): Answer {
    const { sql, parameters } = statement;
    if (sql.includes(CLOCK)) return this.run(statement);
    const key = JSON.stringify([sql, parameters]);
    let rows = this.#read.get(key);
    if (rows === undefined) {
      rows = this.run(statement).rows as Row[];
      if (this.#read.size < REMEMBERED_MAX) this.#read.set(key, rows);
    }
    return { rows: rows.map((row) => ({ ...row })), changes: 0 };
  }

  run({ sql, parameters, nowMs }: Statement): Answer {
    this.#nowMs = nowMs;
    const { statement, hasRows, writes } = this.#prepare(sql);
    const values = parameters as SQLInputValue[];
    if (writes && this.#read.size > 0) this.#read = new Map();
    if (!hasRows) return { rows: [], changes: Number(statement.run(...values).changes) };
    const rows = statement.all(...values);
    return { rows, changes: writes ? rows.length : 0 };
  }

  #control(sql: string): void {
    this.#prepare(sql).statement.run();
  }

  #prepare(sql: string): Prepared {
    let prepared = this.#prepared.get(sql);
    if (prepared === undefined) {
      const statement = this.#database.prepare(sql);
      prepared = { statement, hasRows: statement.columns().length > 0, writes: !READS.test(sql) };
      this.#prepared.set(sql, prepared);
    }
    return prepared;
  }
}
