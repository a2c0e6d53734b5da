import { sql, type Insertable, type Kysely, type RawBuilder, type Selectable } from 'kysely';
import { usernameKey, type ApiUser } from '../../domain/api-user.ts';
import { NO_CLAIMS, type Claims } from '../../domain/claims.ts';
import { searchKey, searchText } from '../../domain/api-user-list.ts';
import type { ApiUserRow, Tables } from '../schema.ts';
import type { Connections } from '../connections.ts';
import { StoreError } from '../store-error.ts';

/** A page of API users in the order of their client ids. */
export interface ApiUserPage {
  /** The client id of the last API user of the previous page; null: from the start. */
  after: string | null;
  limit: number;
}

/** The names of an API user. */
export interface Name {
  clientId: string;
  /** The username in the form in which usernames are compared. */
  usernameKey: string | null;
}

export interface TakenNames {
  clientIds: string[];
  /** Of the client ids and usernames: those that a username equals, in the form of `usernameKey`. */
  usernameKeys: string[];
  /** Of the usernames: those that a client id equals in any letter case, in the same form. */
  clientIdKeys: string[];
}

export interface Imported {
  user: ApiUser;
  /** Digest of the import line that created the API user; null if the line has a client id or external id. */
  importKey: string | null;
}

export interface ApiUserRows {
  find(clientId: string): Promise<ApiUser | undefined>;
  findByUsername(username: string): Promise<ApiUser | undefined>;
  list(page: ApiUserPage): Promise<ApiUser[]>;
  /** Up to `limit` API users of an organisation with a client id greater than `after`, in that order. */
  listOfOrganisation(organisationId: string, page: ApiUserPage): Promise<ApiUser[]>;
  /** True if at least one API user exists. With a million of them, this is cheaper than a count. */
  any(): Promise<boolean>;
  /** The number of API users of an organisation, and of the enabled ones among them. */
  countIn(organisationId: string): Promise<{ total: number; enabled: number }>;
  insert(...users: ApiUser[]): Promise<void>;
  /** API users with one of these external ids, or created by a line with one of these import keys. */
  imported(externalIds: readonly string[], importKeys: readonly string[]): Promise<Imported[]>;
  insertImported(records: readonly Imported[]): Promise<void>;
  /** API users that have this text as their client id or username, in any letter case. */
  named(name: string): Promise<Name[]>;
  /** The names that API users already have among these client ids and usernames. */
  taken(clientIds: readonly string[], usernames: readonly string[]): Promise<TakenNames>;
  /** Up to `limit` usernames that equal another's client id in any letter case: older versions allowed it. */
  conflicts(limit: number): Promise<{ username: string; clientId: string; otherClientId: string }[]>;
  /** Throws a conflict unless the version of `user` is one above the version in the store. */
  update(user: ApiUser): Promise<void>;
  delete(clientId: string): Promise<boolean>;
  /** Up to `limit` client ids of an organisation greater than `after`, in that order. */
  clientIdsOf(organisationId: string, after: string, limit: number): Promise<string[]>;
}

export function apiUserRows(
  db: Kysely<Tables>,
  { texts, insertRows }: Pick<Connections, 'texts' | 'insertRows'>,
): ApiUserRows {
  const all = db.selectFrom('api_users').selectAll();
  return {
    async find(clientId) {
      const row = await all.where('client_id', '=', clientId).executeTakeFirst();
      return row && fromRow(row);
    },
    async findByUsername(username) {
      const row = await all.where('username_key', '=', usernameKey(username)).executeTakeFirst();
      return row && fromRow(row);
    },
    countIn: (organisationId) => countIn(db, organisationId),
    async clientIdsOf(organisationId, after, limit) {
      const within = db.selectFrom('api_users').where('organisation_id', '=', organisationId);
      const rows = within.select('client_id').where('client_id', '>', after).orderBy('client_id');
      return (await rows.limit(limit).execute()).map((row) => row.client_id);
    },
    async list({ after, limit }) {
      const from = after === null ? all : all.where('client_id', '>', after);
      return (await from.orderBy('client_id').limit(limit).execute()).map(fromRow);
    },
    async listOfOrganisation(organisationId, { after, limit }) {
      const within = all.where('organisation_id', '=', organisationId).where('client_id', '>', after ?? '');
      return (await within.orderBy('client_id').limit(limit).execute()).map(fromRow);
    },
    async any() {
      return (await db.selectFrom('api_users').select('client_id').limit(1).execute()).length > 0;
    },
    async insert(...users) {
      await db.insertInto('api_users').values(users.map(toRow)).execute();
    },
    async imported(externalIds, importKeys) {
      if (externalIds.length + importKeys.length === 0) return [];
      const rows = await all
        .where((row) =>
          row.or([
            row('external_id', 'in', externalIds.length > 0 ? externalIds : [null]),
            row('import_key', 'in', importKeys.length > 0 ? importKeys : [null]),
          ]),
        )
        .execute();
      return rows.map((row) => ({ user: fromRow(row), importKey: row.import_key }));
    },
    async insertImported(records) {
      const rows = records.map(({ user, importKey }) => ({ ...toRow(user), import_key: importKey }));
      await insertRows(db, 'api_users', rows);
    },
    async named(name) {
      const key = usernameKey(name);
      return await db
        .selectFrom('api_users')
        .select(['client_id as clientId', 'username_key as usernameKey'])
        .where((row) => row.or([row(clientIdKey('client_id'), '=', key), row('username_key', '=', key)]))
        .execute();
    },
    taken: (clientIds, usernames) => takenNames(db, texts, clientIds, usernames),
    async conflicts(limit) {
      return await db
        .selectFrom('api_users as named')
        .innerJoin('api_users as other', (join) =>
          join.on(clientIdKey('other.client_id'), '=', sql.ref('named.username_key')),
        )
        .whereRef('named.client_id', '<>', 'other.client_id')
        .select([
          'named.username_key as username',
          'named.client_id as clientId',
          'other.client_id as otherClientId',
        ])
        .$narrowType<{ username: string }>()
        .orderBy('named.client_id')
        .limit(limit)
        .execute();
    },
    async update(user) {
      const result = await db
        .updateTable('api_users')
        .set(toRow(user))
        .where('client_id', '=', user.clientId)
        .where('version', '=', user.version - 1)
        .executeTakeFirst();
      if (result.numUpdatedRows === 1n) return;
      throw new StoreError(
        'conflict',
        `The API user ${user.clientId} has another version than ${user.version - 1}.`,
      );
    },
    async delete(clientId) {
      const result = await db.deleteFrom('api_users').where('client_id', '=', clientId).executeTakeFirst();
      return result.numDeletedRows > 0n;
    },
  };
}

/**
 * One look-up in an index for each text: PostgreSQL has no statistics of `lower(client_id)` before the first
 * ANALYZE, and would read the whole table for a list.
 */
async function takenNames(
  db: Kysely<Tables>,
  texts: Connections['texts'],
  clientIds: readonly string[],
  usernames: readonly string[],
): Promise<TakenNames> {
  const existing: TakenNames = { clientIds: [], usernameKeys: [], clientIdKeys: [] };
  if (clientIds.length + usernames.length === 0) return existing;
  const listOf = (names: readonly string[]) => texts(JSON.stringify(Array.from(new Set(names))));
  const keys = usernames.map(usernameKey);
  const { rows } = await sql<{ of: keyof TakenNames; name: string }>`
    select 'clientIds' as of, value as name from ${listOf(clientIds)} as ids
      where (select count(*) from api_users where client_id = value) > 0
    union all select 'usernameKeys', value from ${listOf([...clientIds.map(usernameKey), ...keys])} as names
      where (select count(*) from api_users where username_key = value) > 0
    union all select 'clientIdKeys', value from ${listOf(keys)} as usernames
      where (select count(*) from api_users where ${clientIdKey('client_id')} = value) > 0`.execute(db);
  for (const { of, name } of rows) existing[of].push(name);
  return existing;
}

/** The `usernameKey` of a client id in SQL: client ids are ASCII. Migration 013 has an index of this. */
function clientIdKey(column: string): RawBuilder<string> {
  return sql<string>`lower(${sql.ref(column)})`;
}

function toRow(user: ApiUser): Insertable<ApiUserRow> {
  return {
    client_id: user.clientId,
    name: user.name,
    username: user.username,
    username_key: user.username === null ? null : usernameKey(user.username),
    external_id: user.externalId,
    contact: user.contact,
    enabled: user.enabled ? 1 : 0,
    scopes: JSON.stringify(user.scopes),
    audiences: JSON.stringify(user.audiences),
    allowed_networks: JSON.stringify(user.allowedNetworks),
    limit_per_minute: user.limitPerMinute,
    created_at: user.createdAt,
    updated_at: user.updatedAt,
    name_key: searchKey(user.name),
    search_text: searchText(user),
    version: user.version,
    organisation_id: user.organisationId,
    claims: Object.keys(user.claims).length === 0 ? null : JSON.stringify(user.claims),
    token_life_seconds: user.tokenLifeSeconds,
  };
}

export function fromRow(row: Selectable<ApiUserRow>): ApiUser {
  return {
    clientId: row.client_id,
    name: row.name,
    username: row.username,
    externalId: row.external_id,
    contact: row.contact,
    enabled: row.enabled === 1,
    scopes: JSON.parse(row.scopes) as string[],
    audiences: JSON.parse(row.audiences) as string[],
    limitPerMinute: row.limit_per_minute,
    allowedNetworks: JSON.parse(row.allowed_networks) as string[],
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    version: row.version,
    organisationId: row.organisation_id,
    claims: row.claims === null ? NO_CLAIMS : (JSON.parse(row.claims) as Claims),
    tokenLifeSeconds: row.token_life_seconds,
  };
}

async function countIn(
  db: Kysely<Tables>,
  organisationId: string,
): Promise<{ total: number; enabled: number }> {
  const { total, enabled } = await db
    .selectFrom('api_users')
    .where('organisation_id', '=', organisationId)
    .select(({ fn }) => [fn.countAll().as('total'), fn.sum('enabled').as('enabled')])
    .executeTakeFirstOrThrow();
  return { total: Number(total), enabled: Number(enabled ?? 0) };
}
