import { sql, type Kysely, type RawBuilder, type SqlBool } from 'kysely';
import {
  searchKey,
  type ApiUserFilter,
  type ApiUserListPage,
  type ListedApiUser,
} from '../domain/api-user-list.ts';
import { fromRow } from './api-user.ts';
import type { ApiUserRow, Tables } from './schema.ts';

export interface ApiUserListRows {
  /** A page of a list; with fewer than `limit` items it is the last one. What is live and expires is so at `nowMs`. */
  page(filter: ApiUserFilter, page: ApiUserListPage, nowMs: number): Promise<ListedApiUser[]>;
}

export function apiUserListRows(db: Kysely<Tables>): ApiUserListRows {
  return {
    async page(filter, page, nowMs) {
      const rows = await rowsOf(db, conditionOf(filter), page);
      const credentials = await credentialsOf(
        db,
        rows.map((row) => row.client_id),
        nowMs,
      );
      return rows.map((row) => {
        const of = credentials.get(row.client_id);
        return {
          user: fromRow(row),
          position: [row[COLUMNS[page.sort]], row.client_id] as const,
          lastUsedAt: of?.lastUsedAt ?? row.last_used_at,
          liveCredentials: of?.liveCredentials ?? 0,
          nextExpiryAt: of?.nextExpiryAt ?? null,
        };
      });
    },
  };
}

/** The columns that lists are sorted by: nothing that a caller sends becomes a part of a statement. */
const COLUMNS = { created_at: 'created_at', name: 'name_key', last_used_at: 'last_used_at' } as const;

/** What stands for no value at the end of a list in either direction: before and after every time that there is. */
const NONE = { descending: -1, ascending: 8_640_000_000_000_001 } as const;

function conditionOf({ search, enabled, scope }: ApiUserFilter): RawBuilder<SqlBool> | null {
  const conditions: RawBuilder<SqlBool>[] = [];
  if (search !== null) conditions.push(contains('search_text', searchKey(search)));
  if (enabled !== null) conditions.push(sql`enabled = ${sql.lit(enabled ? 1 : 0)}`);
  // A scope holds neither quotation mark nor backslash, so it stands in the JSON array between two of the former.
  if (scope !== null) conditions.push(contains('scopes', `"${scope}"`));
  return conditions.length === 0 ? null : sql`${sql.join(conditions, sql` and `)}`;
}

function contains(column: 'search_text' | 'scopes', text: string): RawBuilder<SqlBool> {
  const pattern = `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
  return sql<SqlBool>`${sql.ref(column)} like ${pattern} escape '\\'`;
}

type Row = ApiUserRow & { last_used_at: number | null };

/** A stretch of a list: the API users that are in it, the columns in whose order they are, and where it begins. */
interface Stretch {
  among: RawBuilder<SqlBool>;
  keys: readonly RawBuilder<unknown>[];
  descending: boolean;
  /** A value for each key; null: from the start. */
  after: readonly unknown[] | null;
  limit: number;
}

/** So many are looked at in the order of the list, one by one, before all of them in the order of the table. */
const LOOKED_AT_FIRST = 1000;

/**
 * Those without a value come after all that have one, whichever way the list is sorted and whatever the database does.
 *
 * Where nothing is asked of the API users, they are read in the order of an index. Else too, as long as those that meet the
 * condition are many: where they are not, an index leads to every row of the table in another order than they lie in,
 * which takes ten times as long as to read the table from end to end and sort what is found (docs/decisions/061).
 */
async function rowsOf(
  db: Kysely<Tables>,
  condition: RawBuilder<SqlBool> | null,
  page: ApiUserListPage,
): Promise<Row[]> {
  const { after, limit } = page;
  const isPast = after !== null && after[0] === null;
  const table = sql`api_users`;
  if (condition === null) {
    const rows = isPast ? [] : (await select(withValue(page), table).execute(db)).rows;
    if (page.sort !== 'last_used_at' || rows.length === limit) return rows;
    const rest = { ...page, after: isPast ? after : null, limit: limit - rows.length };
    return [...rows, ...(await select(withoutValue(rest), table).execute(db)).rows];
  }
  const stretch = isPast ? withoutValue(page) : withValue(page);
  const first = sql`(${select({ ...stretch, limit: LOOKED_AT_FIRST }, table)}) as first`;
  const { rows } = await select(stretch, first, condition).execute(db);
  if (rows.length === limit) return rows;
  return (await select(inTheOrderOfTheTable(page), table, condition).execute(db)).rows;
}

function withValue({ sort, ...page }: ApiUserListPage): Stretch {
  const column = sql.ref(COLUMNS[sort]);
  return { ...page, among: sql`${column} is not null`, keys: [column, sql.ref('client_id')] };
}

function withoutValue({ sort, after, ...page }: ApiUserListPage): Stretch {
  const among = sql<SqlBool>`${sql.ref(COLUMNS[sort])} is null`;
  return { ...page, among, keys: [sql.ref('client_id')], after: after && [after[1]] };
}

/** All of the list. A column inside of `coalesce` is one that no index is for. */
function inTheOrderOfTheTable({ sort, after, ...page }: ApiUserListPage): Stretch {
  const column = sql.ref(COLUMNS[sort]);
  const none = NONE[page.descending ? 'descending' : 'ascending'];
  const value = sort === 'name' ? sql`coalesce(${column}, '')` : sql`coalesce(${column}, ${sql.lit(none)})`;
  return {
    ...page,
    among: sql`1 = 1`,
    keys: [value, sql`coalesce(client_id, '')`],
    after: after && [after[0] ?? none, after[1]],
  };
}

function select(
  { among, keys, descending, after, limit }: Stretch,
  from: RawBuilder<unknown>,
  condition: RawBuilder<SqlBool> = sql`1 = 1`,
): RawBuilder<Row> {
  const order = sql.join(keys.map((key) => sql`${key} ${descending ? sql`desc` : sql`asc`}`));
  const later =
    after === null
      ? sql``
      : sql`and (${sql.join(keys)}) ${descending ? sql`<` : sql`>`} (${sql.join(after)})`;
  return sql<Row>`
    select * from ${from} where ${condition} and ${among} ${later} order by ${order} limit ${limit}`;
}

type OfCredentials = Pick<ListedApiUser, 'lastUsedAt' | 'liveCredentials' | 'nextExpiryAt'>;

async function credentialsOf(
  db: Kysely<Tables>,
  clientIds: readonly string[],
  nowMs: number,
): Promise<Map<string, OfCredentials>> {
  if (clientIds.length === 0) return new Map();
  const live = sql`(c.retired_at is null or c.retired_at > ${nowMs}) and (c.expires_at is null or c.expires_at > ${nowMs})`;
  const { rows } = await sql<OfCredentials & { clientId: string }>`
    select c.client_id as "clientId", max(g.last_used_at) as "lastUsedAt",
      sum(case when ${live} then 1 else 0 end) as "liveCredentials",
      min(case when ${live} then c.expires_at end) as "nextExpiryAt"
    from credentials as c left join credential_usage as g on g.credential_id = c.id
    where c.client_id in (${sql.join(clientIds)}) group by c.client_id`.execute(db);
  return new Map(rows.map(({ clientId, ...of }) => [clientId, of]));
}
