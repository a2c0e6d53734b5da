import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { AUDIT_START } from '../../domain/audit-entry.ts';

/** The audit log. The previous version writes no entries for its changes. */
export const audit: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('audit')
      .addColumn('n', 'bigint', (column) => column.primaryKey().notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('actor_kind', 'text', (column) => column.notNull())
      .addColumn('actor_id', 'text', (column) => column.notNull())
      .addColumn('actor_name', 'text', (column) => column.notNull())
      .addColumn('actor_address', 'text')
      .addColumn('actor_role', 'text')
      .addColumn('action', 'text', (column) => column.notNull())
      .addColumn('outcome', 'text', (column) => column.notNull())
      .addColumn('subject_kind', 'text', (column) => column.notNull())
      .addColumn('subject_id', 'text')
      .addColumn('related_kind', 'text')
      .addColumn('related_id', 'text')
      .addColumn('before', 'text')
      .addColumn('after', 'text')
      .addColumn('reason', 'text')
      .addColumn('hash', 'text', (column) => column.notNull())
      .execute();
    await createHead(db);
    // An index for each filter of the list, in the order of the list.
    await db.schema.createIndex('audit_at').on('audit').columns(['at', 'n']).execute();
    for (const by of ['subject_id', 'related_id', 'actor_id', 'action'] as const) {
      await db.schema.createIndex(`audit_${by}`).on('audit').columns([by, 'at', 'n']).execute();
    }
    // For both filters at once: an actor may have few entries of a frequent action. A query on one index
    // would read all entries of that actor or of that action.
    const both = db.schema.createIndex('audit_actor_id_action').on('audit');
    await both.columns(['actor_id', 'action', 'at', 'n']).execute();
    // Refused entries only: they are few, and nearly all others are `done`.
    const refused = db.schema.createIndex('audit_refused').on('audit').columns(['at', 'n']);
    await refused.where(sql.ref('outcome'), '=', sql.lit('refused')).execute();
  },
};

/** One row. Every writer updates it in its transaction, so two entries cannot follow the same entry. */
async function createHead(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('audit_head')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('n', 'bigint', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .addColumn('removed_n', 'bigint', (column) => column.notNull())
    .addColumn('removed_hash', 'text', (column) => column.notNull())
    .execute();
  const { n, hash } = AUDIT_START;
  await sql`insert into audit_head (id, n, hash, removed_n, removed_hash)
    values (1, ${n}, ${hash}, ${n}, ${hash})`.execute(db);
}
