import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/**
 * Organisations, their members, and the settings of audiences. Every API user that exists belongs to the
 * platform. The previous version gives tokens without claims, does not know that an organisation is disabled,
 * and refuses members every route.
 */
export const organisations: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await createOrganisations(db);
    await createMembers(db);
    await db.schema
      .createTable('audience_settings')
      .addColumn('audience', 'text', (column) => column.primaryKey())
      .addColumn('claims', 'text', (column) => column.notNull())
      .addColumn('token_life_seconds', 'integer')
      .addColumn('updated_at', 'bigint', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .execute();
    await extendApiUsers(db);
    await db.schema.alterTable('credentials').addColumn('created_by', 'text').execute();
    await db.schema
      .createIndex('credentials_created_by')
      .on('credentials')
      .column('created_by')
      .where(sql.ref('created_by'), 'is not', null)
      .execute();
    await db.schema.alterTable('audit').addColumn('organisation_id', 'text').execute();
    await db.schema
      .createIndex('audit_organisation_id')
      .on('audit')
      .columns(['organisation_id', 'at', 'n'])
      .where(sql.ref('organisation_id'), 'is not', null)
      .execute();
  },
};

async function createOrganisations(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('organisations')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('name_key', 'text', (column) => column.notNull())
    .addColumn('search_text', 'text', (column) => column.notNull())
    .addColumn('contact', 'text')
    .addColumn('external_id', 'text', (column) => column.unique())
    .addColumn('enabled', 'integer', (column) => column.notNull())
    .addColumn('policy', 'text', (column) => column.notNull())
    .addColumn('claims', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex('organisations_name_key')
    .on('organisations')
    .columns(['name_key', 'id'])
    .execute();
}

async function createMembers(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('members')
    .addColumn('organisation_id', 'text', (column) =>
      column.notNull().references('organisations.id').onDelete('cascade'),
    )
    .addColumn('operator_id', 'text', (column) =>
      column.notNull().references('operators.id').onDelete('cascade'),
    )
    .addColumn('role', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('members_key', ['organisation_id', 'operator_id'])
    .execute();
  await db.schema.createIndex('members_operator_id').on('members').column('operator_id').execute();
  // A table of its own: for the previous version, an invitation without an operator makes the first admin.
  await db.schema
    .createTable('member_invitations')
    .addColumn('digest', 'text', (column) => column.primaryKey())
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('organisation_id', 'text', (column) =>
      column.notNull().references('organisations.id').onDelete('cascade'),
    )
    .addColumn('email', 'text', (column) => column.notNull())
    .addColumn('email_key', 'text', (column) => column.notNull())
    .addColumn('role', 'text', (column) => column.notNull())
    .addColumn('created_by', 'text')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex('member_invitations_email_key')
    .unique()
    .on('member_invitations')
    .columns(['organisation_id', 'email_key'])
    .execute();
  await db.schema
    .createIndex('member_invitations_expires_at')
    .on('member_invitations')
    .column('expires_at')
    .execute();
}

async function extendApiUsers(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('api_users').addColumn('organisation_id', 'text').execute();
  await db.schema.alterTable('api_users').addColumn('claims', 'text').execute();
  await db.schema.alterTable('api_users').addColumn('token_life_seconds', 'integer').execute();
  // In the orders of the list: one organisation may have a hundred API users among a million.
  for (const by of ['created_at', 'name_key'] as const) {
    await db.schema
      .createIndex(`api_users_organisation_id_${by}`)
      .on('api_users')
      .columns(['organisation_id', by, 'client_id'])
      .where(sql.ref('organisation_id'), 'is not', null)
      .execute();
  }
}
