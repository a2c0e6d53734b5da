import { sql, SqliteAdapter, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { POSTGRES_MARK } from '../schema.ts';

/** All tables of the first version. SQLite and PostgreSQL share their types: 64-bit integers and text. */
export const first: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await createMetaAndFeed(db);
    await createApiUsers(db);
    await createCredentials(db);
    await createSigningKeys(db);
  },
};

async function createMetaAndFeed(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('meta')
    .addColumn('key', 'text', (column) => column.primaryKey())
    .addColumn('value', 'text', (column) => column.notNull())
    .execute();
  // A SQLite file has its mark (pragma application_id) before its first table.
  if (!isSqlite(db)) await sql`comment on table meta is ${sql.lit(POSTGRES_MARK)}`.execute(db);
  await db.schema
    .createTable('epoch')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('n', 'bigint', (column) => column.notNull())
    .execute();
  await sql`insert into epoch (id, n) values (1, 0)`.execute(db);
  await db.schema
    .createTable('changes')
    .addColumn('n', 'bigint', (column) => column.primaryKey())
    .addColumn('noun', 'text', (column) => column.notNull())
    .addColumn('id', 'text', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .execute();
}

async function createApiUsers(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('api_users')
    .addColumn('client_id', 'text', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('username', 'text')
    .addColumn('username_key', 'text', (column) => column.unique())
    .addColumn('contact', 'text')
    .addColumn('enabled', 'integer', (column) => column.notNull())
    .addColumn('scopes', 'text', (column) => column.notNull())
    .addColumn('audiences', 'text', (column) => column.notNull())
    .addColumn('allowed_networks', 'text', (column) => column.notNull())
    .addColumn('limit_per_minute', 'integer')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .execute();
}

async function createCredentials(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('credentials')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('client_id', 'text', (column) =>
      column.notNull().references('api_users.client_id').onDelete('cascade'),
    )
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('expires_at', 'bigint')
    .addColumn('retired_at', 'bigint')
    .execute();
  await db.schema.createIndex('credentials_client_id').on('credentials').column('client_id').execute();
  // Only credentials that end: removing those that ended long ago then does not read the others.
  for (const end of ['expires_at', 'retired_at'] as const) {
    const index = db.schema.createIndex(`credentials_${end}`).on('credentials').column(end);
    await index.where(end, 'is not', null).execute();
  }
  // No foreign key: its check would cost every use a look-up. Code that deletes a credential deletes its use.
  const usage = db.schema
    .createTable('credential_usage')
    .addColumn('credential_id', 'text', (column) => column.primaryKey())
    .addColumn('last_used_at', 'bigint', (column) => column.notNull())
    .addColumn('last_used_address', 'text', (column) => column.notNull())
    .addColumn('use_count', 'bigint', (column) => column.notNull());
  // SQLite stores the table as one tree in the order of its key: a batch of neighbours then writes few pages.
  await (isSqlite(db) ? usage.modifyEnd(sql`without rowid`) : usage).execute();
}

export function isSqlite(db: Kysely<unknown>): boolean {
  return db.getExecutor().adapter instanceof SqliteAdapter;
}

async function createSigningKeys(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('signing_keys')
    .addColumn('kid', 'text', (column) => column.primaryKey())
    .addColumn('algorithm', 'text', (column) => column.notNull())
    .addColumn('public_jwk', 'text', (column) => column.notNull())
    .addColumn('sealed_private_key', 'text')
    .addColumn('announced_at', 'bigint', (column) => column.notNull())
    .addColumn('activates_at', 'bigint', (column) => column.notNull())
    .addColumn('retires_at', 'bigint')
    .addColumn('removes_at', 'bigint')
    .execute();
}
