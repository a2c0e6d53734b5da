import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import type { Tables } from '../schema.ts';

/**
 * Versions of API users, the columns that sort and search lists of them, and the idempotency keys of changes.
 * The previous version does not fill in the columns: a search finds an API user that it renames by the old
 * name, and one that it creates not at all, until the next change by this version.
 */
export const apiUserVersions: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const add = (name: 'name_key' | 'search_text') =>
      db.schema.alterTable('api_users').addColumn(name, 'text', (column) => column.notNull().defaultTo(''));
    await add('name_key').execute();
    await add('search_text').execute();
    await db.schema
      .alterTable('api_users')
      .addColumn('version', 'bigint', (column) => column.notNull().defaultTo(1))
      .execute();
    await fillIn(db);
    for (const by of ['name_key', 'created_at'] as const) {
      await db.schema.createIndex(`api_users_${by}`).on('api_users').columns([by, 'client_id']).execute();
    }
    await db.schema
      .createTable('idempotency_keys')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('request', 'text', (column) => column.notNull())
      .addColumn('made', 'text', (column) => column.notNull())
      .addColumn('removes_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex('idempotency_keys_removes_at')
      .on('idempotency_keys')
      .column('removes_at')
      .execute();
  },
};

const PAGE = 500;

/** JavaScript computes the keys: `lower` of SQLite changes ASCII letters only. */
async function fillIn(db: Kysely<unknown>): Promise<void> {
  let after = '';
  for (;;) {
    const rows = await db
      .withTables<Pick<Tables, 'api_users'>>()
      .selectFrom('api_users')
      .select(['client_id', 'name', 'username', 'contact'])
      .where('client_id', '>', after)
      .orderBy('client_id')
      .limit(PAGE)
      .execute();
    for (const { client_id: clientId, name, username, contact } of rows) {
      const texts = [name, clientId, username, contact].filter((text) => text !== null);
      await db
        .withTables<Pick<Tables, 'api_users'>>()
        .updateTable('api_users')
        .set({ name_key: key(name), search_text: key(texts.join('\n')) })
        .where('client_id', '=', clientId)
        .execute();
      after = clientId;
    }
    if (rows.length < PAGE) return;
  }
}

/** The same key as `searchKey` in domain/api-user-list.ts. */
function key(text: string): string {
  return text.normalize('NFC').toLowerCase();
}
