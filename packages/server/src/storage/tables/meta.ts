import type { Kysely } from 'kysely';
import type { Tables } from '../schema.ts';

/** Facts about the store as a whole: one row for each. */
export interface MetaRows {
  get(key: MetaKey): Promise<string | null>;
  set(key: MetaKey, value: string): Promise<void>;
  /** Sets a value that is still `from`; returns false if it is not. */
  replace(key: MetaKey, from: string, to: string): Promise<boolean>;
}

/**
 * - `master_key_check` tells the right master key from a wrong one, and reveals nothing about it.
 * - `key_schedule`: the durations (JSON) for key rotation in the server that started last.
 * - `longest_token_life`: the longest token life of any server so far, in seconds.
 * - `issuer`: the issuer of the server that started last.
 * - `usage_summed_up`: how far usage is summed up (JSON).
 * - `unreadable_address`: the last unreadable address from a trusted proxy (JSON).
 * - `signing_key_proofs`: until when servers accept signing keys without a proof, or `pending`
 *   (signing-key-proof.ts).
 * - `unfinished_copy`: the source of an incomplete copy into this store. Until the copy is complete, nothing
 *   else may use the store.
 */
export type MetaKey =
  | 'master_key_check'
  | 'key_schedule'
  | 'signing_key_proofs'
  | 'longest_token_life'
  | 'issuer'
  | 'usage_summed_up'
  | 'unreadable_address'
  | typeof UNFINISHED_COPY;

export const UNFINISHED_COPY = 'unfinished_copy';

export function metaRows(db: Kysely<Tables>): MetaRows {
  return {
    async get(key) {
      const row = await db.selectFrom('meta').select('value').where('key', '=', key).executeTakeFirst();
      return row?.value ?? null;
    },
    async replace(key, from, to) {
      const query = db.updateTable('meta').set('value', to).where('key', '=', key).where('value', '=', from);
      return (await query.executeTakeFirst()).numUpdatedRows > 0n;
    },
    async set(key, value) {
      const update = { key, value };
      await db
        .insertInto('meta')
        .values(update)
        .onConflict((conflict) => conflict.column('key').doUpdateSet(update))
        .execute();
    },
  };
}
