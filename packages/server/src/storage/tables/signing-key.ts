import type { webcrypto } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { SigningAlgorithm } from '../../domain/signing-algorithm.ts';
import type { SigningKey } from '../../domain/signing-key.ts';
import type { SigningKeyRow, Tables } from '../schema.ts';

/** A signing key with its private part, encrypted under the master key; null once the key is removed. */
export interface SealedSigningKey extends SigningKey {
  sealedPrivateKey: string | null;
  /** Shows that Mintmark wrote this row: see signing-key-proof.ts. */
  proof: string | null;
}

export interface SigningKeyRows {
  /** All signing keys, the oldest first; removed ones, too, as a record of the keys that signed tokens. */
  list(): Promise<SealedSigningKey[]>;
  insert(key: SealedSigningKey): Promise<void>;
  setEnd(kid: string, end: Pick<SealedSigningKey, 'retiresAt' | 'removesAt' | 'proof'>): Promise<void>;
  setProof(kid: string, proof: string): Promise<void>;
  /** Deletes the private parts of keys that are removed at `now`; returns how many. */
  forgetRemoved(now: number): Promise<number>;
}

const COLUMNS = [
  'kid',
  'algorithm',
  'public_jwk',
  'sealed_private_key',
  'announced_at',
  'activates_at',
  'retires_at',
  'removes_at',
  'proof',
] as const satisfies (keyof SigningKeyRow)[];

export function signingKeyRows(db: Kysely<Tables>): SigningKeyRows {
  return {
    async list() {
      // By name: without the column `proof`, the query fails instead of returning unproven keys.
      const rows = await db.selectFrom('signing_keys').select(COLUMNS).orderBy('activates_at').execute();
      return rows.map(fromRow);
    },
    async insert(key) {
      await db
        .insertInto('signing_keys')
        .values({
          kid: key.kid,
          algorithm: key.algorithm,
          public_jwk: JSON.stringify(key.publicJwk),
          sealed_private_key: key.sealedPrivateKey,
          announced_at: key.announcedAt,
          activates_at: key.activatesAt,
          retires_at: key.retiresAt,
          removes_at: key.removesAt,
          proof: key.proof,
        })
        .execute();
    },
    async setProof(kid, proof) {
      await db.updateTable('signing_keys').set({ proof }).where('kid', '=', kid).execute();
    },
    async setEnd(kid, { retiresAt, removesAt, proof }) {
      const end = { retires_at: retiresAt, removes_at: removesAt, proof };
      await db.updateTable('signing_keys').set(end).where('kid', '=', kid).execute();
    },
    async forgetRemoved(now) {
      const result = await db
        .updateTable('signing_keys')
        .set({ sealed_private_key: null })
        .where('removes_at', '<=', now)
        .where('sealed_private_key', 'is not', null)
        .executeTakeFirst();
      return Number(result.numUpdatedRows);
    },
  };
}

function fromRow(row: SigningKeyRow): SealedSigningKey {
  return {
    kid: row.kid,
    algorithm: row.algorithm as SigningAlgorithm,
    publicJwk: jwkOf(row.public_jwk),
    sealedPrivateKey: row.sealed_private_key,
    announcedAt: row.announced_at,
    activatesAt: row.activates_at,
    retiresAt: row.retires_at,
    removesAt: row.removes_at,
    proof: row.proof,
  };
}

/** Returns an empty key, which no proof matches, if the text is not JSON: the other keys stay readable. */
function jwkOf(text: string): webcrypto.JsonWebKey {
  try {
    return JSON.parse(text) as webcrypto.JsonWebKey;
  } catch {
    return {};
  }
}
