import { sql, type Kysely, type RawBuilder, type SqlBool } from 'kysely';
import {
  NAMED_MAX,
  searchKey,
  type ApiUserFilter,
  type ApiUserListed,
  type ApiUserListPage,
  type ApiUserPosition,
  type ListedApiUser,
} from '../../domain/api-user-list.ts';
import { fromRow, type ApiUserPage } from './api-user.ts';
import { contains } from './contains.ts';
import type { ApiUserRow, Tables } from '../schema.ts';

export interface ApiUserListRows {
  /** A page of a list. What is live and expires is so at `nowMs`. */
  page(filter: ApiUserFilter, page: ApiUserListPage, nowMs: number): Promise<ApiUserListed>;
  /** The same for commands and exports, which may take longer: in the order of the client ids, and full unless it is the last. */
  byId(filter: ApiUserFilter, page: ApiUserPage, nowMs: number): Promise<ListedApiUser[]>;
}

/** How much is looked at for a page on which few are. */
export interface ListBounds {
  /** So many are looked at first in the order of the list, one by one, */
  lookedAtFirst: number;
  /** then, where there are not more in all, the whole table, */
  tableMax: number;
  /** if they could be counted in so long, in milliseconds: else reading them would take longer still, */
  countMs: number;
  /** and else twice as many as before, until it took so long, in milliseconds. */
  lookMs: number;
  /** With a scope that no more have than these, all of those are read instead. */
  scopeMax: number;
  /** A command reads so many at a time in the order of their ids. */
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
/** How long a table that was found to be small, or not to be, is taken for that, in milliseconds. */
const SMALL_KEPT_MS = 60_000;
/** Different sets of scopes. With more of them, what has a scope is looked for as everything else is. */
const SCOPE_SETS_MAX = 500;

export function apiUserListRows(db: Kysely<Tables>, bounds: ListBounds = BOUNDS): ApiUserListRows {
  const isSmall = smallness(db, bounds);
  return {
    async page(filter, page, nowMs) {
      const first = page.after === null ? await namedBySearch(db, filter, page) : [];
      const firstIds = page.after === null ? first.map((row) => row.client_id) : firstOf(page.after);
      const rest = { ...page, limit: page.limit - first.length };
      const found = await pageOf(db, conditionOf(filter, firstIds), filter, rest, bounds, isSmall);
      const items = await withCredentials(db, [...first, ...found.rows], nowMs);
      return { items, next: found.next && [found.next[0], found.next[1], ...firstIds] };
    },
    async byId(filter, { after, limit }, nowMs) {
      const matching = sql<SqlBool>`${amongOf(filter)} and ${conditionOf(filter, []) ?? sql`1 = 1`}`;
      const rows: Row[] = [];
      // In stretches: a statement that reads millions for a few would meet the time limit of PostgreSQL.
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

/** Rows of a stretch: some tenths of a second of PostgreSQL. */
const STRETCH = 50_000;

/** The client id that is `count` after this one; null: there are fewer. */
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
  return rows.map((row) => {
    const of = credentials.get(row.client_id);
    return {
      user: fromRow(row),
      lastUsedAt: of?.lastUsedAt ?? row.last_used_at,
      liveCredentials: of?.liveCredentials ?? 0,
      nextExpiryAt: of?.nextExpiryAt ?? null,
    };
  });
}

/** True where there are few: counted in an index, and not again for each page. */
function smallness(db: Kysely<Tables>, bounds: ListBounds): () => Promise<boolean> {
  let known: { small: boolean; until: number } | undefined;
  return async () => {
    if (known === undefined || known.until <= performance.now()) {
      const small = await areFew(db, bounds);
      known = { small, until: performance.now() + SMALL_KEPT_MS };
    }
    return known.small;
  };
}

/**
 * Piece by piece: of a table that was changed much since the last VACUUM, PostgreSQL looks at each row as well, which took 2 s for
 * 200,000 of ten million.
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

/** The columns that lists are sorted by: nothing that a caller sends becomes a part of a statement. */
const COLUMNS = { created_at: 'created_at', name: 'name_key', last_used_at: 'last_used_at' } as const;

/** What stands for no value at the end of a list in either direction: before and after every time that there is. */
const NONE = { descending: -1, ascending: 8_640_000_000_000_001 } as const;

/** Those that are disabled have indexes of their own: this is said of them beside the condition. */
function conditionOf(
  { search, enabled, scope }: ApiUserFilter,
  but: readonly string[],
): RawBuilder<SqlBool> | null {
  const conditions: RawBuilder<SqlBool>[] = [];
  if (search !== null) conditions.push(contains('search_text', searchKey(search)));
  if (enabled === true) conditions.push(sql`enabled = 1`);
  // A scope holds neither quotation mark nor backslash, so it stands in the JSON array between two of the former.
  if (scope !== null) conditions.push(contains('scopes', `"${scope}"`));
  if (but.length > 0) conditions.push(sql`not ${within(but)}`);
  return conditions.length === 0 ? null : sql`${sql.join(conditions, sql` and `)}`;
}

function amongOf({ enabled }: ApiUserFilter): RawBuilder<SqlBool> {
  return enabled === false ? sql<SqlBool>`enabled = 0` : sql<SqlBool>`1 = 1`;
}

/**
 * Whose client id or username the search is: they come first in the list, and not again in their place, so that among
 * millions nobody waits for them. Where they may not fill the first page, they are left in their place.
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

/** A stretch of a list: which API users are in it, and the columns in whose order they are. */
interface Stretch {
  within: RawBuilder<SqlBool>;
  keys: readonly RawBuilder<unknown>[];
  descending: boolean;
}

interface Found {
  rows: Row[];
  next: ApiUserPosition | null;
}

/**
 * Those without a value come after all that have one, whichever way the list is sorted and whatever the database does.
 *
 * Where nothing is asked of the API users, they are read in the order of an index. Else too, as long as those that meet the
 * condition are many. Where they are not: a table that is small is read from end to end, which takes a tenth of the time of
 * an index that leads to every row; a scope that few have leads to these; and else the page ends where it took long enough,
 * however few are on it (docs/decisions/061).
 */
async function pageOf(
  db: Kysely<Tables>,
  condition: RawBuilder<SqlBool> | null,
  filter: ApiUserFilter,
  page: ApiUserListPage,
  bounds: ListBounds,
  isSmall: () => Promise<boolean>,
): Promise<Found> {
  const among = amongOf(filter);
  if (condition === null) return await inOrder(db, among, page);
  const startedAt = performance.now();
  const both = sql<SqlBool>`${among} and ${condition}`;
  const rows: Row[] = [];
  let { after } = page;
  for (let looked = bounds.lookedAtFirst; ; looked = Math.min(2 * looked, LOOKED_AT_MOST)) {
    const rest = { ...page, after, limit: page.limit - rows.length };
    const end = await lookedUpTo(db, among, rest, looked);
    const found = await select(stretchOf(rest, end), both, rest.limit + 1).execute(db);
    rows.push(...found.rows);
    if (rows.length > page.limit) return ended(rows, page);
    // Behind those with a value come those without.
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
): Promise<Found> {
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
): Promise<Found> {
  const { rows } = await select(inTheOrderOfTheTable(page), condition, page.limit + 1).execute(db);
  return ended(rows, page);
}

/** One row more than fit says that there is another page. */
function ended(rows: Row[], { limit, sort }: ApiUserListPage): Found {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return {
    rows: rows.slice(0, limit),
    next: last === undefined ? null : [last[COLUMNS[sort]], last.client_id],
  };
}

/** Where so many after the start of a page end, read from an index alone; null: there are not so many. */
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

/** All that have a scope; null: those are too many, or not found without reading all. Found by the few sets of scopes there are. */
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
    // As a range, in its order: read from the index however many the database takes them for.
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

/** Before, or after, every client id there is. */
const beforeThoseWithout = ({ descending }: ApiUserListPage): ApiUserPosition => [
  null,
  descending ? LAST_TEXT : '',
];

/** The last character of Unicode, so the last text by bytes: a client id may begin with ~, the last one of ASCII. */
const LAST_TEXT = '\u{10ffff}';

const isPast = (after: ApiUserPosition | null): after is ApiUserPosition =>
  after !== null && after[0] === null;

const firstOf = ([, , ...ids]: ApiUserPosition): readonly string[] => ids;

/** From the start of a page up to and with `end`: those with a value, or those without. */
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

/** All of the list. A column inside of `coalesce` is one that no index is for. */
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
