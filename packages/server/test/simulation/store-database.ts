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

  constructor(bytes: Uint8Array) {
    this.#database.deserialize(bytes);
    this.#database.function('store_now', () => this.#nowMs);
    this.#control('begin');
  }

  /** Takes back everything since the first run began. */
  reset(): void {
    this.#control('rollback');
    this.#control('begin');
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
  }

  run({ sql, parameters, nowMs }: Statement): Answer {
    this.#nowMs = nowMs;
    const { statement, hasRows, writes } = this.#prepare(sql);
    const values = parameters as SQLInputValue[];
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
