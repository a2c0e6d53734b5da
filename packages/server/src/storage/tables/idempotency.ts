import type { Kysely } from 'kysely';
import type { AuditSubject } from '../../domain/audit-entry.ts';
import type { Tables } from '../schema.ts';

/** A change that a caller made with an `Idempotency-Key`. */
export interface KeptChange {
  /** A digest of the actor and the key. */
  id: string;
  request: string;
  created: readonly AuditSubject[];
  removesAt: number;
}

export interface IdempotencyRows {
  find(id: string): Promise<KeptChange | undefined>;
  insert(change: KeptChange): Promise<void>;
  /** Removes up to `limit` changes: expired ones, and the oldest beyond `kept` of them. Returns how many. */
  deleteOver(nowMs: number, kept: number, limit: number): Promise<number>;
}

export function idempotencyRows(db: Kysely<Tables>): IdempotencyRows {
  const all = db.selectFrom('idempotency_keys');
  return {
    async find(id) {
      const row = await all.selectAll().where('id', '=', id).executeTakeFirst();
      return (
        row && {
          id,
          request: row.request,
          created: JSON.parse(row.made) as readonly AuditSubject[],
          removesAt: row.removes_at,
        }
      );
    },
    async insert({ id, request, created, removesAt }) {
      const row = { id, request, made: JSON.stringify(created), removes_at: removesAt };
      // An existing row with this id has expired: the same transaction has checked it.
      await db
        .insertInto('idempotency_keys')
        .values(row)
        .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
        .execute();
    },
    async deleteOver(nowMs, kept, limit) {
      const newest = all.select('removes_at').orderBy('removes_at', 'desc');
      const surplus = await newest.offset(kept).limit(1).executeTakeFirst();
      const over = all
        .select('id')
        .where('removes_at', '<=', Math.max(nowMs, surplus?.removes_at ?? 0))
        .orderBy('removes_at')
        .limit(limit);
      const result = await db.deleteFrom('idempotency_keys').where('id', 'in', over).executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}
