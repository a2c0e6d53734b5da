import type { Insertable, Kysely, Selectable } from 'kysely';
import { usernameKey, type ApiUser } from '../domain/api-user.ts';
import { searchKey, searchText } from '../domain/api-user-list.ts';
import type { ApiUserRow, Tables } from './schema.ts';
import { StoreError } from './store-error.ts';

/** A page of API users in the order of their client ids. */
export interface ApiUserPage {
  /** The client id of the last API user of the page before; null: from the start. */
  after: string | null;
  limit: number;
}

export interface ApiUserRows {
  find(clientId: string): Promise<ApiUser | undefined>;
  findByUsername(username: string): Promise<ApiUser | undefined>;
  list(page: ApiUserPage): Promise<ApiUser[]>;
  /** True where there is at least one: cheaper than a count at a million. */
  any(): Promise<boolean>;
  insert(user: ApiUser): Promise<void>;
  /** Its version must be the one after that of the store: a change that was made from another is refused as a conflict. */
  update(user: ApiUser): Promise<void>;
  delete(clientId: string): Promise<boolean>;
}

export function apiUserRows(db: Kysely<Tables>): ApiUserRows {
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
    async list({ after, limit }) {
      const from = after === null ? all : all.where('client_id', '>', after);
      return (await from.orderBy('client_id').limit(limit).execute()).map(fromRow);
    },
    async any() {
      return (await db.selectFrom('api_users').select('client_id').limit(1).execute()).length > 0;
    },
    async insert(user) {
      await db.insertInto('api_users').values(toRow(user)).execute();
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

function toRow(user: ApiUser): Insertable<ApiUserRow> {
  return {
    client_id: user.clientId,
    name: user.name,
    username: user.username,
    username_key: user.username === null ? null : usernameKey(user.username),
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
  };
}

export function fromRow(row: Selectable<ApiUserRow>): ApiUser {
  return {
    clientId: row.client_id,
    name: row.name,
    username: row.username,
    contact: row.contact,
    enabled: row.enabled === 1,
    scopes: JSON.parse(row.scopes) as string[],
    audiences: JSON.parse(row.audiences) as string[],
    limitPerMinute: row.limit_per_minute,
    allowedNetworks: JSON.parse(row.allowed_networks) as string[],
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    version: row.version,
  };
}
