import { sql, type Kysely, type RawBuilder, type SqlBool } from 'kysely';
import {
  searchKey,
  type ApiUserFilter,
  type ApiUserListPage,
  type ApiUserPosition,
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
          position: [row.place, row.client_id] as const,
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

function conditionOf({ search, enabled, scope }: ApiUserFilter): RawBuilder<SqlBool> {
  const conditions = [sql<SqlBool>`1 = 1`];
  if (search !== null) conditions.push(contains('search_text', searchKey(search)));
  if (enabled !== null) conditions.push(sql`enabled = ${sql.lit(enabled ? 1 : 0)}`);
  // A scope holds neither quotation mark nor backslash, so it stands in the JSON array between two of the former.
  if (scope !== null) conditions.push(contains('scopes', `"${scope}"`));
  return sql<SqlBool>`${sql.join(conditions, sql` and `)}`;
}

function contains(column: 'search_text' | 'scopes', text: string): RawBuilder<SqlBool> {
  const pattern = `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
  return sql<SqlBool>`${sql.ref(column)} like ${pattern} escape '\\'`;
}

type Row = ApiUserRow & { last_used_at: number | null; place: string | number | null };

/** Those without a value come after all that have one, whichever way the list is sorted and whatever the database does. */
async function rowsOf(
  db: Kysely<Tables>,
  condition: RawBuilder<SqlBool>,
  page: ApiUserListPage,
): Promise<Row[]> {
  const { sort, after, limit } = page;
  const rows = after === null || after[0] !== null ? await sortedRows(db, condition, page) : [];
  if (sort !== 'last_used_at' || rows.length === limit) return rows;
  const { rows: unused } = await sql<Row>`
    select *, null as place from api_users
    where ${condition} and last_used_at is null and client_id > ${after?.[0] === null ? after[1] : ''}
    order by client_id limit ${limit - rows.length}`.execute(db);
  return [...rows, ...unused];
}

async function sortedRows(
  db: Kysely<Tables>,
  condition: RawBuilder<SqlBool>,
  { sort, descending, after, limit }: ApiUserListPage,
): Promise<Row[]> {
  const place = sql.ref(COLUMNS[sort]);
  const order = descending ? sql`desc` : sql`asc`;
  const { rows } = await sql<Row>`
    select *, ${place} as place from api_users
    where ${condition} and ${place} is not null ${beyond(place, after, descending)}
    order by ${place} ${order}, client_id ${order} limit ${limit}`.execute(db);
  return rows;
}

/** From `after` on, in the order of a list. */
function beyond(
  place: RawBuilder<unknown>,
  after: ApiUserPosition | null,
  descending: boolean,
): RawBuilder<unknown> {
  if (after === null) return sql``;
  return sql`and (${place}, client_id) ${descending ? sql`<` : sql`>`} (${after[0]}, ${after[1]})`;
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
