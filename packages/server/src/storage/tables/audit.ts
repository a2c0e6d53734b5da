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
import { auditNames } from '../audit-names.ts';
import { StoreError } from '../store-error.ts';
import type { AuditRow, Tables } from '../schema.ts';

export interface AuditPage {
  /** The last entry of the page before; null: from the newest on. */
  before: Pick<AuditEntry, 'at' | 'n'> | null;
  limit: number;
}

export interface AuditRows {
  head(): Promise<ChainEnds>;
  /** The newest first: by time, which the clocks of several servers may set in another order than that of the chain. */
  list(filter: AuditFilter, page: AuditPage): Promise<AuditEntry[]>;
  /** In the order of the chain, from after entry `n` on. */
  after(n: number, limit: number, filter?: AuditFilter): Promise<AuditEntry[]>;
  /** Names of what entries are about, by id; see audit-names.ts. */
  names(ids: readonly string[]): Promise<Map<string, string>>;
  /** Adds to the end of the chain: call it last in the transaction of the change itself, because it holds the end until then. */
  append(records: readonly AuditRecord[]): Promise<void>;
  /** Removes up to `limit` of the oldest entries, as long as they are from before `at`; gives back how many. */
  deleteBefore(at: number, limit: number): Promise<number>;
}

export function auditRows(db: Kysely<Tables>): AuditRows {
  return {
    head: () => ends(db),
    list: async (filter, page) => await listed(db, filter, page).select(ENTRY).execute(),
    async after(n, limit, filter = {}) {
      const matching = entriesOf(db).where((row) => row.and(conditions(row, filter)));
      return await matching.where('audit.n', '>', n).orderBy('audit.n').limit(limit).select(ENTRY).execute();
    },
    names: (ids) => auditNames(db, ids),
    append: (records) => append(db, records),
    deleteBefore: (at, limit) => deleteBefore(db, at, limit),
  };
}

async function ends(db: Kysely<Tables>): Promise<ChainEnds> {
  const entries = db.selectFrom('audit');
  // In one statement, so that all of it is of the same moment.
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
    found: lowest === null || highest === null ? null : { lowest, highest },
  };
}

const HEAD_ID = 1;

const LARGEST = Number.MAX_SAFE_INTEGER;
/** The time that is furthest from 1970 and has a date, in milliseconds (ECMA-262, 21.4.1.1). */
const FURTHEST = 8.64e15;

/** A number beyond what this program counts to, which only somebody else writes, as the last one that it knows. */
function within(value: Expression<number>, most = LARGEST): RawBuilder<number> {
  const [highest, lowest] = [sql.lit(most), sql.lit(-most)];
  return sql<number>`case when ${value} > ${highest} then ${highest} when ${value} < ${lowest} then ${lowest} else ${value} end`;
}

/** The same of a number that counts entries, as null. */
function countable<C extends 'n' | 'removed_n'>(column: C): AliasedRawBuilder<number, C> {
  const value = sql.ref<number>(column);
  return sql<number>`case when ${value} between 0 and ${sql.lit(LARGEST)} then ${value} end`.as(column);
}

const N = within(sql.ref('audit.n')).as('n');
const AT = within(sql.ref('audit.at'), FURTHEST).as('at');

/** Where everything of an entry but its numbers is stored. */
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
  hash: 'hash',
} as const satisfies Record<Exclude<keyof AuditEntry, 'n' | 'at'>, keyof AuditRow>;

type Text = keyof typeof TEXTS;
type Aliased = { [text in Text]: `${(typeof TEXTS)[text]} as ${text}` }[Text];

/** All of an entry. */
const ENTRY = [N, AT, ...Object.entries(TEXTS).map(([text, column]) => `${column} as ${text}` as Aliased)];

/** SQLite lets anybody write a text where a number belongs. */
function headIsWrong(): StoreError {
  return new StoreError(
    'corrupt',
    'The store does not say where the audit log ends (table audit_head): somebody changed it. Restore the last backup.',
  );
}

/** Each part is read off one index, in the order of the list, and ends with the page. */
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

/** In the list. The last of the page before may lie below the lowest numbers that are told apart: by those, then. */
function comesAfter(
  { eb, refTuple, tuple }: ExpressionBuilder<Tables, 'audit'>,
  { at, n }: NonNullable<AuditPage['before']>,
): Expression<SqlBool> {
  const isLowest = at <= -FURTHEST || n <= -LARGEST;
  const place = isLowest
    ? tuple(within(sql.ref('audit.at'), FURTHEST), within(sql.ref('audit.n')))
    : refTuple('audit.at', 'audit.n');
  return eb(place, '<', tuple(at, n));
}

function entriesOf(db: Kysely<Tables>) {
  return db.selectFrom('audit');
}

function conditions(
  { eb, or }: ExpressionBuilder<Tables, 'audit'>,
  { actor, action, subject, outcome, from, to }: AuditFilter,
): Expression<SqlBool>[] {
  const all: Expression<SqlBool>[] = [];
  if (isGiven(actor)) all.push(eb('actor_id', '=', actor));
  if (isGiven(action)) all.push(eb('action', '=', action));
  // Written out, because the index of those that were refused is used for no parameter.
  if (isGiven(outcome)) all.push(eb('outcome', '=', sql.lit(outcome)));
  if (isGiven(from)) all.push(eb('at', '>=', from));
  if (isGiven(to)) all.push(eb('at', '<', to));
  if (isGiven(subject)) all.push(or([eb('subject_id', '=', subject), eb('related_id', '=', subject)]));
  return all;
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}

/** Rows of one statement: SQLite takes 32,766 parameters in one, PostgreSQL 65,535. */
const ROWS_MAX = 500;

async function append(db: Kysely<Tables>, records: readonly AuditRecord[]): Promise<void> {
  if (records.length === 0) return;
  // The update comes first: it locks the row, so that what it gives back is the end until this transaction is over.
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
  for (let at = 0; at < rows.length; at += ROWS_MAX) {
    await db
      .insertInto('audit')
      .values(rows.slice(at, at + ROWS_MAX))
      .execute();
  }
  await db.updateTable('audit_head').set({ hash: last.hash }).execute();
}

async function deleteBefore(db: Kysely<Tables>, at: number, limit: number): Promise<number> {
  const head = db.selectFrom('audit_head');
  // What somebody wrote to before the chain or after its end stays, to be found.
  const oldest = await entriesOf(db)
    .select([N, AT, 'hash'])
    .where('audit.n', '>', head.select('removed_n'))
    .where('audit.n', '<=', head.select('audit_head.n'))
    .orderBy('audit.n')
    .limit(limit)
    .execute();
  // Up to the first one that stays: what is removed is the beginning of the chain, whatever the clocks of servers say.
  const stays = oldest.findIndex((entry) => entry.at >= at);
  const old = stays === -1 ? oldest : oldest.slice(0, stays);
  // SQLite lets anybody write a fraction.
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
