import { sql } from 'kysely';
import type { Connections } from '../connections.ts';
import { ALL_CALLERS } from './use-records.ts';

/** Something that needs an operator's attention. */
export interface Attention {
  kind: 'secret_expires' | 'unused' | 'limit_hit' | 'refused';
  /** Null: all callers whose client id no API user has. */
  clientId: string | null;
  name: string;
  credentialId: string | null;
  /** When the secret expires, the API user was last used, or the limit was last hit; null: never used. */
  at: number | null;
  /** Number of refusals; 0 for kinds without refusals. */
  count: number;
  /** Why callers were refused; only with `refused`. */
  reason?: string;
}

export interface AttentionRows {
  /** Live credentials of enabled API users that expire between `from` and `to`, the earliest first. */
  expiring(from: number, to: number, limit: number): Promise<Attention[]>;
  /** Enabled API users that were created before `before` and not used since: the never used ones first. */
  unused(before: number, limit: number): Promise<Attention[]>;
  /** API users that hit their limit since `from`, the latest first. */
  limited(from: number, limit: number): Promise<Attention[]>;
  /**
   * Callers that were refused at least `atLeast` times for one reason since `from`, the most refused first.
   * Refusals by an API user's own limit do not count. Callers whose client id no API user has are one item.
   */
  refused(from: number, atLeast: number, limit: number): Promise<Attention[]>;
  /**
   * Counts all API users, the enabled ones, and those used since `activeFrom`. `unhurried`: the count may
   * take longer than the statement timeout.
   */
  count(activeFrom: number, unhurried: boolean): Promise<{ total: number; enabled: number; active: number }>;
}

/** Time for an unhurried count, in milliseconds: a busy or small database may hold millions of rows. */
const COUNT_MS_MAX = 600_000;

/** Rows to read for each API user in the result: one that hits its limit every minute has 60 an hour. */
const LIMITED_ROWS_EACH = 60;

/** Rows to read for refused callers, the latest first: each caller, minute and reason has one row. */
const REFUSED_ROWS_MAX = 20_000;
/** The one name of all callers whose client id no API user has. */
const UNKNOWN_CALLERS = 'Unknown client ids';

/** Each query finds its rows in an index, whether there are ten API users or a hundred thousand. */
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
      // Two ranges of one index: never used API users come first in SQLite's index and last in PostgreSQL's.
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
    async refused(from, atLeast, limit) {
      const byReason = sql`select client_id, reason, max(at) as at, cast(sum(refusals) as bigint) as count`;
      const callers = sql`
        ${byReason} from (select * from refusal_minutes where at >= ${from} and client_id > ${ALL_CALLERS}
          and reason <> 'api_user_limit' order by at desc, client_id desc limit ${REFUSED_ROWS_MAX}) as latest
        group by client_id, reason having sum(refusals) >= ${atLeast}`;
      // From the rows of all callers together: one row a minute.
      const unknown = sql`
        ${byReason} from refusal_minutes where at >= ${from} and reason = 'unknown_client_id'
          and client_id = ${ALL_CALLERS}
        group by client_id, reason having sum(refusals) >= ${atLeast}`;
      const { rows } = await sql<Attention>`
        select 'refused' as kind, u.client_id as "clientId", coalesce(u.name, ${UNKNOWN_CALLERS}) as name,
          cast(null as text) as "credentialId", found.at, found.count, found.reason
        from (select * from (${callers}) as callers union all select * from (${unknown}) as unknown) as found
        left join api_users as u on u.client_id = found.client_id
        where u.client_id is not null or found.client_id = ${ALL_CALLERS}
        order by found.count desc, found.client_id limit ${limit}`.execute(read);
      return rows;
    },
    async count(activeFrom, alone) {
      // Each count reads an index of its own, not the table.
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
