import { sql } from 'kysely';
import type { Connections } from '../connections.ts';

/** What an operator should look at. */
export interface Attention {
  kind: 'secret_expires' | 'unused' | 'limit_hit';
  clientId: string;
  name: string;
  credentialId: string | null;
  /** When the secret expires, the API user was last used, or the limit was last hit; null: never used. */
  at: number | null;
  /** Refusals by the limit; 0 for the others. */
  count: number;
}

export interface AttentionRows {
  /** Live credentials of enabled API users that expire from `from` up to `to`, the next first. */
  expiring(from: number, to: number, limit: number): Promise<Attention[]>;
  /** Enabled API users that were made, and last used, before `before`: those that never were first. */
  unused(before: number, limit: number): Promise<Attention[]>;
  /** API users that hit their limit from `from` on, the latest first. */
  limited(from: number, limit: number): Promise<Attention[]>;
  /**
   * API users, and of them the ones that are enabled, and that were used from `activeFrom` on. `unhurried`: of so many that it
   * takes longer than a statement may.
   */
  count(activeFrom: number, unhurried: boolean): Promise<{ total: number; enabled: number; active: number }>;
}

/** What a database that is busy, or small for its millions, may take to count. */
const COUNT_MS_MAX = 600_000;

/** Of one API user a limit can be hit in each minute: as many are read for each that is told. */
const LIMITED_ROWS_EACH = 60;

/** Each by an index that holds what it is looked for by, at a hundred thousand API users as at ten. */
export function attentionRows({ read, unhurried }: Pick<Connections, 'read' | 'unhurried'>): AttentionRows {
  return {
    async expiring(from, to, limit) {
      const { rows } = await sql<Attention>`
        select 'secret_expires' as kind, u.client_id as "clientId", u.name, c.id as "credentialId",
          c.expires_at as at, 0 as count
        from credentials as c join api_users as u on u.client_id = c.client_id
        where c.expires_at is not null and c.expires_at > ${from} and c.expires_at < ${to}
          and c.retired_at is null and u.enabled = 1
        order by c.expires_at limit ${limit}`.execute(read);
      return rows;
    },
    async unused(before, limit) {
      // Two ranges of one index, because those that never were used lie apart in it, and elsewhere in each database.
      const never = sql`select client_id, last_used_at from api_users
        where last_used_at is null and created_at < ${before} and enabled = 1 limit ${limit}`;
      const lately = sql`select client_id, last_used_at from api_users
        where last_used_at < ${before} and created_at < ${before} and enabled = 1
        order by last_used_at limit ${limit}`;
      const { rows } = await sql<Attention>`
        select 'unused' as kind, u.client_id as "clientId", u.name, cast(null as text) as "credentialId",
          u.last_used_at as at, 0 as count
        from (select * from (${never}) as never union all select * from (${lately}) as lately) as found
        join api_users as u on u.client_id = found.client_id
        order by coalesce(u.last_used_at, 0), u.client_id limit ${limit}`.execute(read);
      return rows;
    },
    async limited(from, limit) {
      const { rows } = await sql<Attention>`
        select 'limit_hit' as kind, u.client_id as "clientId", u.name, cast(null as text) as "credentialId",
          max(found.at) as at, cast(sum(found.refusals) as bigint) as count
        from (select at, client_id, refusals from refusal_minutes
          where reason = 'api_user_limit' and at >= ${from}
          order by at desc limit ${limit * LIMITED_ROWS_EACH}) as found
        join api_users as u on u.client_id = found.client_id
        group by u.client_id, u.name order by max(found.at) desc, u.client_id limit ${limit}`.execute(read);
      return rows;
    },
    async count(activeFrom, alone) {
      // Each from an index of its own: the table is not read.
      const counting = sql<{ total: number; disabled: number; active: number }>`
        select (select count(*) from api_users) as total,
          (select count(*) from api_users where enabled = 0) as disabled,
          (select count(*) from api_users where last_used_at >= ${activeFrom}) as active`;
      const { rows } = alone
        ? await unhurried((db) => counting.execute(db), COUNT_MS_MAX)
        : await counting.execute(read);
      const { total, disabled, active } = rows[0] ?? { total: 0, disabled: 0, active: 0 };
      return { total, enabled: total - disabled, active };
    },
  };
}
