import type { Kysely, RawBuilder } from 'kysely';
import type { Tables } from './schema.ts';
import type { DatabaseClock } from './tables/clock.ts';

/** What a database brings: the only part of the store that is written once for each. */
export interface Connections {
  read: Kysely<Tables>;
  /** For the reads that keep a process in step: small ones, that nothing else may hold up. */
  follow: Kysely<Tables>;
  /** For API users that are read into memory: as small, but as many at a time as callers come. */
  lookUp: Kysely<Tables>;
  /** For single statements; what belongs together goes through `transaction`. */
  write: Kysely<Tables>;
  /**
   * All of `work` or nothing, and one at a time, of all processes: what was read in it holds until it is over. May do
   * `work` again where a deadlock ended it. `announce`: every process that follows the store is to be woken when it is committed.
   */
  transaction<T>(work: (db: Kysely<Tables>, announce: () => void) => Promise<T>): Promise<T>;
  /** Work that may take as long as it takes, such as a migration; or each of its statements `withinMs` milliseconds. */
  unhurried<T>(work: (db: Kysely<Tables>) => Promise<T>, withinMs?: number): Promise<T>;
  /**
   * The texts of a JSON array as what a query reads from, with the one column `value`: one parameter for any number of
   * rows. Records are texts with fields of fixed width, which `substr` takes apart at a third of the cost of JSON.
   */
  texts(json: string): RawBuilder<unknown>;
  /** Everything that is read in it is of one moment, however long it takes and whatever others write meanwhile. */
  snapshot<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T>;
  /** Null: the database is on this machine, and has its clock. */
  clock: DatabaseClock | null;
  /** The names of all tables that are there, others' too. */
  tables(): Promise<string[]>;
  /** What a check of the whole database found wrong; null where it is sound. */
  damage(): Promise<string | null>;
  facts(): Promise<DatabaseFacts>;
  /** For how long the oldest commit has been waiting for a synchronous standby, in milliseconds; 0: none waits. */
  standbyWaitMs(): Promise<number>;
  /** `wake` is called soon after another process has committed something, as a hint: the poll is the truth. */
  onWake(wake: () => void): void;
  close(): Promise<void>;
}

export interface DatabaseFacts {
  /** Program and version: `PostgreSQL 15.18, TLS`. */
  about: string;
  /** What may cost somebody what was written, or a secret; and what to do about it. */
  risks: { detail: string; mend: string }[];
}
