import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import type { Tables } from '../schema.ts';

/**
 * Proofs of signing keys (docs/decisions/086). A migration has no master key: the first start with it proves the keys that are
 * here. A program of the version before leaves proofs out; its keys are accepted for a time. The change makes servers read the
 * keys again that run on a store into which an older backup was just restored.
 */
export const signingKeyProofs: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable('signing_keys').addColumn('proof', 'text').execute();
    const tables = db.withTables<Pick<Tables, 'signing_keys' | 'meta' | 'epoch' | 'changes'>>();
    const key = await tables.selectFrom('signing_keys').select('kid').limit(1).executeTakeFirst();
    if (key === undefined) return;
    await tables.insertInto('meta').values({ key: 'signing_key_proofs', value: 'pending' }).execute();
    const { n } = await tables
      .updateTable('epoch')
      .set({ n: sql<number>`n + 1` })
      .returning('n')
      .executeTakeFirstOrThrow();
    const change = { n, noun: 'signing_key', id: key.kid, at: Date.now() };
    await tables.insertInto('changes').values(change).execute();
  },
};
