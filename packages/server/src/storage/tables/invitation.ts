import type { Kysely } from 'kysely';
import type { Invitation } from '../../domain/invitation.ts';
import type { InvitationRow, Tables } from '../schema.ts';

export interface InvitationRows {
  /** Finds an expired invitation, too. */
  find(digest: string): Promise<Invitation | undefined>;
  /** Replaces the operator's invitation; if `operatorId` is null, the first admin's. */
  put(invitation: Invitation): Promise<void>;
  /** Removes an invitation; false if it does not exist: another request used it first. */
  consume(digest: string): Promise<boolean>;
  /** Null: the invitation of the first admin. */
  deleteOf(operatorId: string | null): Promise<void>;
  /** Removes up to `limit` expired invitations; returns how many. */
  deleteOver(nowMs: number, limit: number): Promise<number>;
}

export function invitationRows(db: Kysely<Tables>): InvitationRows {
  const rows: InvitationRows = {
    async find(digest) {
      const query = db.selectFrom('invitations').selectAll().where('digest', '=', digest);
      const row = await query.executeTakeFirst();
      return row && fromRow(row);
    },
    async put({ digest, operatorId, createdAt, expiresAt }) {
      await rows.deleteOf(operatorId);
      const row: InvitationRow = {
        digest,
        operator_id: operatorId,
        created_at: createdAt,
        expires_at: expiresAt,
      };
      await db.insertInto('invitations').values(row).execute();
    },
    async consume(digest) {
      const result = await db.deleteFrom('invitations').where('digest', '=', digest).executeTakeFirst();
      return result.numDeletedRows > 0n;
    },
    async deleteOf(operatorId) {
      const query = db.deleteFrom('invitations');
      await (
        operatorId === null
          ? query.where('operator_id', 'is', null)
          : query.where('operator_id', '=', operatorId)
      ).execute();
    },
    async deleteOver(nowMs, limit) {
      const over = db
        .selectFrom('invitations')
        .select('digest')
        .where('expires_at', '<=', nowMs)
        .limit(limit);
      const result = await db.deleteFrom('invitations').where('digest', 'in', over).executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
  return rows;
}

function fromRow({ digest, operator_id, created_at, expires_at }: InvitationRow): Invitation {
  return { digest, operatorId: operator_id, createdAt: created_at, expiresAt: expires_at };
}
