import type { Kysely } from 'kysely';
import type { Revocation } from '../../domain/revocation.ts';
import type { RevocationRow, Tables } from '../schema.ts';

export interface RevocationRows {
  find(digests: readonly string[]): Promise<Revocation[]>;
  /** Revocations after `after`, in the order of their digests ('': from the start). */
  page(after: string, limit: number): Promise<Revocation[]>;
  /** Adds a revocation. If the digest exists already, each time becomes the later of the two. */
  put(revocation: Revocation): Promise<void>;
  /** The same for revocations with different digests. */
  putAll(revocations: readonly Revocation[]): Promise<void>;
  /** Removes up to `limit` revocations that are due for removal; returns how many. */
  deleteOver(nowMs: number, limit: number): Promise<number>;
}

export function revocationRows(db: Kysely<Tables>): RevocationRows {
  const all = db.selectFrom('revocations').selectAll().orderBy('digest');

  async function putAll(revocations: readonly Revocation[]): Promise<void> {
    const digests = revocations.map(({ digest }) => digest);
    const before = new Map(
      (await all.where('digest', 'in', digests).execute()).map((row) => [row.digest, row]),
    );
    const rows = revocations.map(({ digest, issuedBefore, removesAt }): RevocationRow => {
      const other = before.get(digest);
      return {
        digest,
        issued_before: later(issuedBefore, other?.issued_before ?? null),
        removes_at: Math.max(removesAt, other?.removes_at ?? 0),
      };
    });
    await db
      .insertInto('revocations')
      .values(rows)
      .onConflict((conflict) =>
        conflict.column('digest').doUpdateSet(({ ref }) => ({
          issued_before: ref('excluded.issued_before'),
          removes_at: ref('excluded.removes_at'),
        })),
      )
      .execute();
  }
  return {
    find: async (digests) => (await all.where('digest', 'in', digests).execute()).map(fromRow),
    page: async (after, limit) => (await all.where('digest', '>', after).limit(limit).execute()).map(fromRow),
    put: (revocation) => putAll([revocation]),
    putAll,
    async deleteOver(nowMs, limit) {
      const over = db
        .selectFrom('revocations')
        .select('digest')
        .where('removes_at', '<=', nowMs)
        .orderBy('removes_at')
        .limit(limit);
      const result = await db.deleteFrom('revocations').where('digest', 'in', over).executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}

function later(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}

function fromRow({ digest, issued_before, removes_at }: RevocationRow): Revocation {
  return { digest, issuedBefore: issued_before, removesAt: removes_at };
}
