import type { Insertable, Kysely, RawBuilder } from 'kysely';
import type { Tables } from './schema.ts';
import type { DatabaseClock } from './tables/clock.ts';

/** The part of the store that each kind of database implements for itself; everything else is shared. */
export interface Connections {
  read: Kysely<Tables>;
  /** For the small reads that keep a process in step: other queries must not delay them. */
  follow: Kysely<Tables>;
  /** For reads of API users into memory: as small, but as many at a time as there are callers. */
  lookUp: Kysely<Tables>;
  /** For single statements. Statements that belong together go through `transaction`. */
  write: Kysely<Tables>;
  /** Runs `work`, which reads all of a large table through `lookUp`, with a larger cache of SQLite. */
  readAll<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Commits all of `work` or nothing. Across all processes, one transaction runs at a time: what `work` has
   * read holds until the end. May repeat `work` after a deadlock. `announce`: the commit wakes every process
   * that follows the store.
   */
  transaction<T>(work: (db: Kysely<Tables>, announce: () => void) => Promise<T>): Promise<T>;
  /**
   * For work of any duration, such as a migration. `withinMs`: a timeout for each of its statements, in
   * milliseconds.
   */
  unhurried<T>(work: (db: Kysely<Tables>) => Promise<T>, withinMs?: number): Promise<T>;
  /**
   * A source for `from`: the texts of a JSON array, with the one column `value`. It takes one parameter for
   * any number of rows: the JSON, or its bytes in UTF-8. The caller reuses the bytes once the statement has
   * succeeded. Records are texts with fields of fixed width, which `substr` separates at a third of the cost
   * of JSON.
   */
  texts(json: string | Uint8Array): RawBuilder<unknown>;
  /** Inserts any number of rows, each with the columns of the first one. */
  insertRows: InsertRows;
  /** All reads of `work` see the same moment, however long it takes and whatever others write. */
  snapshot<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T>;
  /** Null: the database runs on this machine and uses its clock. */
  clock: DatabaseClock | null;
  /** The names of all tables in the database, including those of other programs. */
  tables(): Promise<string[]>;
  /** The first damage that a check of the whole database finds; null for a sound one. */
  damage(): Promise<string | null>;
  facts(): Promise<DatabaseFacts>;
  /** How long the oldest commit has waited for a synchronous standby, in milliseconds; 0: no commit waits. */
  standbyWaitMs(): Promise<number>;
  /**
   * Calls `wake` soon after this or another process has committed a change. A hint only: the poll finds all.
   */
  onWake(wake: () => void): void;
  close(): Promise<void>;
}

export type InsertRows = <Name extends keyof Tables>(
  db: Kysely<Tables>,
  table: Name,
  rows: readonly Insertable<Tables[Name]>[],
) => Promise<void>;

export interface DatabaseFacts {
  /** Program and version: `PostgreSQL 15.18, TLS`. */
  about: string;
  /** What may lose data or expose a secret, and how to fix it. */
  risks: { detail: string; mend: string }[];
}
