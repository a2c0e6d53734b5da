import type { Kysely } from 'kysely';
import { startOf, type UsageUnit } from '../../domain/usage.ts';
import { metaRows } from './meta.ts';
import type { Tables } from '../schema.ts';

/** How far minutes are summed up into hours, and hours into days. */
export interface UsageProgress {
  /** Hours before this one are complete in the table of hours, and do not change any more. */
  hoursTo: number;
  daysTo: number;
  /** The last client id that is summed up in the current unit; null: none yet. */
  after: string | null;
}

/** Before the first step, the progress begins at the oldest minute. */
export async function readProgress(db: Kysely<Tables>): Promise<UsageProgress> {
  const stored = await storedProgress(db);
  if (stored !== null) return JSON.parse(stored) as UsageProgress;
  const oldest = await oldestRow(db, 'minute', 0);
  return oldest === null ? NOTHING : progressFrom(oldest);
}

export async function storedProgress(db: Kysely<Tables>): Promise<string | null> {
  return await metaRows(db).get('usage_summed_up');
}

export function progressFrom(oldestMinute: number): UsageProgress {
  return { hoursTo: startOf('hour', oldestMinute), daysTo: startOf('day', oldestMinute), after: null };
}

/** The progress of a store without usage: no reader needs a table of finer units. */
const NOTHING: UsageProgress = {
  hoursTo: Number.POSITIVE_INFINITY,
  daysTo: Number.POSITIVE_INFINITY,
  after: null,
};

/** The start of the first unit with usage, at or after `from`; null if none has any. */
export async function oldestRow(db: Kysely<Tables>, unit: UsageUnit, from: number): Promise<number | null> {
  const starts = [];
  for (const table of [`usage_${unit}s`, `refusal_${unit}s`] as const) {
    const query = db.selectFrom(table).select('at').where('at', '>=', from).orderBy('at').limit(1);
    const row = await query.executeTakeFirst();
    if (row !== undefined) starts.push(row.at);
  }
  return starts.length === 0 ? null : Math.min(...starts);
}
