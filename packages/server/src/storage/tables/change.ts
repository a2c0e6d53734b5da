import { sql, type Kysely, type RawBuilder } from 'kysely';
import type { InsertRows } from '../connections.ts';
import type { Tables } from '../schema.ts';

/**
 * The kind of thing that changed. Processes keep these things in memory, so they follow every change. `usage`
 * is a request: every process writes the uses that it has in memory, because an operator is about to stop
 * this API user. Older versions ignore the request.
 */
export type ChangeNoun =
  | 'api_user'
  | 'organisation'
  | 'audience_settings'
  | 'signing_key'
  | 'revocation'
  | 'usage';

export interface Change {
  /** The epoch of the change. */
  n: number;
  noun: ChangeNoun;
  /** Client id, id of an organisation, audience, kid, or the digest of a revocation. */
  id: string;
  /** The time of the change, by the clock of the process that made it. */
  at: number;
}

/** The epoch and one change, read at the same moment. */
export interface Position {
  epoch: number;
  /** The requested change; null if the feed does not contain it. */
  change: Change | null;
}

export interface TimedPosition {
  position: Position;
  /** The database's clock, in milliseconds since 1970 (UTC); null if that is the clock of this machine. */
  storeMs: number | null;
}

export interface ChangeRows {
  /** The number of the last change. It only grows, except when an operator restores an older store. */
  epoch(): Promise<number>;
  /** The epoch, and the change with number `n`; null: the last change. */
  position(n: number | null): Promise<Position>;
  /** The number of the oldest change in the feed; null if the feed is empty. */
  oldest(): Promise<number | null>;
  /** The time of the newest change in the feed; null if the feed is empty. */
  latestAt(): Promise<number | null>;
  after(n: number, limit: number): Promise<Change[]>;
  /** Takes the next epoch and records the change under it. Call it in the transaction of the change. */
  append(noun: ChangeNoun, id: string, at: number): Promise<void>;
  /** The same for several changes of one noun, under consecutive epochs. */
  appendAll(noun: ChangeNoun, ids: readonly string[], at: number): Promise<void>;
  /** Removes up to `limit` changes with numbers below `n`; returns how many. */
  deleteBefore(n: number, limit: number): Promise<number>;
}

export interface TimedChangeRows extends ChangeRows {
  /** The position and the time, in one round trip. */
  timedPosition(n: number | null): Promise<TimedPosition>;
}

/**
 * The change feed. Numbers come from one row that the same transaction updates, not from a sequence: with a
 * sequence, a later number can commit first, and a reader that has seen it would miss the earlier one.
 * `storeTime`: the database's own clock, for timed positions.
 */
export function changeRows(
  db: Kysely<Tables>,
  insertRows: InsertRows,
  storeTime?: RawBuilder<number>,
): TimedChangeRows {
  async function timedPosition(n: number | null): Promise<TimedPosition> {
    const { epoch, storeMs, ...row } = await db
      .selectFrom('epoch')
      .leftJoin('changes', (join) =>
        n === null ? join.onRef('changes.n', '=', 'epoch.n') : join.on('changes.n', '=', n),
      )
      .select(['epoch.n as epoch', 'changes.n', 'noun', 'changes.id', 'at'])
      .select(sql<number | null>`${storeTime ?? null}`.as('storeMs'))
      .executeTakeFirstOrThrow();
    return { position: { epoch, change: row.n === null ? null : fromRow(row as ChangeRow) }, storeMs };
  }

  return {
    async epoch() {
      return (await db.selectFrom('epoch').select('n').executeTakeFirstOrThrow()).n;
    },
    position: async (n) => (await timedPosition(n)).position,
    timedPosition,
    async oldest() {
      const row = await db.selectFrom('changes').select('n').orderBy('n').limit(1).executeTakeFirst();
      return row?.n ?? null;
    },
    async latestAt() {
      const row = await db
        .selectFrom('changes')
        .select('at')
        .orderBy('n', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row?.at ?? null;
    },
    async after(n, limit) {
      const rows = await db
        .selectFrom('changes')
        .selectAll()
        .where('n', '>', n)
        .orderBy('n')
        .limit(limit)
        .execute();
      return rows.map(fromRow);
    },
    append: (noun, id, at) => appendAll(db, insertRows, { noun, at }, [id]),
    appendAll: (noun, ids, at) => appendAll(db, insertRows, { noun, at }, ids),
    async deleteBefore(n, limit) {
      const old = db.selectFrom('changes').select('n').where('n', '<', n).orderBy('n').limit(limit);
      const result = await db.deleteFrom('changes').where('n', 'in', old).executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}

async function appendAll(
  db: Kysely<Tables>,
  insertRows: InsertRows,
  { noun, at }: Pick<Change, 'noun' | 'at'>,
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return;
  const { n } = await db
    .updateTable('epoch')
    .set({ n: sql<number>`n + ${ids.length}` })
    .returning('n')
    .executeTakeFirstOrThrow();
  const first = n - ids.length + 1;
  const rows = ids.map((id, i) => ({ n: first + i, noun, id, at }));
  await insertRows(db, 'changes', rows);
}

type ChangeRow = Tables['changes'];

function fromRow({ n, noun, id, at }: ChangeRow): Change {
  return { n, noun: noun as ChangeNoun, id, at };
}
