import type { Answer, Statement, StoreDatabase } from './store-database.ts';
import { STARTS_AT, type Universe } from './universe.ts';

/** What a commit left in the store, as the checks need it. */
export interface Commit {
  /** Number of the commit in this run; a lost commit keeps its number. */
  id: number;
  /** The true time of the commit. */
  at: number;
  epoch: number;
  users: ReadonlyMap<string, { enabled: boolean; version: number }>;
  keys: ReadonlyMap<string, { isWithdrawn: boolean }>;
  revocations: ReadonlyMap<string, number>;
}

/** A connection of a host to the store. */
export interface ServerConnection {
  inTransaction: boolean;
  broken: boolean;
}

/**
 * The database server. Readers see what is committed, and one transaction writes at a time. Its history can
 * be cut: by a restore from a backup, or by a failover.
 */
export class StoreServer {
  readonly #universe: Universe;
  readonly #database: StoreDatabase;
  /** The statements of each commit in the history, apart from the first. */
  #committed: Statement[][] = [];
  /** The statements of the open transaction. */
  #open: Statement[] = [];
  /** Whether the open transaction is rolled back for a reader. Its next statement repeats those before it. */
  #isSetAside = false;
  #holder: ServerConnection | undefined;
  #waiting: { connection: ServerConnection; granted: () => void }[] = [];
  #commits = 0;
  /** The commits of the present past. The first is what every run starts with. */
  history: Commit[] = [];
  /** When commits were last lost, and how often. */
  lostAt: number = Number.NEGATIVE_INFINITY;
  losses = 0;
  /** How far its clock is ahead of the true time, and was at most. */
  clockOffsetMs = 0;
  mostAheadMs = 0;
  /** Called for each commit. `isNumbered`: it has a change in the feed. */
  onCommit: (isNumbered: boolean) => void = () => undefined;

  constructor(universe: Universe, database: StoreDatabase) {
    this.#universe = universe;
    this.#database = database;
    database.reset();
    this.history.push(this.#state());
  }

  /** The newest commit. */
  get head(): Commit {
    return this.history.at(-1) as Commit;
  }

  read(sql: string, parameters: readonly unknown[]): Answer {
    this.#setAside();
    return this.#database.read(this.#statement(sql, parameters));
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
    this.#committed = this.#committed.slice(0, kept - 1);
    this.#database.reset();
    for (const statement of this.#committed.flat()) this.#database.run(statement);
    this.losses += 1;
    this.lostAt = this.#universe.now;
  }

  setClock(byMs: number): void {
    this.clockOffsetMs += byMs;
    this.mostAheadMs = Math.max(this.mostAheadMs, this.clockOffsetMs);
  }

  #whenFree(connection: ServerConnection, granted: () => void): void {
    if (this.#holder === undefined) return granted();
    this.#waiting.push({ connection, granted });
  }

  #begin(connection: ServerConnection, reply: (answer: Answer) => void): void {
    this.#holder = connection;
    connection.inTransaction = true;
    this.#isSetAside = true;
    reply(NOTHING);
  }

  #attempt(sql: string, parameters: readonly unknown[]): Answer | Error {
    this.#takeUp();
    const statement = this.#statement(sql, parameters);
    try {
      const answer = this.#database.run(statement);
      if (answer.changes > 0) this.#open.push(statement);
      return answer;
    } catch (error) {
      return error as Error;
    }
  }

  #end(connection: ServerConnection, commits: boolean): void {
    if (this.#holder !== connection) return;
    const statements = this.#open;
    if (commits) this.#takeUp();
    if (!this.#isSetAside) {
      if (commits) this.#database.commit();
      else this.#database.rollBack();
    }
    this.#open = [];
    connection.inTransaction = false;
    this.#holder = undefined;
    if (commits && statements.length > 0) {
      this.#committed.push(statements);
      const before = this.head;
      this.history.push(this.#state(statements.some(({ sql }) => REMOVAL.test(sql))));
      this.onCommit(this.head.epoch !== before.epoch);
    }
    const next = this.#waiting.shift();
    if (next !== undefined) next.granted();
  }

  /** Rolls the open transaction back, for a statement that must not see it. */
  #setAside(): void {
    if (this.#holder === undefined || this.#isSetAside || this.#open.length === 0) return;
    this.#database.rollBack();
    this.#isSetAside = true;
  }

  /** Repeats what the open transaction had done. */
  #takeUp(): void {
    if (!this.#isSetAside) return;
    this.#database.begin();
    for (const statement of this.#open) this.#database.run(statement);
    this.#isSetAside = false;
  }

  #statement(sql: string, parameters: readonly unknown[]): Statement {
    const nowMs = Math.floor(STARTS_AT + this.#universe.now + this.clockOffsetMs);
    return { sql, parameters, nowMs };
  }

  /** Only a change with a number concerns what processes keep in memory, and a removal the checks. */
  #state(removes = false): Commit {
    this.#commits += 1;
    const rows = (sql: string) =>
      this.#database.run({ sql, parameters: [], nowMs: 0 }).rows as Record<string, string & number>[];
    const epoch = Number(rows('select n from epoch')[0]?.['n']);
    const before = this.history.at(-1);
    if (before?.epoch === epoch && !removes) return { ...before, id: this.#commits, at: this.#universe.now };
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
        rows('select kid, removes_at <= retires_at as withdrawn from signing_keys').map((row) => [
          String(row['kid']),
          { isWithdrawn: Number(row['withdrawn']) === 1 },
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

const REMOVAL = /^delete from "revocations"/;
const NOTHING: Answer = { rows: [], changes: 0 };
