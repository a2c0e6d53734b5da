import type { Kysely } from 'kysely';
import {
  keySourceAddress,
  keySourceOf,
  type KeySource,
  type KeySourceState,
} from '../../domain/key-source.ts';
import type { PublicJwk } from '../../domain/trust-rule.ts';
import type { KeySourceRow, Tables } from '../schema.ts';

/** A key source with its keys, as a process stored it. */
export interface StoredKeySource extends Pick<KeySourceState, 'source' | 'leftOut' | 'fetchedAt' | 'error'> {
  keys: readonly PublicJwk[];
  /** For how long the keys are fresh after `fetchedAt`. */
  lifeMs: number;
  triedAt: number;
}

/** The public keys of others, so that a restart and other processes need not fetch them. */
export interface KeySourceRows {
  /** At most `max` key sources. */
  list(max: number): Promise<StoredKeySource[]>;
  find(source: KeySource): Promise<StoredKeySource | undefined>;
  /** Writes what a fetch returned. Keeps a row with keys that another process fetched later. */
  put(stored: StoredKeySource): Promise<void>;
  /** Writes that a fetch failed. Leaves the keys of earlier fetches. */
  putFailure(source: KeySource, error: string, triedAt: number): Promise<void>;
  /** The key sources whose last fetch was before `at`. */
  triedBefore(at: number): Promise<KeySource[]>;
  delete(source: KeySource): Promise<void>;
}

export function keySourceRows(db: Kysely<Tables>): KeySourceRows {
  const rowOf = (source: KeySource) => {
    const { kind, address } = keySourceAddress(source);
    return db.selectFrom('key_sources').selectAll().where('kind', '=', kind).where('address', '=', address);
  };
  return {
    async list(max) {
      const rows = await db.selectFrom('key_sources').selectAll().orderBy('address').limit(max).execute();
      return rows.map(fromRow);
    },
    async find(source) {
      const row = await rowOf(source).executeTakeFirst();
      return row && fromRow(row);
    },
    async put({ source, keys, leftOut, fetchedAt, lifeMs, triedAt, error }) {
      const fetched = { left_out: leftOut, fetched_at: fetchedAt, life_ms: lifeMs, tried_at: triedAt, error };
      const row = { ...keySourceAddress(source), key_set: JSON.stringify({ keys }), ...fetched };
      await db
        .insertInto('key_sources')
        .values(row)
        .onConflict((conflict) =>
          conflict
            .columns(['kind', 'address'])
            .doUpdateSet(row)
            .where((where) =>
              where.or([
                where('key_sources.fetched_at', 'is', null),
                where('key_sources.fetched_at', '<=', fetchedAt),
              ]),
            ),
        )
        .execute();
    },
    async putFailure(source, error, triedAt) {
      const empty = { key_set: null, left_out: 0, fetched_at: null, life_ms: 0 };
      await db
        .insertInto('key_sources')
        .values({ ...keySourceAddress(source), ...empty, tried_at: triedAt, error })
        .onConflict((conflict) =>
          conflict.columns(['kind', 'address']).doUpdateSet({ tried_at: triedAt, error }),
        )
        .execute();
    },
    async triedBefore(at) {
      const old = db.selectFrom('key_sources').select(['kind', 'address']).where('tried_at', '<', at);
      return (await old.execute()).map(({ kind, address }) => keySourceOf(kind, address));
    },
    async delete(source) {
      const { kind, address } = keySourceAddress(source);
      await db.deleteFrom('key_sources').where('kind', '=', kind).where('address', '=', address).execute();
    },
  };
}

function fromRow(row: KeySourceRow): StoredKeySource {
  return {
    source: keySourceOf(row.kind, row.address),
    keys: keysOf(row.key_set),
    leftOut: row.left_out,
    fetchedAt: row.fetched_at,
    lifeMs: row.life_ms,
    triedAt: row.tried_at,
    error: row.error,
  };
}

function keysOf(keySet: string | null): readonly PublicJwk[] {
  return keySet === null ? [] : (JSON.parse(keySet) as { keys: PublicJwk[] }).keys;
}
