import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import type { Tables } from '../schema.ts';

/**
 * Proofs of signing keys (docs/decisions/086). A migration has no master key, so the first start with the
 * master key proves the existing keys. The previous version writes no proofs; its keys are accepted for seven
 * days. The migration also appends a change: if an older backup was restored into the store of running
 * servers, they read the keys again.
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
