import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { isSqlite } from './001-first.ts';

/**
 * Client ids of deleted API users: no new API user gets one. A trigger records them, so it also covers the
 * previous version during a rolling upgrade. The audit log supplies the ids of earlier deletions. `id_key` is
 * the client id in lower case: client ids are ASCII, so `lower` in SQL gives the `usernameKey`.
 */
export const deletedClientIds: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('deleted_client_ids')
      .addColumn('client_id', 'text', (column) => column.primaryKey().notNull())
      .addColumn('id_key', 'text', (column) => column.notNull())
      .addColumn('deleted_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex('deleted_client_ids_id_key')
      .on('deleted_client_ids')
      .column('id_key')
      .execute();
    await (isSqlite(db) ? createSqliteTrigger(db) : createPostgresTrigger(db));
    await sql`
      insert into deleted_client_ids (client_id, id_key, deleted_at)
      select subject_id, lower(subject_id), max(at) from audit
      where action = 'api_user.delete' and outcome = 'done' and subject_kind = 'api_user' and subject_id is not null
        and not exists (select 1 from api_users where client_id = audit.subject_id)
      group by subject_id
      on conflict do nothing`.execute(db);
  },
};

async function createSqliteTrigger(db: Kysely<unknown>): Promise<void> {
  await sql`
    create trigger api_user_deleted after delete on api_users begin
      insert or ignore into deleted_client_ids (client_id, id_key, deleted_at)
      values (old.client_id, lower(old.client_id), cast(unixepoch('subsec') * 1000 as integer));
    end`.execute(db);
}

async function createPostgresTrigger(db: Kysely<unknown>): Promise<void> {
  await sql`
    create function keep_deleted_client_id() returns trigger language plpgsql as $$ begin
      insert into deleted_client_ids (client_id, id_key, deleted_at)
      values (old.client_id, lower(old.client_id), (extract(epoch from clock_timestamp()) * 1000)::bigint)
      on conflict do nothing;
      return old;
    end $$`.execute(db);
  await sql`
    create trigger api_user_deleted after delete on api_users
    for each row execute function keep_deleted_client_id()`.execute(db);
}
