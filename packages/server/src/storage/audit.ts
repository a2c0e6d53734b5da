import { sql, type Kysely } from 'kysely';
import {
  auditEntry,
  type AuditEntry,
  type AuditLink,
  type AuditOutcome,
  type AuditRecord,
} from '../domain/audit-entry.ts';
import type { AuditRow, Tables } from './schema.ts';

/** Which entries a list has; members that are left out or null say nothing. */
export interface AuditFilter {
  /** Id of an actor. */
  actor?: string | null;
  action?: string | null;
  /** Id of what an entry is about, or of whose that is: with a client id also what concerns its credentials. */
  subject?: string | null;
  outcome?: AuditOutcome | null;
  /** Milliseconds since 1970: from then on, */
  from?: number | null;
  /** and before then. */
  to?: number | null;
}

export interface AuditPage {
  /** The number of the last entry of the page before; null: from the newest on. */
  before: number | null;
  limit: number;
}

export interface AuditHead {
  /** What the store says is the last entry. */
  last: AuditLink;
  /** The last entry that was removed because it was kept long enough. */
  removed: AuditLink;
  /** The number of the last entry that there is; null where there is none. */
  found: number | null;
}

export interface AuditRows {
  head(): Promise<AuditHead>;
  /** The newest first. */
  list(filter: AuditFilter, page: AuditPage): Promise<AuditEntry[]>;
  /** In the order of the chain, from after entry `n` on. */
  after(n: number, limit: number): Promise<AuditEntry[]>;
  /** Adds to the end of the chain: call it last in the transaction of the change itself, because it holds the end until then. */
  append(records: readonly AuditRecord[]): Promise<void>;
  /** Removes up to `limit` of the oldest entries, as long as they are from before `at`; gives back how many. */
  deleteBefore(at: number, limit: number): Promise<number>;
}

export function auditRows(db: Kysely<Tables>): AuditRows {
  const all = db.selectFrom('audit').selectAll();
  return {
    async head() {
      // In one statement, so that all of it is of the same moment.
      const found = db.selectFrom('audit').select((row) => row.fn.max('n').as('found'));
      const head = await db
        .selectFrom('audit_head')
        .selectAll()
        .select(() => found.as('found'))
        .executeTakeFirstOrThrow();
      return {
        last: { n: head.n, hash: head.hash },
        removed: { n: head.removed_n, hash: head.removed_hash },
        found: head.found,
      };
    },
    async list(filter, { before, limit }) {
      let query = all.orderBy('n', 'desc').limit(limit);
      const { actor, action, subject, outcome, from, to } = filter;
      if (before !== null) query = query.where('n', '<', before);
      if (isGiven(actor)) query = query.where('actor_id', '=', actor);
      if (isGiven(action)) query = query.where('action', '=', action);
      if (isGiven(outcome)) query = query.where('outcome', '=', sql.lit(outcome));
      if (isGiven(from)) query = query.where('at', '>=', from);
      if (isGiven(to)) query = query.where('at', '<', to);
      if (isGiven(subject)) {
        query = query.where(({ or, eb }) =>
          or([eb('subject_id', '=', subject), eb('related_id', '=', subject)]),
        );
      }
      return (await query.execute()).map(fromRow);
    },
    after: async (n, limit) =>
      (await all.where('n', '>', n).orderBy('n').limit(limit).execute()).map(fromRow),
    append: (records) => append(db, records),
    deleteBefore: (at, limit) => deleteBefore(db, at, limit),
  };
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}

async function append(db: Kysely<Tables>, records: readonly AuditRecord[]): Promise<void> {
  if (records.length === 0) return;
  // The update comes first: it locks the row, so that what it gives back is the end until this transaction is over.
  let last: AuditLink = await db
    .updateTable('audit_head')
    .set({ n: sql<number>`n + ${records.length}` })
    .returning([sql<number>`n - ${records.length}`.as('n'), 'hash'])
    .executeTakeFirstOrThrow();
  for (const record of records) {
    const entry = auditEntry(record, last);
    await db.insertInto('audit').values(toRow(entry)).execute();
    last = entry;
  }
  await db.updateTable('audit_head').set({ hash: last.hash }).execute();
}

async function deleteBefore(db: Kysely<Tables>, at: number, limit: number): Promise<number> {
  const oldest = await db.selectFrom('audit').select(['n', 'hash', 'at']).orderBy('n').limit(limit).execute();
  // Up to the first one that stays: what is removed is the beginning of the chain, whatever the clocks of servers say.
  const stays = oldest.findIndex((entry) => entry.at >= at);
  const old = stays === -1 ? oldest : oldest.slice(0, stays);
  const last = old.at(-1);
  if (last === undefined) return 0;
  await db.updateTable('audit_head').set({ removed_n: last.n, removed_hash: last.hash }).execute();
  await db.deleteFrom('audit').where('n', '<=', last.n).execute();
  return old.length;
}

function toRow(entry: AuditEntry): AuditRow {
  return {
    n: entry.n,
    at: entry.at,
    actor_kind: entry.actorKind,
    actor_id: entry.actorId,
    actor_name: entry.actorName,
    actor_address: entry.actorAddress,
    actor_role: entry.actorRole,
    action: entry.action,
    outcome: entry.outcome,
    subject_kind: entry.subjectKind,
    subject_id: entry.subjectId,
    related_kind: entry.relatedKind,
    related_id: entry.relatedId,
    before: entry.before,
    after: entry.after,
    reason: entry.reason,
    hash: entry.hash,
  };
}

function fromRow(row: AuditRow): AuditEntry {
  return {
    n: row.n,
    at: row.at,
    actorKind: row.actor_kind,
    actorId: row.actor_id,
    actorName: row.actor_name,
    actorAddress: row.actor_address,
    actorRole: row.actor_role,
    action: row.action,
    outcome: row.outcome,
    subjectKind: row.subject_kind,
    subjectId: row.subject_id,
    relatedKind: row.related_kind,
    relatedId: row.related_id,
    before: row.before,
    after: row.after,
    reason: row.reason,
    hash: row.hash,
  };
}
