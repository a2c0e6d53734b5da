import type { Kysely } from 'kysely';
import type { OrganisationRow, Tables } from '../schema.ts';

/** What a process keeps in memory of an organisation, unparsed: one damaged row must not stop the others. */
export type KnownOrganisationRow = Pick<OrganisationRow, 'id' | 'enabled' | 'policy' | 'claims'>;

export interface KnownOrganisationRows {
  /** Up to `limit` organisations with an id greater than `after`, in that order. */
  page(after: string, limit: number): Promise<KnownOrganisationRow[]>;
  /** All of these that exist. */
  byIds(ids: readonly string[]): Promise<KnownOrganisationRow[]>;
}

export function knownOrganisationRows(db: Kysely<Tables>): KnownOrganisationRows {
  const all = db.selectFrom('organisations').select(['id', 'enabled', 'policy', 'claims']);
  return {
    page: async (after, limit) => await all.where('id', '>', after).orderBy('id').limit(limit).execute(),
    byIds: async (ids) => (ids.length === 0 ? [] : await all.where('id', 'in', ids).execute()),
  };
}
