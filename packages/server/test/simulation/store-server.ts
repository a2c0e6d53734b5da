import { DatabaseSync, type SQLInputValue, type Session, type StatementSync } from 'node:sqlite';
import type { Universe } from './universe.ts';

/** What a commit left in the store, as the checks need it. */
export interface Commit {
  /** Number of the commit in this run; a lost commit keeps its number. */
  id: number;
  /** The true time of the commit. */
  at: number;
  epoch: number;
  users: ReadonlyMap<string, { enabled: boolean; version: number }>;
  keys: ReadonlyMap<string, { removesAt: number | null }>;
  revocations: ReadonlyMap<string, number>;
}

export interface Answer {
  rows: unknown[];
  changes: number;
}

/** A connection of a host to the store. */
export interface ServerConnection {
  inTransaction: boolean;
  broken: boolean;
}

/**
 * The database server: real SQLite in memory, with the tables of the product. Readers see what is
 * committed, and one
 * transaction writes at a time. Its history can be cut: by a restore from a backup, or by a failover.
 */
export class StoreServer {
  readonly #universe: Universe;
  readonly #template: Uint8Array;
  #committed: Database;
  #working: Database;
  #changesets: Uint8Array[] = [];
  #session: Session | undefined;
  #holder: ServerConnection | undefined;
  #waiting: { connection: ServerConnection; granted: () => void }[] = [];
  #commits = 0;
  /** The commits of the present past. The first is what every run starts with. */
  history: Commit[] = [];
  /** When commits were last lost, and how often. */
  lostAt: number = Number.NEGATIVE_INFINITY;
  losses = 0;
  /** How far its clock is ahead of the true time. */
  clockOffsetMs = 0;
  onCommit: () => void = () => undefined;

  constructor(universe: Universe, template: Uint8Array) {
    this.#universe = universe;
    this.#template = template;
    this.#committed = this.#open();
    this.#working = this.#open();
    this.history.push(this.#state());
  }

  #open(): Database {
    return new Database(this.#template, () =>
      Math.floor(this.#universe.dayMs() - this.#universe.current.dayOffsetMs + this.clockOffsetMs),
    );
  }

  /** The newest commit. */
  get head(): Commit {
    return this.history.at(-1) as Commit;
  }

  read(sql: string, parameters: readonly unknown[]): Answer {
    return this.#committed.run(sql, parameters);
  }

  /** A statement of a transaction, or a write of its own. Calls `reply` when it has run. */
  execute(
    connection: ServerConnection,
    sql: string,
    parameters: readonly unknown[],
    reply: (answer: Answer | Error) => void,
  ): void {
    if (connection.broken) return reply(new Error('the connection is broken'));
    if (sql === 'begin') return this.#whenFree(connection, () => this.#begin(connection, reply));
    if (sql === 'rollback') {
      this.#end(connection, false);
      return reply(NOTHING);
    }
    if (sql === 'commit') {
      if (this.#holder !== connection) return reply(new Error('no transaction is open'));
      this.#end(connection, true);
      return reply(NOTHING);
    }
    if (this.#holder === connection) return reply(this.#attempt(sql, parameters));
    this.#whenFree(connection, () => {
      this.#begin(connection, () => undefined);
      const answer = this.#attempt(sql, parameters);
      this.#end(connection, !(answer instanceof Error));
      reply(answer);
    });
  }

  /** The server notices that the host is gone: an open transaction ends without effect. */
  disconnect(connection: ServerConnection): void {
    connection.broken = true;
    this.#waiting = this.#waiting.filter((waiting) => waiting.connection !== connection);
    if (this.#holder === connection) this.#end(connection, false);
  }

  /** Loses the last `count` commits, as a restore from a backup or a failover does. */
  lose(count: number): void {
    const kept = Math.max(1, this.history.length - count);
    if (kept === this.history.length) return;
    for (const { connection } of this.#waiting) connection.broken = true;
    this.#waiting = [];
    if (this.#holder !== undefined) {
      this.#holder.broken = true;
      this.#end(this.#holder, false);
    }
    this.history = this.history.slice(0, kept);
    this.#changesets = this.#changesets.slice(0, kept - 1);
    this.#committed.close();
    this.#working.close();
    this.#committed = this.#open();
    this.#working = this.#open();
    for (const changeset of this.#changesets) {
      this.#committed.apply(changeset);
      this.#working.apply(changeset);
    }
    this.losses += 1;
    this.lostAt = this.#universe.now;
  }

  close(): void {
    this.#session = undefined;
    this.#committed.close();
    this.#working.close();
  }

  #whenFree(connection: ServerConnection, granted: () => void): void {
    if (this.#holder === undefined) return granted();
    this.#waiting.push({ connection, granted });
  }

  #begin(connection: ServerConnection, reply: (answer: Answer) => void): void {
    this.#holder = connection;
    connection.inTransaction = true;
    this.#working.database.exec('begin');
    this.#session = this.#working.database.createSession();
    reply(NOTHING);
  }

  #attempt(sql: string, parameters: readonly unknown[]): Answer | Error {
    try {
      return this.#working.run(sql, parameters);
    } catch (error) {
      return error as Error;
    }
  }

  #end(connection: ServerConnection, commits: boolean): void {
    if (this.#holder !== connection) return;
    const changeset = this.#session?.changeset() ?? new Uint8Array();
    this.#session?.close();
    this.#session = undefined;
    this.#working.database.exec(commits ? 'commit' : 'rollback');
    connection.inTransaction = false;
    this.#holder = undefined;
    if (commits && changeset.length > 0) {
      this.#committed.apply(changeset);
      this.#changesets.push(changeset);
      const before = this.head;
      this.history.push(this.#state());
      if (this.head.epoch !== before.epoch) this.onCommit();
    }
    const next = this.#waiting.shift();
    if (next !== undefined) next.granted();
  }

  #state(): Commit {
    this.#commits += 1;
    const rows = (sql: string) => this.#committed.run(sql, []).rows as Record<string, string & number>[];
    const epoch = Number(rows('select n from epoch')[0]?.['n']);
    const before = this.history.at(-1);
    // Only a change with a number concerns what processes keep in memory.
    if (before?.epoch === epoch) return { ...before, id: this.#commits, at: this.#universe.now };
    return {
      id: this.#commits,
      at: this.#universe.now,
      epoch,
      users: new Map(
        rows('select client_id, enabled, version from api_users').map((row) => [
          String(row['client_id']),
          { enabled: Number(row['enabled']) === 1, version: Number(row['version']) },
        ]),
      ),
      keys: new Map(
        rows('select kid, removes_at from signing_keys').map((row) => [
          String(row['kid']),
          { removesAt: row['removes_at'] ?? null },
        ]),
      ),
      revocations: new Map(
        rows('select digest, removes_at from revocations').map((row) => [
          String(row['digest']),
          Number(row['removes_at']),
        ]),
      ),
    };
  }
}

const NOTHING: Answer = { rows: [], changes: 0 };

class Database {
  readonly database = new DatabaseSync(':memory:');
  readonly #statements = new Map<string, { statement: StatementSync; hasRows: boolean }>();

  constructor(template: Uint8Array, storeNow: () => number) {
    this.database.deserialize(template);
    this.database.function('store_now', storeNow);
  }

  run(sql: string, parameters: readonly unknown[]): Answer {
    let prepared = this.#statements.get(sql);
    if (prepared === undefined) {
      const statement = this.database.prepare(sql);
      prepared = { statement, hasRows: statement.columns().length > 0 };
      this.#statements.set(sql, prepared);
    }
    const { statement, hasRows } = prepared;
    const values = parameters as SQLInputValue[];
    if (!hasRows) return { rows: [], changes: Number(statement.run(...values).changes) };
    const rows = statement.all(...values);
    return { rows, changes: rows.length };
  }

  apply(changeset: Uint8Array): void {
    this.database.applyChangeset(changeset);
  }

  close(): void {
    this.#statements.clear();
    this.database.close();
  }
}
