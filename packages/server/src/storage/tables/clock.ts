import { sql, type Kysely, type RawBuilder } from 'kysely';
import type { Tables } from '../schema.ts';

/** The clock of a process, compared with the store's. */
export interface ProcessClock {
  /** Host name and process id; the workers of one command share one. */
  process: string;
  /** How far it is ahead of the store's clock, at least, in milliseconds; negative: behind it. */
  offsetMs: number;
}

/** The store's clock, and how far the clocks of processes were from it lately. */
export interface ClockRows {
  /** Milliseconds since 1970 (UTC). */
  now(): Promise<number>;
  /** Records the offset of a process for the others to read; never waits for a standby. */
  record(clock: ProcessClock): Promise<void>;
  /** The offsets that were recorded within the last `withinMs` milliseconds. */
  recorded(withinMs: number): Promise<ProcessClock[]>;
  /** Removes what was recorded before `at`. */
  deleteBefore(at: number): Promise<void>;
}

/** What a database brings whose clock may differ from that of this machine. */
export interface DatabaseClock extends Omit<ClockRows, 'now'> {
  /** The present time, in a query. */
  time: RawBuilder<number>;
}

/** A store on this machine: there is no other clock to compare with. */
const OWN_CLOCK: Omit<ClockRows, 'now'> = {
  record: async () => undefined,
  recorded: async () => [],
  deleteBefore: async () => undefined,
};

export function clockRows(db: Kysely<Tables>, clock: DatabaseClock | null): ClockRows {
  const { record, recorded, deleteBefore } = clock ?? OWN_CLOCK;
  return { now: () => storeNow(db, clock), record, recorded, deleteBefore };
}

export async function storeNow(db: Kysely<Tables>, clock: DatabaseClock | null): Promise<number> {
  if (clock === null) return Date.now();
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
 * The clock of this process and the store's, whichever is behind and ahead. Where they differ it is not known which is
 * right: what ends has ended by the earlier one, what begins for everybody has begun by the later one.
 */
export async function bothClocks({ now }: Pick<ClockRows, 'now'>): Promise<Clocks> {
  const storeMs = await now();
  const ownMs = Date.now();
  return { earlier: Math.min(ownMs, storeMs), later: Math.max(ownMs, storeMs) };
}
