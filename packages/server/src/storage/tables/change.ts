import { sql, type Kysely, type RawBuilder } from 'kysely';
import type { Tables } from '../schema.ts';

/**
 * What a process keeps in memory, and so must hear of when it changes. `usage` is a request: write the uses that wait in memory,
 * because an operator is about to stop this API user. A program of a version before passes it over.
 */
export type ChangeNoun = 'api_user' | 'signing_key' | 'revocation' | 'usage';

export interface Change {
  /** The epoch in which it was made. */
  n: number;
  noun: ChangeNoun;
  /** Client id, kid, or the digest of a revocation. */
  id: string;
  /** When it was made, by the clock of whoever made it. */
  at: number;
}

/** Where the feed is, all of one moment. */
export interface Position {
  epoch: number;
  /** The change that was asked for; null where it is not kept, or never was. */
  change: Change | null;
}

export interface TimedPosition {
  position: Position;
  /** The time by the database's clock, in milliseconds since 1970 (UTC); null where that is the clock of this machine. */
  storeMs: number | null;
}

export interface ChangeRows {
  /** The number of the last change; it only grows, but for a restore of an older store. */
  epoch(): Promise<number>;
  /** The epoch, and the change with this number; null: the last one. */
  position(n: number | null): Promise<Position>;
  /** The number of the oldest change that is still kept; null where none is. */
  oldest(): Promise<number | null>;
  /** When the newest change that is still kept was made; null where none is. */
  latestAt(): Promise<number | null>;
  after(n: number, limit: number): Promise<Change[]>;
  /** Takes the next epoch and writes the change under it: call it in the transaction of the change itself. */
  append(noun: ChangeNoun, id: string, at: number): Promise<void>;
  /** The same for many of a kind, under epochs that follow each other. */
  appendAll(noun: ChangeNoun, ids: readonly string[], at: number): Promise<void>;
  /** Removes up to `limit` changes numbered below `n`; gives back how many. */
  deleteBefore(n: number, limit: number): Promise<number>;
}

export interface TimedChangeRows extends ChangeRows {
  /** The position with the time, in one round trip. */
  timedPosition(n: number | null): Promise<TimedPosition>;
}

/**
 * The change feed. Numbers come from one row that is updated in the same transaction, not from a sequence: there a
 * later number can commit first, and a reader that has seen it would miss the earlier one. `storeTime`: the database's own
 * clock, for timed positions.
 */
export function changeRows(db: Kysely<Tables>, storeTime?: RawBuilder<number>): TimedChangeRows {
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
    append: (noun, id, at) => appendAll(db, noun, [id], at),
    appendAll: (noun, ids, at) => appendAll(db, noun, ids, at),
    async deleteBefore(n, limit) {
      const old = db.selectFrom('changes').select('n').where('n', '<', n).orderBy('n').limit(limit);
      const result = await db.deleteFrom('changes').where('n', 'in', old).executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}

async function appendAll(
  db: Kysely<Tables>,
  noun: ChangeNoun,
  ids: readonly string[],
  at: number,
): Promise<void> {
  if (ids.length === 0) return;
  const { n } = await db
    .updateTable('epoch')
    .set({ n: sql<number>`n + ${ids.length}` })
    .returning('n')
    .executeTakeFirstOrThrow();
  const first = n - ids.length + 1;
  const rows = ids.map((id, i) => ({ n: first + i, noun, id, at }));
  await db.insertInto('changes').values(rows).execute();
}

type ChangeRow = Tables['changes'];

function fromRow({ n, noun, id, at }: ChangeRow): Change {
  return { n, noun: noun as ChangeNoun, id, at };
}
