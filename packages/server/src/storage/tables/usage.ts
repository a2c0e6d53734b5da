import { sql, type Kysely, type RawBuilder } from 'kysely';
import { startsBetween, UNIT_MS, type UsagePoint, type UsageUnit } from '../../domain/usage.ts';
import type { Connections } from '../connections.ts';
import type { Tables } from '../schema.ts';
import { readProgress } from './usage-progress.ts';

/** The use of one credential since such uses were last written. */
export interface Use {
  credentialId: string;
  lastUsedAt: number;
  lastUsedAddress: string;
  /** All requests that it authenticated, and of these the ones that got a token. */
  count: number;
  tokens: number;
  of: { clientId: string };
}

/** Requests that were refused for one reason; of an API user that is not known, the client id is null. */
export interface Refusals {
  clientId: string | null;
  reason: string;
  count: number;
}

export interface UsageBatch {
  /** The start of the minute in which it happened. */
  minute: number;
  uses: readonly Use[];
  refusals: readonly Refusals[];
  /** Also notes with the API users themselves when they were last used: about 10 µs each. */
  noteLastUse: boolean;
  /** A batch with a name is added once, however often it is written. */
  flush?: FlushName;
}

/** A process writes its batches one after the other: the next one only when it is known that this one was written. */
export interface FlushName {
  /** No other process has it, nor the same one after a restart. */
  process: string;
  /** From 1 on. */
  number: number;
}

export interface UsageRows {
  /**
   * What one API user did, or all callers together (null), in the units that begin from `from` up to, and not at, `to`; the
   * oldest first, without those in which nothing happened. Units that are kept no longer are missing too.
   */
  series(clientId: string | null, unit: UsageUnit, from: number, to: number): Promise<UsagePoint[]>;
  /** Tokens of each of these API users in the hours from `from` on; without those without any. */
  recent(clientIds: readonly string[], from: number, to: number): Promise<HourOfTokens[]>;
}

export interface HourOfTokens {
  clientId: string;
  at: number;
  tokens: number;
}

/** Stands for all callers together. */
export const ALL_CALLERS = '';

// The records of `texts`: widths of their fields. Numbers are padded on the left, which a cast passes over.
const COUNT_WIDTH = 10;
const TIME_WIDTH = 13; // milliseconds until the year 2286
const CREDENTIAL_ID_WIDTH = 10;
const REASON_WIDTH = 30;

/** Adds a batch in one transaction, unless it was added before; a credential may be in it more than once. */
export async function recordUsage(
  { transaction: inOne, texts }: Connections,
  batch: UsageBatch,
): Promise<void> {
  const { minute, uses, refusals, noteLastUse, flush } = batch;
  if (uses.length === 0 && refusals.length === 0) return;
  await inOne(async (transaction) => {
    if (flush !== undefined && !(await isNew(transaction, flush))) return;
    if (uses.length > 0) await addUses(transaction, texts(credentialRecords(uses)));
    const tokens = tokenRecords(uses);
    if (tokens !== null) await addTokens(transaction, minute, texts(tokens));
    if (refusals.length > 0) await addRefusals(transaction, minute, texts(refusalRecords(refusals)));
    if (noteLastUse && uses.length > 0) {
      const clientIds = Array.from(new Set(uses.map((use) => use.of.clientId)));
      await noteUsed(transaction, sql`select value from ${texts(JSON.stringify(clientIds))} as ids`, minute);
    }
  });
}

/** Takes the name of a flush. False: it was written before, and the answer was lost. */
async function isNew(db: Kysely<Tables>, { process, number: flush }: FlushName): Promise<boolean> {
  const row = { process, flush, at: Date.now() };
  const taken = await db
    .insertInto('usage_flushes')
    .values(row)
    .onConflict((conflict) =>
      conflict.column('process').doUpdateSet(row).where('usage_flushes.flush', '<', flush),
    )
    .returning('flush')
    .executeTakeFirst();
  return taken !== undefined;
}

/**
 * One that was deleted meanwhile is written all the same: to look for each would cost more than the write itself. It is swept
 * out later (CredentialRows.sweepUses).
 */
async function addUses(db: Kysely<Tables>, records: RawBuilder<unknown>): Promise<void> {
  const [at, count, id, address] = fields(TIME_WIDTH, COUNT_WIDTH, CREDENTIAL_ID_WIDTH);
  await sql`
    insert into credential_usage (credential_id, last_used_at, last_used_address, use_count)
    select ${id}, cast(${at} as bigint), ${address}, cast(${count} as bigint) from ${records} as records
    where true order by 1
    on conflict (credential_id) do update set
      last_used_at = case when excluded.last_used_at > credential_usage.last_used_at
        then excluded.last_used_at else credential_usage.last_used_at end,
      last_used_address = case when excluded.last_used_at > credential_usage.last_used_at
        then excluded.last_used_address else credential_usage.last_used_address end,
      use_count = credential_usage.use_count + excluded.use_count`.execute(db);
}

async function addTokens(db: Kysely<Tables>, minute: number, records: RawBuilder<unknown>): Promise<void> {
  const [count, clientId] = fields(COUNT_WIDTH);
  await sql`
    insert into usage_minutes (at, client_id, tokens)
    select cast(${minute} as bigint), ${clientId}, cast(sum(cast(${count} as bigint)) as bigint) from ${records} as records
    where true group by 2 order by 2
    on conflict (at, client_id) do update set tokens = usage_minutes.tokens + excluded.tokens`.execute(db);
}

async function addRefusals(db: Kysely<Tables>, minute: number, records: RawBuilder<unknown>): Promise<void> {
  const [count, reason, clientId] = fields(COUNT_WIDTH, REASON_WIDTH);
  await sql`
    insert into refusal_minutes (at, client_id, reason, refusals)
    select cast(${minute} as bigint), ${clientId}, rtrim(${reason}), cast(sum(cast(${count} as bigint)) as bigint)
    from ${records} as records
    where true group by 2, 3 order by 2, 3
    on conflict (at, client_id, reason)
    do update set refusals = refusal_minutes.refusals + excluded.refusals`.execute(db);
}

/** Not more than once a minute each, however often they are used. */
export async function noteUsed(
  db: Kysely<Tables>,
  clientIds: RawBuilder<unknown>,
  minute: number,
): Promise<void> {
  await sql`
    update api_users set last_used_at = ${minute}
    where client_id in (${clientIds}) and (last_used_at is null or last_used_at < ${minute})`.execute(db);
}

/** One for each credential: PostgreSQL takes no row twice in one statement. */
function credentialRecords(uses: readonly Use[]): string {
  const byId = new Map<string, Use>();
  for (const use of uses) {
    const other = byId.get(use.credentialId);
    if (other === undefined) byId.set(use.credentialId, use);
    else {
      const later = use.lastUsedAt > other.lastUsedAt ? use : other;
      byId.set(use.credentialId, { ...later, count: use.count + other.count });
    }
  }
  const records: string[] = [];
  for (const { credentialId, lastUsedAt, lastUsedAddress, count } of byId.values()) {
    records.push(
      padded(lastUsedAt, TIME_WIDTH) + padded(count, COUNT_WIDTH) + credentialId + lastUsedAddress,
    );
  }
  return JSON.stringify(records);
}

/** With one for all together; null where there are no tokens. */
function tokenRecords(uses: readonly Use[]): string | null {
  const records: string[] = [];
  let all = 0;
  for (const { tokens, of } of uses) {
    if (tokens === 0) continue;
    records.push(padded(tokens, COUNT_WIDTH) + of.clientId);
    all += tokens;
  }
  if (all === 0) return null;
  records.push(padded(all, COUNT_WIDTH) + ALL_CALLERS);
  return JSON.stringify(records);
}

function refusalRecords(refusals: readonly Refusals[]): string {
  const records: string[] = [];
  for (const { clientId, reason, count } of refusals) {
    const record = padded(count, COUNT_WIDTH) + reason.padEnd(REASON_WIDTH);
    if (clientId !== null) records.push(record + clientId);
    records.push(record + ALL_CALLERS);
  }
  return JSON.stringify(records);
}

function padded(number: number, width: number): string {
  return String(number).padStart(width);
}

/** The fields of a record that have these widths, and what is left of it. */
function fields(...widths: readonly number[]): RawBuilder<unknown>[] {
  let from = 1;
  const cut = widths.map((width) => {
    const field = sql.raw(`substr(value, ${from}, ${width})`);
    from += width;
    return field;
  });
  return [...cut, sql.raw(`substr(value, ${from})`)];
}

export function usageRows({ read, texts }: Pick<Connections, 'read' | 'texts'>): UsageRows {
  return {
    async series(clientId, unit, from, to) {
      const points = new Map<number, { tokens: number; refusals: Record<string, number> }>();
      const pointAt = (at: number) => {
        const start = at - (at % UNIT_MS[unit]);
        const point = points.get(start) ?? { tokens: 0, refusals: {} };
        points.set(start, point);
        return point;
      };
      for (const part of await partsOf(read, unit, from, to)) {
        const of = clientId ?? ALL_CALLERS;
        for (const row of await tokensIn(read, texts, part, of)) pointAt(row.at).tokens += row.tokens;
        for (const row of await refusalsIn(read, texts, part, of)) {
          const { refusals } = pointAt(row.at);
          refusals[row.reason] = (refusals[row.reason] ?? 0) + row.refusals;
        }
      }
      return Array.from(points, ([at, point]) => ({ at, ...point })).sort((a, b) => a.at - b.at);
    },
    async recent(clientIds, from, to) {
      const hours: HourOfTokens[] = [];
      for (const part of await partsOf(read, 'hour', from, to)) {
        const { rows } = await sql<HourOfTokens>`
          select used.client_id as "clientId", used.at - used.at % ${HOUR} as at,
            cast(sum(used.tokens) as bigint) as tokens
          from ${tokensTable(part.unit)} as used
          where used.at in (select cast(value as bigint) from ${texts(JSON.stringify(part.starts.map(String)))} as starts)
            and used.client_id in (select value from ${texts(JSON.stringify(clientIds))} as ids)
          group by 1, 2`.execute(read);
        hours.push(...rows);
      }
      return hours;
    },
  };
}

const HOUR = sql.raw(String(UNIT_MS.hour));

/** Units that are whole in the table of their unit. */
interface Part {
  unit: UsageUnit;
  starts: readonly number[];
}

/**
 * Where the units from `from` to `to` are: what is not summed up yet is read from the finer units. The starts are named one
 * by one, because the key begins with them: of each minute one row is read, and not the minute.
 */
async function partsOf(read: Kysely<Tables>, unit: UsageUnit, from: number, to: number): Promise<Part[]> {
  const { hoursTo, daysTo } = await readProgress(read);
  [from, to] = [from, to].map((time) => Math.ceil(time / UNIT_MS[unit]) * UNIT_MS[unit]) as [number, number];
  const bounds: Record<UsageUnit, readonly [number, number]> = {
    day: [from, Math.min(to, daysTo)],
    hour: unit === 'hour' ? [from, Math.min(to, hoursTo)] : [Math.max(from, daysTo), Math.min(to, hoursTo)],
    minute: unit === 'minute' ? [from, to] : [Math.max(from, hoursTo), to],
  };
  const units: Record<UsageUnit, readonly UsageUnit[]> = {
    minute: ['minute'],
    hour: ['hour', 'minute'],
    day: ['day', 'hour', 'minute'],
  };
  return units[unit]
    .map((each) => ({ unit: each, starts: startsBetween(each, ...bounds[each]) }))
    .filter((part) => part.starts.length > 0);
}

async function tokensIn(
  read: Kysely<Tables>,
  texts: Connections['texts'],
  { unit, starts }: Part,
  clientId: string,
): Promise<{ at: number; tokens: number }[]> {
  const { rows } = await sql<{ at: number; tokens: number }>`
    select used.at, used.tokens from ${texts(JSON.stringify(starts.map(String)))} as start
    join ${tokensTable(unit)} as used
      on used.at = cast(start.value as bigint) and used.client_id = ${clientId}`.execute(read);
  return rows;
}

async function refusalsIn(
  read: Kysely<Tables>,
  texts: Connections['texts'],
  { unit, starts }: Part,
  clientId: string,
): Promise<{ at: number; reason: string; refusals: number }[]> {
  const { rows } = await sql<{ at: number; reason: string; refusals: number }>`
    select refused.at, refused.reason, refused.refusals
    from ${texts(JSON.stringify(starts.map(String)))} as start
    join ${refusalsTable(unit)} as refused
      on refused.at = cast(start.value as bigint) and refused.client_id = ${clientId}`.execute(read);
  return rows;
}

export function tokensTable(unit: UsageUnit): RawBuilder<unknown> {
  return sql.raw(`usage_${unit}s`);
}

export function refusalsTable(unit: UsageUnit): RawBuilder<unknown> {
  return sql.raw(`refusal_${unit}s`);
}
