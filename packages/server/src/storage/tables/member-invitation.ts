import type { Kysely } from 'kysely';
import type { MemberInvitation } from '../../domain/invitation.ts';
import { emailKey } from '../../domain/operator.ts';
import type { MemberRole } from '../../domain/organisation.ts';
import type { MemberInvitationRow, Tables } from '../schema.ts';

export interface MemberInvitationRows {
  /** Finds an expired invitation, too. */
  find(digest: string): Promise<MemberInvitation | undefined>;
  findById(organisationId: string, id: string): Promise<MemberInvitation | undefined>;
  findByEmail(organisationId: string, email: string): Promise<MemberInvitation | undefined>;
  /** The invitations to an organisation, in the order of their e-mail addresses. */
  listOf(organisationId: string): Promise<MemberInvitation[]>;
  /** Adds the invitation. It replaces the one for the same address in the same organisation. */
  put(invitation: MemberInvitation): Promise<void>;
  /** Removes an invitation; false if it does not exist: another request used it first. */
  consume(digest: string): Promise<boolean>;
  /** Removes up to `limit` expired invitations; returns how many. */
  deleteOver(nowMs: number, limit: number): Promise<number>;
}

export function memberInvitationRows(db: Kysely<Tables>): MemberInvitationRows {
  const all = db.selectFrom('member_invitations').selectAll();
  const of = (organisationId: string) => all.where('organisation_id', '=', organisationId);
  return {
    async find(digest) {
      const row = await all.where('digest', '=', digest).executeTakeFirst();
      return row && fromRow(row);
    },
    async findById(organisationId, id) {
      const row = await of(organisationId).where('id', '=', id).executeTakeFirst();
      return row && fromRow(row);
    },
    async findByEmail(organisationId, email) {
      const row = await of(organisationId).where('email_key', '=', emailKey(email)).executeTakeFirst();
      return row && fromRow(row);
    },
    listOf: async (organisationId) => (await of(organisationId).orderBy('email_key').execute()).map(fromRow),
    async put(invitation) {
      const row = rowOf(invitation);
      await db
        .deleteFrom('member_invitations')
        .where('organisation_id', '=', row.organisation_id)
        .where('email_key', '=', row.email_key)
        .execute();
      await db.insertInto('member_invitations').values(row).execute();
    },
    async consume(digest) {
      const query = db.deleteFrom('member_invitations').where('digest', '=', digest);
      return (await query.executeTakeFirst()).numDeletedRows > 0n;
    },
    async deleteOver(nowMs, limit) {
      const over = db
        .selectFrom('member_invitations')
        .select('digest')
        .where('expires_at', '<=', nowMs)
        .limit(limit);
      const result = await db.deleteFrom('member_invitations').where('digest', 'in', over).executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}

function rowOf(invitation: MemberInvitation): MemberInvitationRow {
  return {
    digest: invitation.digest,
    id: invitation.id,
    organisation_id: invitation.organisationId,
    email: invitation.email,
    email_key: emailKey(invitation.email),
    role: invitation.role,
    created_by: invitation.createdBy,
    created_at: invitation.createdAt,
    expires_at: invitation.expiresAt,
  };
}

function fromRow(row: MemberInvitationRow): MemberInvitation {
  return {
    digest: row.digest,
    id: row.id,
    organisationId: row.organisation_id,
    email: row.email,
    role: row.role as MemberRole,
    createdBy: row.created_by,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  };
}
