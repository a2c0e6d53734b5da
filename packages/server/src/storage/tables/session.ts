import type { Kysely } from 'kysely';
import type { Operator } from '../../domain/operator.ts';
import type { Session } from '../../domain/session.ts';
import { operatorOf } from './operator.ts';
import type { SessionRow, Tables } from '../schema.ts';

export interface SessionRows {
  /** The session with this digest and its operator; finds an expired session, too. */
  find(digest: string): Promise<{ session: Session; operator: Operator } | undefined>;
  /** All sessions of an operator, the newest first. */
  listOf(operatorId: string): Promise<Session[]>;
  insert(session: Session, digest: string): Promise<void>;
  seen(id: string, at: number): Promise<void>;
  /** Gives the session another token; false if the operator has no session with this id. */
  setDigest(operatorId: string, id: string, digest: string): Promise<boolean>;
  /** False if the operator has no session with this id. */
  delete(operatorId: string, id: string): Promise<boolean>;
  /** Ends all sessions of an operator, except `exceptId`; returns how many. */
  deleteOf(operatorId: string, exceptId?: string): Promise<number>;
  /** Removes all sessions of an operator except the newest `keep`. */
  trim(operatorId: string, keep: number): Promise<void>;
  /** Removes up to `limit` expired sessions, and up to `limit` that are unused since `seenBefore`. */
  deleteOver(nowMs: number, seenBefore: number, limit: number): Promise<number>;
}

export function sessionRows(db: Kysely<Tables>): SessionRows {
  return {
    async find(digest) {
      const session = await db
        .selectFrom('sessions')
        .selectAll()
        .where('digest', '=', digest)
        .executeTakeFirst();
      if (session === undefined) return undefined;
      const operator = await db
        .selectFrom('operators')
        .selectAll()
        .where('id', '=', session.operator_id)
        .executeTakeFirst();
      return operator && { session: sessionOf(session), operator: operatorOf(operator) };
    },
    async listOf(operatorId) {
      const rows = db.selectFrom('sessions').selectAll().where('operator_id', '=', operatorId);
      return (await rows.orderBy('created_at', 'desc').orderBy('id').execute()).map(sessionOf);
    },
    async insert(session, digest) {
      const row: SessionRow = {
        digest,
        id: session.id,
        operator_id: session.operatorId,
        created_at: session.createdAt,
        last_seen_at: session.lastSeenAt,
        expires_at: session.expiresAt,
        address: session.address,
        user_agent: session.userAgent,
      };
      await db.insertInto('sessions').values(row).execute();
    },
    async seen(id, at) {
      await db.updateTable('sessions').set({ last_seen_at: at }).where('id', '=', id).execute();
    },
    async setDigest(operatorId, id, digest) {
      const query = db.updateTable('sessions').set({ digest });
      const result = await query
        .where('operator_id', '=', operatorId)
        .where('id', '=', id)
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },
    async delete(operatorId, id) {
      const query = db.deleteFrom('sessions').where('operator_id', '=', operatorId).where('id', '=', id);
      return (await query.executeTakeFirst()).numDeletedRows > 0n;
    },
    async deleteOf(operatorId, exceptId = '') {
      const query = db
        .deleteFrom('sessions')
        .where('operator_id', '=', operatorId)
        .where('id', '!=', exceptId);
      return Number((await query.executeTakeFirst()).numDeletedRows);
    },
    async trim(operatorId, keep) {
      const newest = db
        .selectFrom('sessions')
        .select('digest')
        .where('operator_id', '=', operatorId)
        .orderBy('created_at', 'desc')
        .limit(keep);
      await db
        .deleteFrom('sessions')
        .where('operator_id', '=', operatorId)
        .where('digest', 'not in', newest)
        .execute();
    },
    async deleteOver(nowMs, seenBefore, limit) {
      let deleted = 0;
      for (const [column, at] of [
        ['expires_at', nowMs],
        ['last_seen_at', seenBefore],
      ] as const) {
        const over = db.selectFrom('sessions').select('digest').where(column, '<=', at).limit(limit);
        const result = await db.deleteFrom('sessions').where('digest', 'in', over).executeTakeFirst();
        deleted += Number(result.numDeletedRows);
      }
      return deleted;
    },
  };
}

function sessionOf(row: SessionRow): Session {
  return {
    id: row.id,
    operatorId: row.operator_id,
    createdAt: row.created_at,
    lastSeenAt: row.last_seen_at,
    expiresAt: row.expires_at,
    address: row.address,
    userAgent: row.user_agent,
  };
}
