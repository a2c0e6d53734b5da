import { sql, type Kysely } from 'kysely';
import type { Member, MemberRole } from '../../domain/organisation.ts';
import type { Tables } from '../schema.ts';

export interface MemberRows {
  find(organisationId: string, operatorId: string): Promise<Member | undefined>;
  /** The members of an organisation, in the order of their e-mail addresses. */
  listOf(organisationId: string): Promise<Member[]>;
  /** The memberships of a person, the oldest first. */
  ofOperator(operatorId: string): Promise<Member[]>;
  /** Adds the member, or changes the role. */
  put(member: Omit<Member, 'email' | 'secondFactor'>): Promise<void>;
  delete(organisationId: string, operatorId: string): Promise<boolean>;
}

export function memberRows(db: Kysely<Tables>): MemberRows {
  const all = db
    .selectFrom('members as m')
    .innerJoin('operators as o', 'o.id', 'm.operator_id')
    .select(['m.organisation_id as organisationId', 'm.operator_id as operatorId', 'o.email'])
    .select(['m.role', 'm.created_at as createdAt'])
    .select(sql<number>`case when o.sealed_totp_secret is null then 0 else 1 end`.as('secondFactor'))
    .$narrowType<{ role: MemberRole }>();
  return {
    async find(organisationId, operatorId) {
      const row = await all
        .where('m.organisation_id', '=', organisationId)
        .where('m.operator_id', '=', operatorId)
        .executeTakeFirst();
      return row && memberOf(row);
    },
    async listOf(organisationId) {
      const rows = all.where('m.organisation_id', '=', organisationId).orderBy('o.email_key');
      return (await rows.execute()).map(memberOf);
    },
    async ofOperator(operatorId) {
      const rows = all.where('m.operator_id', '=', operatorId);
      const sorted = rows.orderBy('m.created_at').orderBy('m.organisation_id');
      return (await sorted.execute()).map(memberOf);
    },
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

function memberOf<Row extends { secondFactor: number }>(
  row: Row,
): Omit<Row, 'secondFactor'> & { secondFactor: boolean } {
  return { ...row, secondFactor: row.secondFactor === 1 };
}
