import { sql, type Kysely, type RawBuilder } from 'kysely';
import type { CredentialRefusal } from '../../domain/credential.ts';
import { startOf, startsBetween, UNIT_MS, type UsagePoint, type UsageUnit } from '../../domain/usage.ts';
import type { Connections } from '../connections.ts';
import type { Tables } from '../schema.ts';
import { readProgress } from './usage-progress.ts';
import { ALL_CALLERS, COUNT_WIDTH, padded, TIME_WIDTH, type UseRecords } from './use-records.ts';
import { CREDENTIAL_ID_WIDTH } from './uses.ts';

/** The last assertion that a key or trust rule refused since the last flush. */
export interface CredentialRefusals extends CredentialRefusal {
  credentialId: string;
}

/** Refused requests for one reason. `clientId` is null if no API user has the client id of the request. */
export interface Refusals {
  clientId: string | null;
  organisationId?: string | null;
  reason: string;
  count: number;
}

export interface UsageBatch {
  /** The start of the minute that the batch counts in. */
  minute: number;
  uses: UseRecords | null;
  refusals: readonly Refusals[];
  /** At most one for each credential. */
  credentialRefusals?: readonly CredentialRefusals[];
  /** Also records the last use in the rows of the API users: about 10 µs each. */
  noteLastUse: boolean;
  /** A batch with a name is added only once, even if a process writes it several times. */
  flush?: FlushName;
}

/** A process writes its batches in order: each one only after the store has confirmed the one before. */
export interface FlushName {
  /** Unique to the process; a restart gives it a new one. */
  process: string;
  /** Counts from 1. */
  number: number;
}

export interface UsageRows {
  /**
   * Usage of one API user, of one organisation (by its id), or of all callers together (null), in the units
   * that begin at or after `from` and before `to`, the oldest first. Omits units without usage, and units
   * that are no longer kept.
   */
  series(clientId: string | null, unit: UsageUnit, from: number, to: number): Promise<UsagePoint[]>;
  /**
   * Tokens of each of these API users, by hour, from `from` to `to`. Omits hours without tokens, and API
   * users outside the organisation if there is one.
   */
  recent(
    clientIds: readonly string[],
    from: number,
    to: number,
    organisation?: string | null,
  ): Promise<HourOfTokens[]>;
}

export interface HourOfTokens {
  clientId: string;
  at: number;
  tokens: number;
}

/**
 * The tokens of these organisations in the running hour and day. Leaves out tokens that wait to be written.
 */
export async function quotaUse(
  usage: Pick<UsageRows, 'recent'>,
  organisationIds: readonly string[],
  nowMs: number,
): Promise<Map<string, { hour: number; day: number }>> {
  const use = new Map<string, { hour: number; day: number }>();
  const [hourAt, dayAt] = [startOf('hour', nowMs), startOf('day', nowMs)];
  for (let at = 0; at < organisationIds.length; at += QUOTA_IDS_MAX) {
    const ids = organisationIds.slice(at, at + QUOTA_IDS_MAX);
    for (const row of await usage.recent(ids, dayAt, dayAt + UNIT_MS.day)) {
      const tokens = use.get(row.clientId) ?? { hour: 0, day: 0 };
      tokens.day += row.tokens;
      if (row.at === hourAt) tokens.hour += row.tokens;
      use.set(row.clientId, tokens);
    }
  }
  return use;
}

/** Organisations whose tokens are read in one statement. */
const QUOTA_IDS_MAX = 1000;

// Widths of further fields in the records of `texts`.
const REASON_WIDTH = 30;
const ADDRESS_WIDTH = 45;

/** Adds a batch in one transaction, unless it was added before. */
export async function recordUsage(
  { transaction: inOne, texts }: Connections,
  batch: UsageBatch,
): Promise<void> {
  const { minute, uses, refusals, credentialRefusals = [], noteLastUse, flush } = batch;
  if (uses === null && refusals.length + credentialRefusals.length === 0) return;
  await inOne(async (transaction) => {
    if (flush !== undefined && !(await isNew(transaction, flush))) return;
    if (uses !== null) {
      await addUses(transaction, texts(uses.credentials));
      if (uses.subjects !== null) await setSubjects(transaction, texts(uses.subjects));
      if (uses.tokens !== null) await addTokens(transaction, minute, texts(uses.tokens));
    }
    if (refusals.length > 0) await addRefusals(transaction, minute, texts(refusalRecords(refusals)));
    if (credentialRefusals.length > 0)
      await setCredentialRefusals(transaction, texts(credentialRefusalRecords(credentialRefusals)));
    if (noteLastUse && uses !== null) {
      const clientIds = texts(JSON.stringify(uses.clientIds()));
      await noteUsed(transaction, sql`select value from ${clientIds} as ids`, minute);
    }
  });
}

/** Records the name of a flush. False: an earlier attempt was written, but its answer was lost. */
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
 * Writes the use of a deleted credential, too: a check of each credential would cost more than the write
 * itself. `CredentialRows.sweepUses` removes such uses later.
 */
async function addUses(db: Kysely<Tables>, records: RawBuilder<unknown>): Promise<void> {
  const [at, count, id, address] = fields(TIME_WIDTH, COUNT_WIDTH, CREDENTIAL_ID_WIDTH);
  await sql`
    insert into credential_usage (credential_id, last_used_at, last_used_address, use_count)
    select ${id}, cast(${at} as bigint), ${address}, cast(${count} as bigint) from ${records} as records
    where true
    on conflict (credential_id) do update set
      last_used_at = case when excluded.last_used_at > credential_usage.last_used_at
        then excluded.last_used_at else credential_usage.last_used_at end,
      last_used_address = case when excluded.last_used_at > credential_usage.last_used_at
        then excluded.last_used_address else credential_usage.last_used_address end,
      use_count = credential_usage.use_count + excluded.use_count`.execute(db);
}

/** Sets the subjects of the uses that are the last ones of their credentials. */
async function setSubjects(db: Kysely<Tables>, records: RawBuilder<unknown>): Promise<void> {
  const [at, id, subject] = fields(TIME_WIDTH, CREDENTIAL_ID_WIDTH);
  await sql`
    update credential_usage set last_subject = records.subject
    from (select ${id} as id, cast(${at} as bigint) as at, ${subject} as subject from ${records} as texts) as records
    where credential_usage.credential_id = records.id and credential_usage.last_used_at = records.at`.execute(
    db,
  );
}

/** Leaves out credentials that were deleted since. */
async function setCredentialRefusals(db: Kysely<Tables>, records: RawBuilder<unknown>): Promise<void> {
  const [at, id, reason, address, detail] = fields(
    TIME_WIDTH,
    CREDENTIAL_ID_WIDTH,
    REASON_WIDTH,
    ADDRESS_WIDTH,
  );
  await sql`
    insert into credential_refusals (credential_id, refused_at, reason, address, detail)
    select ${id}, cast(${at} as bigint), rtrim(${reason}), rtrim(${address}), nullif(${detail}, '')
    from ${records} as records
    where exists (select 1 from credentials where credentials.id = ${id}) order by 1
    on conflict (credential_id) do update set refused_at = excluded.refused_at, reason = excluded.reason,
      address = excluded.address, detail = excluded.detail
    where excluded.refused_at >= credential_refusals.refused_at`.execute(db);
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

/** Updates each API user at most once a minute. */
export async function noteUsed(
  db: Kysely<Tables>,
  clientIds: RawBuilder<unknown>,
  minute: number,
): Promise<void> {
  await sql`
    update api_users set last_used_at = ${minute}
    where client_id in (${clientIds}) and (last_used_at is null or last_used_at < ${minute})`.execute(db);
}

function credentialRefusalRecords(refusals: readonly CredentialRefusals[]): string {
  const records = refusals.map(({ credentialId, at, reason, address, detail }) => {
    const where = address.padEnd(ADDRESS_WIDTH).slice(0, ADDRESS_WIDTH);
    return padded(at, TIME_WIDTH) + credentialId + reason.padEnd(REASON_WIDTH) + where + (detail ?? '');
  });
  return JSON.stringify(records);
}

function refusalRecords(refusals: readonly Refusals[]): string {
  const records: string[] = [];
  for (const { clientId, organisationId = null, reason, count } of refusals) {
    const record = padded(count, COUNT_WIDTH) + reason.padEnd(REASON_WIDTH);
    if (clientId !== null) records.push(record + clientId);
    if (organisationId !== null) records.push(record + organisationId);
    records.push(record + ALL_CALLERS);
  }
  return JSON.stringify(records);
}

/** The fields of a record with these widths, then the rest of the record. */
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
    async recent(clientIds, from, to, organisation = null) {
      const hours: HourOfTokens[] = [];
      for (const part of await partsOf(read, 'hour', from, to)) {
        const { rows } = await sql<HourOfTokens>`
          select used.client_id as "clientId", used.at - used.at % ${HOUR} as at,
            cast(sum(used.tokens) as bigint) as tokens
          from ${tokensTable(part.unit)} as used
          where used.at in (select cast(value as bigint) from ${texts(JSON.stringify(part.starts.map(String)))} as starts)
            and used.client_id in (select value from ${texts(JSON.stringify(clientIds))} as ids)
            and (cast(${organisation} as text) is null or used.client_id in
              (select client_id from api_users where organisation_id = ${organisation}))
          group by 1, 2`.execute(read);
        hours.push(...rows);
      }
      return hours;
    },
  };
}

const HOUR = sql.raw(String(UNIT_MS.hour));

/** Units that are complete in one table. */
interface Part {
  unit: UsageUnit;
  starts: readonly number[];
}

/**
 * The tables that have the units from `from` to `to`: usage that is not summed up yet is in finer units.
 * Queries list every start, because the key begins with it: they read one row of each minute, not all rows.
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
