import { sql, type Kysely, type RawBuilder } from 'kysely';
import type { Tables } from '../schema.ts';

/** The clock of a process, compared with the store's. */
export interface ProcessClock {
  /** Host name and process id; the workers of one command share one. */
  process: string;
  /** The clock is at least this far ahead of the store's, in milliseconds; negative: behind it. */
  offsetMs: number;
}

/** The store's clock, and the recent offsets of processes' clocks from it. */
export interface ClockRows {
  /** Milliseconds since 1970 (UTC). */
  now(): Promise<number>;
  /** The clock of this process, in milliseconds since 1970 (UTC). */
  ownNow(): number;
  /** Records the offset of a process for the others to read; never waits for a standby. */
  record(clock: ProcessClock): Promise<void>;
  /** The offsets that processes recorded in the last `withinMs` milliseconds. */
  recorded(withinMs: number): Promise<ProcessClock[]>;
  /** Removes offsets that were recorded before `at`. */
  deleteBefore(at: number): Promise<void>;
}

/** The clock of a database that may run on another machine. */
export interface DatabaseClock extends Omit<ClockRows, 'now' | 'ownNow'> {
  /** The present time, in a query. */
  time: RawBuilder<number>;
}

/** A store on this machine has the same clock, so there are no offsets to record. */
const OWN_CLOCK: Omit<ClockRows, 'now' | 'ownNow'> = {
  record: async () => undefined,
  recorded: async () => [],
  deleteBefore: async () => undefined,
};

export function clockRows(db: Kysely<Tables>, clock: DatabaseClock | null, ownNow: () => number): ClockRows {
  const { record, recorded, deleteBefore } = clock ?? OWN_CLOCK;
  return { now: () => storeNow(db, clock, ownNow), ownNow, record, recorded, deleteBefore };
}

/** The time by the clock of the database; without one, by that of this process. */
export async function storeNow(
  db: Kysely<Tables>,
  clock: DatabaseClock | null,
  ownNow: () => number,
): Promise<number> {
  if (clock === null) return ownNow();
  const { rows } = await sql<{ now: number }>`select ${clock.time} as now`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new Error('the database does not tell the time');
  return row.now;
}

/** Milliseconds since 1970 (UTC). */
export interface Clocks {
  earlier: number;
  later: number;
}

/**
 * The earlier and the later of two clocks: this process's and the store's. If they differ, either may be
 * right. Use the earlier one to decide that something has ended, and the later one to decide that something
 * has begun in all processes.
 */
export async function bothClocks({ now, ownNow }: Pick<ClockRows, 'now' | 'ownNow'>): Promise<Clocks> {
  const storeMs = await now();
  const ownMs = ownNow();
  return { earlier: Math.min(ownMs, storeMs), later: Math.max(ownMs, storeMs) };
}
