// A store as an earlier version left it: undoes later migrations.
import { migrations } from '../../server/src/storage/migrations/index.ts';

type Database = 'sqlite' | 'postgres';

/** Statements that undo each migration, from 007 on. A new migration needs its own here. */
const UNDO: Readonly<Record<string, (database: Database) => string[]>> = {
  '007-api-user-filters': () => [
    'drop index api_users_disabled_created_at',
    'drop index api_users_disabled_name_key',
    'drop index api_users_disabled_last_used_at',
    'drop index api_users_scopes',
  ],
  '008-passwords': () => ['drop index credentials_passwords'],
  '009-flushes-and-clocks': () => ['drop table usage_flushes', 'drop table process_clocks'],
  '010-signing-key-proofs': () => [
    'alter table signing_keys drop column proof',
    `delete from meta where key = 'signing_key_proofs'`,
  ],
  '011-deleted-client-ids': (database) => [
    ...(database === 'sqlite'
      ? ['drop trigger api_user_deleted']
      : ['drop trigger api_user_deleted on api_users', 'drop function keep_deleted_client_id']),
    'drop table deleted_client_ids',
  ],
  '012-external-ids': () => [
    'drop index api_users_external_id',
    'drop index api_users_import_key',
    'alter table api_users drop column external_id',
    'alter table api_users drop column import_key',
  ],
  '013-client-id-keys': () => ['drop index api_users_client_id_key'],
  '014-quiet-credentials': () => [
    'drop index credentials_when_quiet',
    'alter table credentials drop column retire_when_quiet_from',
  ],
  '015-keys-and-trust-rules': () => [
    'drop table credential_refusals',
    'alter table credential_usage drop column last_subject',
    'drop index credentials_keys',
    'drop index credentials_key_source',
    'alter table credentials drop column facts',
    'alter table credentials drop column key_source',
  ],
  '016-key-sources': () => ['drop table key_sources'],
  '017-organisations': () => [
    'drop index audit_organisation_id',
    'alter table audit drop column organisation_id',
    'drop index credentials_created_by',
    'alter table credentials drop column created_by',
    'drop index api_users_organisation_id_created_at',
    'drop index api_users_organisation_id_name_key',
    'alter table api_users drop column organisation_id',
    'alter table api_users drop column claims',
    'alter table api_users drop column token_life_seconds',
    'drop table audience_settings',
    'drop table member_invitations',
    'drop table members',
    'drop table organisations',
  ],
  '018-secret-links': () => ['drop table secret_links'],
  '019-refused-requests': () => ['drop table refused_requests'],
};

/** Names of the migrations from this one on. */
export function migrationsFrom(first: string): string[] {
  return Object.keys(migrations).filter((name) => name >= first);
}

/** The statements that undo this migration and all later ones. */
export function undoMigrations(first: string, database: Database): string[] {
  const statements = migrationsFrom(first)
    .toReversed()
    .flatMap((name) => {
      const undo = UNDO[name];
      if (undo === undefined)
        throw new Error(`support/former-migrations.ts does not say how to undo ${name}.`);
      return undo(database);
    });
  return [...statements, `delete from kysely_migration where name >= '${first}'`];
}
