import type { Kysely } from 'kysely';
import type { Tables } from '../schema.ts';

/** Facts about the store as a whole, a row each. */
export interface MetaRows {
  get(key: MetaKey): Promise<string | null>;
  set(key: MetaKey, value: string): Promise<void>;
  /** Sets it where it still is `from`; false where it is not. */
  replace(key: MetaKey, from: string, to: string): Promise<boolean>;
}

/**
 * `master_key_check`: tells the right master key from a wrong one, and nothing about it. `key_schedule`: the durations
 * (JSON) with which the server that started last rotates signing keys. `longest_token_life`: seconds that the
 * longest-lived tokens of any server so far were good for. `issuer`: that of the server that started last.
 * `usage_summed_up`: how far usage is summed up (JSON).
 * `unreadable_address`: the last address from a trusted proxy that could not be read (JSON).
 * `signing_key_proofs`: until when signing keys without a proof may be accepted, or `pending` (signing-key-proof.ts).
 * `unfinished_copy`: where a copy into this store comes from that was not completed: nothing else may use it.
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
