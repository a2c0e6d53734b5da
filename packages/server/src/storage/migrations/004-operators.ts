import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Operators, their sessions and invitations. The previous version ignores the tables. */
export const operators: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await createOperators(db);
    await createSessions(db);
    await createInvitations(db);
  },
};

async function createOperators(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('operators')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('email', 'text', (column) => column.notNull())
    .addColumn('email_key', 'text', (column) => column.notNull().unique())
    .addColumn('role', 'text', (column) => column.notNull())
    .addColumn('password_hash', 'text')
    .addColumn('sealed_totp_secret', 'text')
    .addColumn('sealed_pending_totp_secret', 'text')
    .addColumn('last_totp_step', 'bigint')
    .addColumn('wrong_codes', 'integer', (column) => column.notNull())
    .addColumn('codes_locked_until', 'bigint')
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .addColumn('last_seen_at', 'bigint')
    .execute();
  await db.schema
    .createTable('recovery_codes')
    .addColumn('operator_id', 'text', (column) =>
      column.notNull().references('operators.id').onDelete('cascade'),
    )
    .addColumn('digest', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('recovery_codes_pkey', ['operator_id', 'digest'])
    .execute();
}

async function createSessions(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('sessions')
    .addColumn('digest', 'text', (column) => column.primaryKey())
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('operator_id', 'text', (column) =>
      column.notNull().references('operators.id').onDelete('cascade'),
    )
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('last_seen_at', 'bigint', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .addColumn('address', 'text', (column) => column.notNull())
    .addColumn('user_agent', 'text', (column) => column.notNull())
    .execute();
  for (const column of ['operator_id', 'last_seen_at', 'expires_at'] as const) {
    await db.schema.createIndex(`sessions_${column}`).on('sessions').column(column).execute();
  }
}

async function createInvitations(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('invitations')
    .addColumn('digest', 'text', (column) => column.primaryKey())
    .addColumn('operator_id', 'text', (column) => column.references('operators.id').onDelete('cascade'))
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .execute();
  for (const column of ['operator_id', 'expires_at'] as const) {
    await db.schema.createIndex(`invitations_${column}`).on('invitations').column(column).execute();
  }
}
