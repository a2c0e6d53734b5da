import {
  sql,
  type AliasedRawBuilder,
  type Expression,
  type ExpressionBuilder,
  type Kysely,
  type RawBuilder,
  type SqlBool,
} from 'kysely';
import type { ChainEnds } from '../../domain/audit-chain.ts';
import { auditEntry, type AuditEntry, type AuditLink, type AuditRecord } from '../../domain/audit-entry.ts';
import type { AuditFilter } from '../../domain/audit-filter.ts';
import { MEMBER_ROLES } from '../../domain/organisation.ts';
import { auditNames } from '../audit-names.ts';
import type { InsertRows } from '../connections.ts';
import { StoreError } from '../store-error.ts';
import type { AuditRow, Tables } from '../schema.ts';

export interface AuditPage {
  /** The last entry of the previous page; null: start with the newest entry. */
  before: Pick<AuditEntry, 'at' | 'n'> | null;
  limit: number;
}

export interface AuditRows {
  head(): Promise<ChainEnds>;
  /** The newest first, by time. If servers' clocks differ, this is not always the order of the chain. */
  list(filter: AuditFilter, page: AuditPage): Promise<AuditEntry[]>;
  /** The entries after entry `n`, in the order of the chain. */
  after(n: number, limit: number, filter?: AuditFilter): Promise<AuditEntry[]>;
  /**
   * Names of the API users, credentials and operators with these ids, of this organisation or of all; see
   * audit-names.ts.
   */
  names(ids: readonly string[], organisation?: string | null): Promise<Map<string, string>>;
  /**
   * Appends entries to the chain. Call it last in the transaction of the change: it locks the end of the
   * chain until the transaction is over.
   */
  append(records: readonly AuditRecord[]): Promise<void>;
  /** Removes up to `limit` of the oldest entries, until one is from `at` or later. Returns how many. */
  deleteBefore(at: number, limit: number): Promise<number>;
}

export function auditRows(db: Kysely<Tables>, insertRows: InsertRows): AuditRows {
  return {
    head: () => ends(db),
    list: async (filter, page) => await listed(db, filter, page).select(ENTRY).execute(),
    async after(n, limit, filter = {}) {
      const matching = entriesOf(db).where((row) => row.and(conditions(row, filter)));
      return await matching.where('audit.n', '>', n).orderBy('audit.n').limit(limit).select(ENTRY).execute();
    },
    names: (ids, organisation = null) => auditNames(db, ids, organisation),
    append: (records) => append(db, insertRows, records),
    deleteBefore: (at, limit) => deleteBefore(db, at, limit),
  };
}

async function ends(db: Kysely<Tables>): Promise<ChainEnds> {
  const entries = db.selectFrom('audit');
  // One statement, so that all values are from the same moment.
  const head = await db
    .selectFrom('audit_head')
    .select(['hash', 'removed_hash'])
    .select([countable('n'), countable('removed_n')])
    .select([
      entries.select(({ fn }) => within(fn.min('n')).as('found')).as('lowest'),
      entries.select(({ fn }) => within(fn.max('n')).as('found')).as('highest'),
    ])
    .where('id', '=', HEAD_ID)
    .executeTakeFirstOrThrow(headIsWrong);
  const { lowest, highest } = head;
  if (![head.n, head.removed_n].every(Number.isSafeInteger)) throw headIsWrong();
  return {
    last: { n: head.n, hash: head.hash },
    removed: { n: head.removed_n, hash: head.removed_hash },
    range: lowest === null || highest === null ? null : { lowest, highest },
  };
}

const HEAD_ID = 1;

const LARGEST = Number.MAX_SAFE_INTEGER;
/** The largest distance of a date from 1970, in milliseconds (ECMA-262, 21.4.1.1). */
const FURTHEST = 8.64e15;

/** Clamps a number to the range of exact integers. Only another program writes numbers beyond it. */
function within(value: Expression<number>, most = LARGEST): RawBuilder<number> {
  const [highest, lowest] = [sql.lit(most), sql.lit(-most)];
  return sql<number>`case when ${value} > ${highest} then ${highest} when ${value} < ${lowest} then ${lowest} else ${value} end`;
}

/** A number that counts entries; null if it is negative or too large to be exact. */
function countable<C extends 'n' | 'removed_n'>(column: C): AliasedRawBuilder<number, C> {
  const value = sql.ref<number>(column);
  return sql<number>`case when ${value} between 0 and ${sql.lit(LARGEST)} then ${value} end`.as(column);
}

const N = within(sql.ref('audit.n')).as('n');
const AT = within(sql.ref('audit.at'), FURTHEST).as('at');

/** The columns of an entry, except its two numbers. */
const TEXTS = {
  actorKind: 'actor_kind',
  actorId: 'actor_id',
  actorName: 'actor_name',
  actorAddress: 'actor_address',
  actorRole: 'actor_role',
  action: 'action',
  outcome: 'outcome',
  subjectKind: 'subject_kind',
  subjectId: 'subject_id',
  relatedKind: 'related_kind',
  relatedId: 'related_id',
  before: 'before',
  after: 'after',
  reason: 'reason',
  organisationId: 'organisation_id',
  hash: 'hash',
} as const satisfies Record<Exclude<keyof AuditEntry, 'n' | 'at'>, keyof AuditRow>;

type Text = keyof typeof TEXTS;
type Aliased = { [text in Text]: `${(typeof TEXTS)[text]} as ${text}` }[Text];

/** All columns of an entry. */
const ENTRY = [N, AT, ...Object.entries(TEXTS).map(([text, column]) => `${column} as ${text}` as Aliased)];

/** SQLite accepts text in a column of numbers. */
function headIsWrong(): StoreError {
  return new StoreError(
    'corrupt',
    'The store does not say where the audit log ends (table audit_head): somebody changed it. Restore the last backup.',
  );
}

/** Each subquery reads one index in the order of the list, and stops when the page is full. */
function listed(db: Kysely<Tables>, filter: AuditFilter, { before, limit }: AuditPage) {
  const { subject, ...others } = filter;
  const page = (rows: ReturnType<typeof entriesOf>) => {
    const from = before === null ? rows : rows.where((row) => comesAfter(row, before));
    return from.orderBy('audit.at', 'desc').orderBy('audit.n', 'desc').limit(limit);
  };
  const matching = () => entriesOf(db).where((row) => row.and(conditions(row, others)));
  if (!isGiven(subject)) return page(matching());
  const of = (column: 'subject_id' | 'related_id') =>
    db
      .selectFrom(
        page(matching().where(column, '=', subject))
          .select('n')
          .as(column),
      )
      .select('n');
  return page(entriesOf(db).where('n', 'in', of('subject_id').unionAll(of('related_id'))));
}

/** Selects the entries after this one in the list. At the lower bound, it compares clamped numbers. */
function comesAfter(
  { eb, refTuple, tuple }: ExpressionBuilder<Tables, 'audit'>,
  { at, n }: NonNullable<AuditPage['before']>,
): Expression<SqlBool> {
  const isLowest = at <= -FURTHEST || n <= -LARGEST;
  const position = isLowest
    ? tuple(within(sql.ref('audit.at'), FURTHEST), within(sql.ref('audit.n')))
    : refTuple('audit.at', 'audit.n');
  return eb(position, '<', tuple(at, n));
}

function entriesOf(db: Kysely<Tables>) {
  return db.selectFrom('audit');
}

function conditions(
  { eb, or, and, not }: ExpressionBuilder<Tables, 'audit'>,
  { actor, byMembers, action, subject, organisation, outcome, from, to }: AuditFilter,
): Expression<SqlBool>[] {
  const all: Expression<SqlBool>[] = [];
  if (isGiven(actor)) all.push(eb('actor_id', '=', actor));
  if (isGiven(byMembers)) {
    const role = sql<string>`coalesce(${eb.ref('actor_role')}, '')`;
    const isMember = and([eb('actor_kind', '=', 'member'), eb(role, 'in', MEMBER_ROLES)]);
    all.push(byMembers ? isMember : not(isMember));
  }
  if (isGiven(organisation)) all.push(eb('organisation_id', '=', organisation));
  if (isGiven(action)) all.push(eb('action', '=', action));
  // A literal: the databases do not use the partial index of refused entries for a parameter.
  if (isGiven(outcome)) all.push(eb('outcome', '=', sql.lit(outcome)));
  if (isGiven(from)) all.push(eb('at', '>=', from));
  if (isGiven(to)) all.push(eb('at', '<', to));
  if (isGiven(subject)) all.push(or([eb('subject_id', '=', subject), eb('related_id', '=', subject)]));
  return all;
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}

async function append(
  db: Kysely<Tables>,
  insertRows: InsertRows,
  records: readonly AuditRecord[],
): Promise<void> {
  if (records.length === 0) return;
  // The update comes first: it locks the row, so no other transaction can move the end of the chain.
  let last: AuditLink = await db
    .updateTable('audit_head')
    .set({ n: sql<number>`n + ${records.length}` })
    .where('id', '=', HEAD_ID)
    .returning([sql<number>`n - ${records.length}`.as('n'), 'hash'])
    .executeTakeFirstOrThrow(headIsWrong);
  const rows: AuditRow[] = [];
  for (const record of records) {
    const entry = auditEntry(record, last);
    rows.push(toRow(entry));
    last = entry;
  }
  await insertRows(db, 'audit', rows);
  await db.updateTable('audit_head').set({ hash: last.hash }).execute();
}

async function deleteBefore(db: Kysely<Tables>, at: number, limit: number): Promise<number> {
  const head = db.selectFrom('audit_head');
  // Entries that another program wrote before the start of the chain or after its end stay, as evidence.
  const oldest = await entriesOf(db)
    .select([N, AT, 'hash'])
    .where('audit.n', '>', head.select('removed_n'))
    .where('audit.n', '<=', head.select('audit_head.n'))
    .orderBy('audit.n')
    .limit(limit)
    .execute();
  // Stops at the first entry to keep: the rest stays a whole chain, even if servers' clocks differ.
  const stays = oldest.findIndex((entry) => entry.at >= at);
  const old = stays === -1 ? oldest : oldest.slice(0, stays);
  // SQLite accepts a fraction in a column of integers.
  const lastAt = old.findLastIndex(({ n }) => Number.isSafeInteger(n));
  const last = old[lastAt];
  if (last === undefined) return 0;
  await db.deleteFrom('audit').where('n', '>', head.select('removed_n')).where('n', '<=', last.n).execute();
  await db.updateTable('audit_head').set({ removed_n: last.n, removed_hash: last.hash }).execute();
  return lastAt + 1;
}

function toRow(entry: AuditEntry): AuditRow {
  const texts = Object.entries(TEXTS).map(([text, column]) => [column, entry[text as Text]]);
  return { n: entry.n, at: entry.at, ...Object.fromEntries(texts) } as AuditRow;
}
