import type { Kysely } from 'kysely';
import type { Member, MemberRole } from '../../domain/organisation.ts';
import type { Tables } from '../schema.ts';

export interface MemberRows {
  find(organisationId: string, operatorId: string): Promise<Member | undefined>;
  /** The members of an organisation, in the order of their e-mail addresses. */
  listOf(organisationId: string): Promise<Member[]>;
  /** The memberships of a person, the oldest first. */
  ofOperator(operatorId: string): Promise<Member[]>;
  /** Adds the member, or changes the role. */
  put(member: Member): Promise<void>;
  delete(organisationId: string, operatorId: string): Promise<boolean>;
}

export function memberRows(db: Kysely<Tables>): MemberRows {
  const all = db
    .selectFrom('members as m')
    .innerJoin('operators as o', 'o.id', 'm.operator_id')
    .select(['m.organisation_id as organisationId', 'm.operator_id as operatorId', 'o.email'])
    .select(['m.role', 'm.created_at as createdAt'])
    .$narrowType<{ role: MemberRole }>();
  return {
    find: async (organisationId, operatorId) =>
      await all
        .where('m.organisation_id', '=', organisationId)
        .where('m.operator_id', '=', operatorId)
        .executeTakeFirst(),
    listOf: async (organisationId) =>
      await all.where('m.organisation_id', '=', organisationId).orderBy('o.email_key').execute(),
    ofOperator: async (operatorId) =>
      await all
        .where('m.operator_id', '=', operatorId)
        .orderBy('m.created_at')
        .orderBy('m.organisation_id')
        .execute(),
    async put({ organisationId, operatorId, role, createdAt }) {
      const row = { organisation_id: organisationId, operator_id: operatorId, role, created_at: createdAt };
      const query = db.insertInto('members').values(row);
      await query
        .onConflict((conflict) => conflict.columns(['organisation_id', 'operator_id']).doUpdateSet({ role }))
        .execute();
    },
    async delete(organisationId, operatorId) {
      const result = await db
        .deleteFrom('members')
        .where('organisation_id', '=', organisationId)
        .where('operator_id', '=', operatorId)
        .executeTakeFirst();
      return result.numDeletedRows > 0n;
    },
  };
}
