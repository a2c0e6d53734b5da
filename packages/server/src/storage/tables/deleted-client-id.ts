import type { Kysely } from 'kysely';
import { usernameKey } from '../../domain/api-user.ts';
import type { Tables } from '../schema.ts';

/** Client ids of deleted API users. A trigger of the database adds them: see migration 011. */
export interface DeletedClientIdRows {
  /** The names that are deleted client ids in any letter case, as `usernameKey` writes them. */
  keysAmong(names: readonly string[]): Promise<string[]>;
  /** Adds the client ids that no API user has after a restore: the replaced store had used them. */
  addUnused(clientIds: readonly string[], at: number): Promise<void>;
  /** Removes client ids: an import restored their API users. */
  remove(clientIds: readonly string[]): Promise<void>;
}

/** Rows per statement. */
const BATCH = 500;

export function deletedClientIdRows(db: Kysely<Tables>): DeletedClientIdRows {
  return {
    async keysAmong(names) {
      if (names.length === 0) return []; // PostgreSQL takes no empty list
      const rows = await db
        .selectFrom('deleted_client_ids')
        .select('id_key')
        .where('id_key', 'in', names.map(usernameKey))
        .execute();
      return rows.map((row) => row.id_key);
    },
    async addUnused(clientIds, at) {
      for (let i = 0; i < clientIds.length; i += BATCH) {
        const batch = clientIds.slice(i, i + BATCH);
        const used = await db
          .selectFrom('api_users')
          .select('client_id')
          .where('client_id', 'in', batch)
          .execute();
        const there = new Set(used.map((row) => row.client_id));
        const unused = batch.filter((id) => !there.has(id));
        if (unused.length === 0) continue;
        const rows = unused.map((id) => ({ client_id: id, id_key: usernameKey(id), deleted_at: at }));
        await db
          .insertInto('deleted_client_ids')
          .values(rows)
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      }
    },
    async remove(clientIds) {
      if (clientIds.length === 0) return;
      await db.deleteFrom('deleted_client_ids').where('client_id', 'in', clientIds).execute();
    },
  };
}
