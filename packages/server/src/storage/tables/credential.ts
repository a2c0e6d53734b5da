import { sql, type Kysely } from 'kysely';
import type { Credential } from '../../domain/credential.ts';
import type { Tables } from '../schema.ts';

export interface CredentialRows {
  find(id: string): Promise<Credential | undefined>;
  /** All credentials of an API user, the oldest first. */
  listOf(clientId: string): Promise<Credential[]>;
  insert(...credentials: Credential[]): Promise<void>;
  /** All credentials of several API users: for each API user, the oldest first. */
  listOfAll(clientIds: readonly string[]): Promise<Credential[]>;
  /** The ids among these that a credential already has. */
  taken(ids: readonly string[]): Promise<string[]>;
  /** Updates name and end times. Digest, kind and owner never change. */
  update(
    credential: Pick<Credential, 'id' | 'name' | 'expiresAt' | 'retiredAt' | 'retireWhenQuietFrom'>,
  ): Promise<void>;
  /**
   * Ids of credentials to retire when quiet that were not used after `quietSince`, and were marked before it.
   * Omits credentials with a retirement time. Returns up to `limit` ids after `after`.
   */
  quiet(quietSince: number, after: string, limit: number): Promise<string[]>;
  /** Removes all credentials of an API user. */
  deleteOf(clientId: string): Promise<void>;
  /**
   * Removes the uses of deleted credentials among the next `limit` rows after `after`: a process may write a
   * use after its credential was deleted. Returns the last id that it checked; null at the end of the table.
   */
  sweepUses(after: string, limit: number): Promise<string | null>;
  /** Removes credentials that ended before `endedBefore`, up to `limit` for each end. Returns how many. */
  deleteEnded(endedBefore: number, limit: number): Promise<number>;
}

export function credentialRows(db: Kysely<Tables>): CredentialRows {
  const all = db
    .selectFrom('credentials')
    .leftJoin('credential_usage', 'credential_usage.credential_id', 'credentials.id')
    .select([
      'id',
      'client_id as clientId',
      'kind',
      'name',
      'digest',
      'created_at as createdAt',
      'expires_at as expiresAt',
      'retired_at as retiredAt',
      'retire_when_quiet_from as retireWhenQuietFrom',
      'last_used_at as lastUsedAt',
      'last_used_address as lastUsedAddress',
      sql<number>`coalesce(use_count, 0)`.as('useCount'),
    ]);
  return {
    find: async (id) => await all.where('id', '=', id).executeTakeFirst(),
    listOf: async (clientId) =>
      await all.where('client_id', '=', clientId).orderBy('created_at').orderBy('id').execute(),
    listOfAll: async (clientIds) =>
      await all
        .where('client_id', 'in', clientIds)
        .orderBy('client_id')
        .orderBy('created_at')
        .orderBy('id')
        .execute(),
    async taken(ids) {
      if (ids.length === 0) return []; // PostgreSQL takes no empty list
      const rows = await db.selectFrom('credentials').select('id').where('id', 'in', ids).execute();
      return rows.map(({ id }) => id);
    },
    async insert(...credentials) {
      await db
        .insertInto('credentials')
        .values(
          credentials.map((credential) => ({
            id: credential.id,
            client_id: credential.clientId,
            kind: credential.kind,
            name: credential.name,
            digest: credential.digest,
            created_at: credential.createdAt,
            expires_at: credential.expiresAt,
            retired_at: credential.retiredAt,
            retire_when_quiet_from: credential.retireWhenQuietFrom,
          })),
        )
        .execute();
    },
    async update({ id, name, expiresAt, retiredAt, retireWhenQuietFrom }) {
      const ends = { expires_at: expiresAt, retired_at: retiredAt };
      const changed = { name, ...ends, retire_when_quiet_from: retireWhenQuietFrom };
      await db.updateTable('credentials').set(changed).where('id', '=', id).execute();
    },
    async quiet(quietSince, after, limit) {
      const rows = await db
        .selectFrom('credentials')
        .leftJoin('credential_usage', 'credential_usage.credential_id', 'credentials.id')
        .select('id')
        .where('retire_when_quiet_from', '<=', quietSince)
        .where('retired_at', 'is', null)
        .where(sql<number>`coalesce(last_used_at, 0)`, '<=', quietSince)
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map(({ id }) => id);
    },
    async deleteOf(clientId) {
      const owned = db.selectFrom('credentials').select('id').where('client_id', '=', clientId);
      await db.deleteFrom('credential_usage').where('credential_id', 'in', owned).execute();
      await db.deleteFrom('credentials').where('client_id', '=', clientId).execute();
    },
    async sweepUses(after, limit) {
      const { rows } = await sql<{ id: string }>`
        select credential_id as id from credential_usage where credential_id > ${after}
        order by credential_id limit ${limit}`.execute(db);
      const last = rows.at(-1)?.id;
      if (last === undefined) return null;
      await sql`
        delete from credential_usage where credential_id > ${after} and credential_id <= ${last}
          and not exists (select 1 from credentials where id = credential_usage.credential_id)`.execute(db);
      return rows.length < limit ? null : last;
    },
    async deleteEnded(endedBefore, limit) {
      const ids = [];
      for (const end of ['retired_at', 'expires_at'] as const) {
        const ended = db.selectFrom('credentials').select('id').where(end, '<', endedBefore).limit(limit);
        ids.push(...(await ended.execute()).map((row) => row.id));
      }
      if (ids.length === 0) return 0;
      await db.deleteFrom('credential_usage').where('credential_id', 'in', ids).execute();
      const result = await db.deleteFrom('credentials').where('id', 'in', ids).executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}
