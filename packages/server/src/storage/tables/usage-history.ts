import { sql, type Kysely, type RawBuilder } from 'kysely';
import { startOf, startsBetween, UNIT_MS, type UsageUnit } from '../../domain/usage.ts';
import { metaRows } from './meta.ts';
import type { Tables } from '../schema.ts';
import type { Connections } from '../connections.ts';
import { oldestRow, progressFrom, storedProgress, type UsageProgress } from './usage-progress.ts';
import { noteUsed, refusalsTable, tokensTable } from './usage.ts';

/** How long each unit is kept, in milliseconds. Usage that is not summed up yet is kept for longer. */
export type UsageKept = Readonly<Record<UsageUnit, number>>;

export interface UsageHistory {
  /** One step of summing up minutes into hours and hours into days; true if another step may be due. */
  sumUp(nowMs: number): Promise<boolean>;
  /** Removes some of the usage that is too old, and old names of flushes; true if there is more. */
  removeOld(nowMs: number, kept: UsageKept): Promise<boolean>;
}

/**
 * An hour is summed up this long after its end. If the store was unreachable, usage is written late, but
 * in a minute of the last `LATE_MS_MAX` (runtime/usage/recorder.ts). That is less than this, so an hour does
 * not change after it is summed up.
 */
export const SETTLED_MS: number = 10 * UNIT_MS.minute;
/** After an outage, a process may repeat its last flush: its number is kept for longer than an outage. */
const FLUSHES_KEPT_MS = 7 * UNIT_MS.day;
/** Rows that a step reads or a removal deletes: some milliseconds, then other writers get their turn. */
const STEP_ROWS = 10_000;
const REMOVED_ROWS = 5000;
/** The most finer units in a coarser one: an hour has 60 minutes. */
const STARTS_MAX = 60;

type Coarse = 'hour' | 'day';
const FINER: Readonly<Record<Coarse, UsageUnit>> = { hour: 'minute', day: 'hour' };

export function usageHistory({ transaction: inOne, texts }: Connections): UsageHistory {
  async function step(db: Kysely<Tables>, nowMs: number): Promise<boolean> {
    const stored = await storedProgress(db);
    if (stored === null) return await begin(db);
    const progress = JSON.parse(stored) as UsageProgress;
    const unit = due(progress, nowMs);
    if (unit === null) return false;
    if (progress.after === null) {
      const skipped = await withoutEmpty(db, progress, unit, nowMs);
      if (skipped !== null) return await advance(db, stored, skipped);
    }
    const at = unit === 'day' ? progress.daysTo : progress.hoursTo;
    const starts = texts(JSON.stringify(startsBetween(FINER[unit], at, at + UNIT_MS[unit]).map(String)));
    const upTo = await sliceEnd(db, FINER[unit], starts, progress.after);
    const next = upTo === null ? { ...over(progress, unit), after: null } : { ...progress, after: upTo };
    // The progress changes first: if two processes do the same step, one of them stops here.
    if (!(await advance(db, stored, next))) return false;
    const range = sql`client_id ${afterward(progress.after)}
      ${upTo === null ? sql`` : sql`and client_id <= ${upTo}`}`;
    await sum(db, unit, { at, starts, range });
    if (unit === 'hour') {
      const used = sql`select client_id from usage_hours where at = ${at} and ${range}`;
      await noteUsed(db, used, at);
    }
    return true;
  }

  return {
    sumUp: (nowMs) => inOne((transaction) => step(transaction, nowMs)),
    removeOld: (nowMs, kept) => inOne((transaction) => removeOld(transaction, nowMs, kept)),
  };
}

async function begin(db: Kysely<Tables>): Promise<boolean> {
  const oldest = await oldestRow(db, 'minute', 0);
  if (oldest === null) return false;
  await metaRows(db).set('usage_summed_up', JSON.stringify(progressFrom(oldest)));
  return true;
}

/** False if another process was first. */
async function advance(db: Kysely<Tables>, from: string, to: UsageProgress): Promise<boolean> {
  return await metaRows(db).replace('usage_summed_up', from, JSON.stringify(to));
}

function due({ hoursTo, daysTo }: UsageProgress, nowMs: number): Coarse | null {
  if (daysTo + UNIT_MS.day <= hoursTo) return 'day';
  return hoursTo + UNIT_MS.hour + SETTLED_MS <= nowMs ? 'hour' : null;
}

function over(progress: UsageProgress, unit: Coarse): UsageProgress {
  return unit === 'day'
    ? { ...progress, daysTo: progress.daysTo + UNIT_MS.day }
    : { ...progress, hoursTo: progress.hoursTo + UNIT_MS.hour };
}

/** The progress after the next units if they have no usage; null if the next unit has some. */
async function withoutEmpty(
  db: Kysely<Tables>,
  progress: UsageProgress,
  unit: Coarse,
  nowMs: number,
): Promise<UsageProgress | null> {
  const from = unit === 'day' ? progress.daysTo : progress.hoursTo;
  const settled = unit === 'day' ? progress.hoursTo : nowMs - SETTLED_MS;
  const oldest = (await oldestRow(db, FINER[unit], from)) ?? Number.POSITIVE_INFINITY;
  const to = startOf(unit, Math.min(oldest, settled));
  if (to <= from) return null;
  return unit === 'day' ? { ...progress, daysTo: to } : { ...progress, hoursTo: to };
}

/** The last client id of a step that reads about `STEP_ROWS` rows; null if the step completes the unit. */
async function sliceEnd(
  db: Kysely<Tables>,
  finer: UsageUnit,
  starts: RawBuilder<unknown>,
  after: string | null,
): Promise<string | null> {
  const each = Math.floor(STEP_ROWS / STARTS_MAX);
  const endIn = (table: RawBuilder<unknown>) => sql`
    select (select client_id from ${table} where at = cast(start.value as bigint) and client_id ${afterward(after)}
      order by client_id limit 1 offset ${each}) as client_id from ${starts} as start`;
  const { rows } = await sql<{ end: string | null }>`
    select min(client_id) as "end" from
      (${endIn(tokensTable(finer))} union all ${endIn(refusalsTable(finer))}) as ends`.execute(db);
  return rows[0]?.end ?? null;
}

/** From the start, the range includes the empty client id, which stands for all callers together. */
function afterward(after: string | null): RawBuilder<unknown> {
  return after === null ? sql`>= ''` : sql`> ${after}`;
}

async function sum(
  db: Kysely<Tables>,
  unit: Coarse,
  { at, starts, range }: { at: number; starts: RawBuilder<unknown>; range: RawBuilder<unknown> },
): Promise<void> {
  const finer = FINER[unit];
  await sql`
    insert into ${tokensTable(unit)} (at, client_id, tokens)
    select cast(${at} as bigint), client_id, cast(sum(tokens) as bigint)
    from ${starts} as start join ${tokensTable(finer)} as used on used.at = cast(start.value as bigint)
    where ${range} group by client_id order by client_id
    on conflict (at, client_id) do update set tokens = excluded.tokens`.execute(db);
  await sql`
    insert into ${refusalsTable(unit)} (at, client_id, reason, refusals)
    select cast(${at} as bigint), client_id, reason, cast(sum(refusals) as bigint)
    from ${starts} as start join ${refusalsTable(finer)} as refused on refused.at = cast(start.value as bigint)
    where ${range} group by client_id, reason order by client_id, reason
    on conflict (at, client_id, reason) do update set refusals = excluded.refusals`.execute(db);
}

async function removeOld(db: Kysely<Tables>, nowMs: number, kept: UsageKept): Promise<boolean> {
  const stored = await storedProgress(db);
  if (stored === null) return false;
  const { hoursTo, daysTo } = JSON.parse(stored) as UsageProgress;
  const keptFrom: Record<UsageUnit, number> = {
    minute: Math.min(hoursTo, nowMs - kept.minute),
    hour: Math.min(daysTo, nowMs - kept.hour),
    day: nowMs - kept.day,
  };
  let more = false;
  await db
    .deleteFrom('usage_flushes')
    .where('at', '<', nowMs - FLUSHES_KEPT_MS)
    .execute();
  for (const unit of ['minute', 'hour', 'day'] as const) {
    for (const table of [tokensTable(unit), refusalsTable(unit)]) {
      if (await removeSome(db, table, keptFrom[unit])) more = true;
    }
  }
  return more;
}

/** Removes rows in the order of the key, so that they lie together. */
async function removeSome(
  db: Kysely<Tables>,
  table: RawBuilder<unknown>,
  keptFrom: number,
): Promise<boolean> {
  const { rows } = await sql<{ at: number; client_id: string }>`
    select at, client_id from ${table} where at < ${keptFrom}
    order by at, client_id limit 1 offset ${REMOVED_ROWS}`.execute(db);
  const [end] = rows;
  const which =
    end === undefined ? sql`at < ${keptFrom}` : sql`(at, client_id) <= (${end.at}, ${end.client_id})`;
  await sql`delete from ${table} where ${which}`.execute(db);
  return end !== undefined;
}
