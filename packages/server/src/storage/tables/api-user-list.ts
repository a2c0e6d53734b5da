import { sql, type Kysely, type RawBuilder, type SqlBool } from 'kysely';
import {
  NAMED_MAX,
  OF_THE_PLATFORM,
  searchKey,
  type ApiUserFilter,
  type ApiUserListed,
  type ApiUserListPage,
  type ApiUserPosition,
  type ListedApiUser,
} from '../../domain/api-user-list.ts';
import { fromRow, type ApiUserPage } from './api-user.ts';
import { contains, containsExactly } from './contains.ts';
import type { ApiUserRow, Tables } from '../schema.ts';

export interface ApiUserListRows {
  /** A page of a list. `nowMs` decides which credentials are live. */
  page(filter: ApiUserFilter, page: ApiUserListPage, nowMs: number): Promise<ApiUserListed>;
  /** For commands and exports, which may take longer: by client id. Only the last page is short. */
  byId(filter: ApiUserFilter, page: ApiUserPage, nowMs: number): Promise<ListedApiUser[]>;
}

/** Limits on the work for a page of a list that few API users match. */
export interface ListBounds {
  /** The first step checks this many API users in the order of the list. */
  lookedAtFirst: number;
  /** If the first step leaves the page short, a table of up to this many is read from end to end. */
  tableMax: number;
  /** Time to count the table, in milliseconds. If it takes longer, the whole table is too slow to read. */
  countMs: number;
  /** In a larger table, each step checks twice as many as the last, until this many milliseconds are over. */
  lookMs: number;
  /** In a larger table, if at most this many API users have the scope, the store reads only these. */
  scopeMax: number;
  /** A command reads this many API users at a time, in the order of their ids. */
  stretch?: number;
}

const BOUNDS: ListBounds = {
  lookedAtFirst: 1000,
  tableMax: 200_000,
  countMs: 50,
  lookMs: 25,
  scopeMax: 1000,
};
const LOOKED_AT_MOST = 8000;
/** How long the store remembers whether the table is small, in milliseconds. */
const SMALL_KEPT_MS = 60_000;
/** If the table has more different sets of scopes than this, the scope is an ordinary condition. */
const SCOPE_SETS_MAX = 500;

export function apiUserListRows(db: Kysely<Tables>, bounds: ListBounds = BOUNDS): ApiUserListRows {
  const isSmall = smallness(db, bounds);
  return {
    async page(filter, page, nowMs) {
      const first = page.after === null ? await namedBySearch(db, filter, page) : [];
      const firstIds = page.after === null ? first.map((row) => row.client_id) : firstOf(page.after);
      const rest = { ...page, limit: page.limit - first.length };
      const others = await pageOf(db, conditionOf(filter, firstIds), filter, rest, bounds, isSmall);
      const items = await withCredentials(db, [...first, ...others.rows], nowMs);
      return { items, next: others.next && [others.next[0], others.next[1], ...firstIds] };
    },
    async byId(filter, { after, limit }, nowMs) {
      const matching = sql<SqlBool>`${amongOf(filter)} and ${conditionOf(filter, []) ?? sql`1 = 1`}`;
      if (isOneOrganisation(filter)) {
        const query = sql<Row>`
          select * from api_users where client_id > ${after ?? ''} and ${matching} order by client_id limit ${limit}`;
        return await withCredentials(db, (await query.execute(db)).rows, nowMs);
      }
      const rows: Row[] = [];
      // In stretches: one statement that reads millions of rows would exceed PostgreSQL's statement timeout.
      for (let from: string | null = after ?? ''; from !== null && rows.length < limit;) {
        const end: string | null = await idAfter(db, from, bounds.stretch ?? STRETCH);
        const upTo = end === null ? sql<SqlBool>`1 = 1` : sql<SqlBool>`client_id <= ${end}`;
        const stretch = sql<Row>`
          select * from api_users where client_id > ${from} and ${upTo} and ${matching}
          order by client_id limit ${limit - rows.length}`;
        rows.push(...(await stretch.execute(db)).rows);
        from = end;
      }
      return await withCredentials(db, rows, nowMs);
    },
  };
}

/** Rows in a stretch: PostgreSQL takes some tenths of a second for them. */
const STRETCH = 50_000;

/** The client id of the `count`-th API user after `from`; null if fewer follow. */
async function idAfter(db: Kysely<Tables>, from: string, count: number): Promise<string | null> {
  const ids = db.selectFrom('api_users').select('client_id').where('client_id', '>', from);
  const row = await ids
    .orderBy('client_id')
    .limit(1)
    .offset(count - 1)
    .executeTakeFirst();
  return row?.client_id ?? null;
}

async function withCredentials(
  db: Kysely<Tables>,
  rows: readonly Row[],
  nowMs: number,
): Promise<ListedApiUser[]> {
  const ids = rows.map((row) => row.client_id);
  const credentials = await credentialsOf(db, ids, nowMs);
  const names = await organisationNames(db, rows);
  return rows.map((row) => {
    const of = credentials.get(row.client_id);
    return {
      user: fromRow(row),
      organisationName: names.get(row.organisation_id ?? '') ?? null,
      lastUsedAt: of?.lastUsedAt ?? row.last_used_at,
      liveCredentials: of?.liveCredentials ?? 0,
      nextExpiryAt: of?.nextExpiryAt ?? null,
    };
  });
}

async function organisationNames(db: Kysely<Tables>, rows: readonly Row[]): Promise<Map<string, string>> {
  const ids = Array.from(new Set(rows.flatMap((row) => row.organisation_id ?? [])));
  if (ids.length === 0) return new Map();
  const named = await db.selectFrom('organisations').select(['id', 'name']).where('id', 'in', ids).execute();
  return new Map(named.map(({ id, name }) => [id, name]));
}

/** Returns whether the table is small. Counts in an index and remembers the result for `SMALL_KEPT_MS`. */
function smallness(db: Kysely<Tables>, bounds: ListBounds): () => Promise<boolean> {
  let estimate: { small: boolean; until: number } | undefined;
  return async () => {
    if (estimate === undefined || estimate.until <= performance.now()) {
      const small = await areFew(db, bounds);
      estimate = { small, until: performance.now() + SMALL_KEPT_MS };
    }
    return estimate.small;
  };
}

/**
 * Counts in pieces, so that it can stop early. If a table has changed much since the last VACUUM, PostgreSQL
 * also visits each counted row of it: that took 2 s for 200,000 of ten million API users.
 */
async function areFew(db: Kysely<Tables>, bounds: ListBounds): Promise<boolean> {
  const startedAt = performance.now();
  const inOrderOfIds = db.selectFrom('api_users').select('client_id').orderBy('client_id').limit(1);
  let after = '';
  let counted = 0;
  for (
    let piece = bounds.lookedAtFirst;
    counted <= bounds.tableMax;
    piece = Math.min(2 * piece, LOOKED_AT_MOST)
  ) {
    const last = await inOrderOfIds
      .where('client_id', '>', after)
      .offset(piece - 1)
      .executeTakeFirst();
    if (last === undefined) return true;
    if (performance.now() - startedAt > bounds.countMs) return false;
    counted += piece;
    after = last.client_id;
  }
  return false;
}

/** The columns that sort lists. A caller chooses one of them; no text of a caller enters a statement. */
const COLUMNS = { created_at: 'created_at', name: 'name_key', last_used_at: 'last_used_at' } as const;

/** Stands for a missing time, and sorts last in its direction: one is below every time, the other above. */
const NONE = { descending: -1, ascending: 8_640_000_000_000_001 } as const;

/** The conditions of a filter, except `enabled = 0`, which has indexes of its own: see `amongOf`. */
function conditionOf(
  { search, enabled, scope, organisation }: ApiUserFilter,
  but: readonly string[],
): RawBuilder<SqlBool> | null {
  const conditions: RawBuilder<SqlBool>[] = [];
  if (organisation === OF_THE_PLATFORM) conditions.push(sql`organisation_id is null`);
  else if (organisation !== null) conditions.push(sql`organisation_id = ${organisation}`);
  if (search !== null) conditions.push(contains('search_text', searchKey(search)));
  if (enabled === true) conditions.push(sql`enabled = 1`);
  // A scope contains no quotation mark or backslash, so JSON holds it unescaped between quotation marks.
  if (scope !== null) conditions.push(containsExactly('scopes', `"${scope}"`));
  if (but.length > 0) conditions.push(sql`not ${within(but)}`);
  return conditions.length === 0 ? null : sql`${sql.join(conditions, sql` and `)}`;
}

/** An organisation has few API users, and indexes of them in the orders of the list. */
function isOneOrganisation({ organisation }: ApiUserFilter): boolean {
  return organisation !== null && organisation !== OF_THE_PLATFORM;
}

function amongOf({ enabled }: ApiUserFilter): RawBuilder<SqlBool> {
  return enabled === false ? sql<SqlBool>`enabled = 0` : sql<SqlBool>`1 = 1`;
}

/**
 * API users whose client id or username equals the search. They come first in the list, so that a search
 * among millions shows them at once, and the rest of the list omits them. On pages of one or two items they
 * stay where the sort order puts them.
 */
async function namedBySearch(
  db: Kysely<Tables>,
  filter: ApiUserFilter,
  { limit }: ApiUserListPage,
): Promise<Row[]> {
  const { search } = filter;
  if (search === null || limit <= NAMED_MAX) return [];
  const { rows } = await sql<Row>`
    select * from api_users where (client_id = ${search} or username_key = ${searchKey(search)})
      and ${amongOf(filter)} and ${conditionOf(filter, []) ?? sql`1 = 1`}
    order by client_id limit ${NAMED_MAX}`.execute(db);
  return rows;
}

type Row = ApiUserRow & { last_used_at: number | null };

/** A part of a list: the condition for its API users, and the columns that sort them. */
interface Stretch {
  within: RawBuilder<SqlBool>;
  keys: readonly RawBuilder<unknown>[];
  descending: boolean;
}

interface RowsPage {
  rows: Row[];
  next: ApiUserPosition | null;
}

/**
 * API users without a value come last, in either direction and in both databases.
 *
 * Without a condition, the page is read in the order of an index. With a condition, too, if many API users
 * match. If few match, the method depends on the table (docs/decisions/061). A small table is read from end
 * to end: that takes a tenth of the time of an index that leads to every row. In a larger table, if few API
 * users have the scope, only those are read. Otherwise the page ends after `lookMs`, even if empty.
 */
async function pageOf(
  db: Kysely<Tables>,
  condition: RawBuilder<SqlBool> | null,
  filter: ApiUserFilter,
  page: ApiUserListPage,
  bounds: ListBounds,
  isSmall: () => Promise<boolean>,
): Promise<RowsPage> {
  const among = amongOf(filter);
  if (condition === null) return await inOrder(db, among, page);
  const startedAt = performance.now();
  const both = sql<SqlBool>`${among} and ${condition}`;
  // No index has an organisation's API users in the order of their last use: the database sorts these few.
  if (isOneOrganisation(filter))
    return page.sort === 'last_used_at' ? await inTheTable(db, both, page) : await inOrder(db, both, page);
  const rows: Row[] = [];
  let { after } = page;
  for (let looked = bounds.lookedAtFirst; ; looked = Math.min(2 * looked, LOOKED_AT_MOST)) {
    const rest = { ...page, after, limit: page.limit - rows.length };
    const end = await lookedUpTo(db, among, rest, looked);
    const stretch = await select(stretchOf(rest, end), both, rest.limit + 1).execute(db);
    rows.push(...stretch.rows);
    if (rows.length > page.limit) return ended(rows, page);
    // API users without a value follow those with one.
    if (end === null && (page.sort !== 'last_used_at' || isPast(after))) return { rows, next: null };
    after = end ?? beforeThoseWithout(page);
    if (looked === bounds.lookedAtFirst && rows.length < page.limit) {
      if (await isSmall()) return await inTheTable(db, both, page);
      const ids = filter.scope === null ? null : await havingScope(db, filter.scope, bounds.scopeMax);
      if (ids !== null) return await inTheTable(db, sql`${both} and ${within(ids)}`, page);
    }
    if (performance.now() - startedAt > bounds.lookMs || rows.length === page.limit)
      return { rows, next: after };
  }
}

async function inOrder(
  db: Kysely<Tables>,
  among: RawBuilder<SqlBool>,
  page: ApiUserListPage,
): Promise<RowsPage> {
  const rows: Row[] = [];
  if (!isPast(page.after))
    rows.push(...(await select(stretchOf(page), among, page.limit + 1).execute(db)).rows);
  if (page.sort === 'last_used_at' && rows.length <= page.limit) {
    const after = isPast(page.after) ? page.after : beforeThoseWithout(page);
    const most = page.limit + 1 - rows.length;
    rows.push(...(await select(stretchOf({ ...page, after }), among, most).execute(db)).rows);
  }
  return ended(rows, page);
}

async function inTheTable(
  db: Kysely<Tables>,
  condition: RawBuilder<SqlBool>,
  page: ApiUserListPage,
): Promise<RowsPage> {
  const { rows } = await select(inTheOrderOfTheTable(page), condition, page.limit + 1).execute(db);
  return ended(rows, page);
}

/** A row beyond the limit shows that another page follows. */
function ended(rows: Row[], { limit, sort }: ApiUserListPage): RowsPage {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return {
    rows: rows.slice(0, limit),
    next: last === undefined ? null : [last[COLUMNS[sort]], last.client_id],
  };
}

/** The position of the `count`-th API user after `page.after`, from an index alone; null if fewer follow. */
async function lookedUpTo(
  db: Kysely<Tables>,
  among: RawBuilder<SqlBool>,
  page: ApiUserListPage,
  count: number,
): Promise<ApiUserPosition | null> {
  const stretch = stretchOf(page);
  const value = isPast(page.after) ? sql`null` : sql.ref(COLUMNS[page.sort]);
  const { rows } = await sql<{ value: string | number | null; id: string }>`
    select ${value} as value, client_id as id from api_users where ${among} and ${stretch.within}
    order by ${orderOf(stretch)} limit 1 offset ${count - 1}`.execute(db);
  return rows[0] === undefined ? null : [rows[0].value, rows[0].id];
}

/**
 * Client ids of all API users with a scope, found through the few different sets of scopes. Null if more than
 * `most` have it, or if there are too many sets.
 */
async function havingScope(db: Kysely<Tables>, scope: string, most: number): Promise<string[] | null> {
  const { rows: sets } = await sql<{ scopes: string }>`
    with recursive sets (scopes, n) as (
      select min(scopes), 1 from api_users
      union all
      select (select min(u.scopes) from api_users as u where u.scopes > sets.scopes), n + 1
      from sets where sets.scopes is not null and n <= ${sql.lit(SCOPE_SETS_MAX)})
    select scopes from sets where scopes is not null`.execute(db);
  if (sets.length > SCOPE_SETS_MAX) return null;
  const ids: string[] = [];
  for (const { scopes } of sets.filter((set) => set.scopes.includes(`"${scope}"`))) {
    // A range, in the order of the index: the database then uses the index, even if it expects many rows.
    const { rows } = await sql<{ id: string }>`
      select client_id as id from api_users where scopes >= ${scopes} and scopes <= ${scopes}
      order by scopes limit ${most + 1 - ids.length}`.execute(db);
    ids.push(...rows.map(({ id }) => id));
    if (ids.length > most) return null;
  }
  return ids;
}

const within = (ids: readonly string[]): RawBuilder<SqlBool> =>
  ids.length === 0 ? sql`1 = 0` : sql`client_id in (${sql.join(ids)})`;

/** The position before all API users without a value: in this direction, no client id sorts before it. */
const beforeThoseWithout = ({ descending }: ApiUserListPage): ApiUserPosition => [
  null,
  descending ? LAST_TEXT : '',
];

/** The last character of Unicode sorts after every client id. One may begin with ~, the last of ASCII. */
const LAST_TEXT = '\u{10ffff}';

const isPast = (after: ApiUserPosition | null): after is ApiUserPosition =>
  after !== null && after[0] === null;

const firstOf = ([, , ...ids]: ApiUserPosition): readonly string[] => ids;

/** From the start of a page up to and including `end`: the API users with a value, or those without. */
function stretchOf(
  { sort, descending, after }: ApiUserListPage,
  end: ApiUserPosition | null = null,
): Stretch {
  const column = sql.ref(COLUMNS[sort]);
  const id = sql.ref('client_id');
  const past = isPast(after);
  const keys = past ? [id] : [column, id];
  const bound = (at: ApiUserPosition, beyond: boolean): RawBuilder<SqlBool> => {
    const operator = sql.raw(`${beyond === descending ? '<' : '>'}${beyond ? '' : '='}`);
    return sql`and (${sql.join(keys)}) ${operator} (${sql.join(past ? [at[1]] : [at[0], at[1]])})`;
  };
  const from = after === null ? sql`` : bound(after, true);
  const to = end === null ? sql`` : bound(end, false);
  return { within: sql`${column} is ${past ? sql`` : sql`not`} null ${from} ${to}`, keys, descending };
}

/** The list from the start of a page. No index matches `coalesce`, so the database reads the table. */
function inTheOrderOfTheTable({ sort, descending, after }: ApiUserListPage): Stretch {
  const column = sql.ref(COLUMNS[sort]);
  const none = NONE[descending ? 'descending' : 'ascending'];
  const value = sort === 'name' ? sql`coalesce(${column}, '')` : sql`coalesce(${column}, ${sql.lit(none)})`;
  const keys = [value, sql`coalesce(client_id, '')`];
  const later = (at: ApiUserPosition) =>
    sql<SqlBool>`(${sql.join(keys)}) ${descending ? sql`<` : sql`>`} (${sql.join([at[0] ?? none, at[1]])})`;
  return { within: after === null ? sql`1 = 1` : later(after), keys, descending };
}

const orderOf = ({ keys, descending }: Stretch): RawBuilder<unknown> =>
  sql.join(keys.map((key) => sql`${key} ${descending ? sql`desc` : sql`asc`}`));

function select(stretch: Stretch, condition: RawBuilder<SqlBool>, limit: number): RawBuilder<Row> {
  return sql<Row>`
    select * from api_users where ${condition} and ${stretch.within} order by ${orderOf(stretch)} limit ${limit}`;
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
