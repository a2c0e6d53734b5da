import type { Kysely } from 'kysely';
import { searchKey } from '../../domain/api-user-list.ts';
import type { Claims } from '../../domain/claims.ts';
import type { Organisation } from '../../domain/organisation.ts';
import { policyOf, policyRecord, type PolicyRecord } from '../../domain/organisation-record.ts';
import type { OrganisationRow, Tables } from '../schema.ts';
import { StoreError } from '../store-error.ts';
import { contains } from './contains.ts';

/** A page of organisations in the order of their names. */
export interface OrganisationPage {
  /** The last organisation of the previous page; null: from the start. */
  after: { name: string; id: string } | null;
  limit: number;
  /** A part of the name, id, external id or contact, in any letter case. */
  search: string | null;
  enabled: boolean | null;
}

export interface OrganisationSize {
  apiUsers: number;
  members: number;
}

export interface OrganisationRows {
  find(id: string): Promise<Organisation | undefined>;
  findByExternalId(externalId: string): Promise<Organisation | undefined>;
  /** All of these that exist. */
  listOf(ids: readonly string[]): Promise<Organisation[]>;
  list(page: OrganisationPage): Promise<Organisation[]>;
  /** Up to `limit` organisations with an id greater than `after`, in that order. */
  page(after: string, limit: number): Promise<Organisation[]>;
  /** How many exist. */
  count(): Promise<number>;
  /** The numbers of API users and members of each of these organisations. */
  sizes(ids: readonly string[]): Promise<Map<string, OrganisationSize>>;
  insert(organisation: Organisation): Promise<void>;
  /** Throws a conflict unless the version of `organisation` is one above the version in the store. */
  update(organisation: Organisation): Promise<void>;
  delete(id: string): Promise<void>;
}

export function organisationRows(db: Kysely<Tables>): OrganisationRows {
  const all = db.selectFrom('organisations').selectAll();
  return {
    async find(id) {
      const row = await all.where('id', '=', id).executeTakeFirst();
      return row && organisationOf(row);
    },
    async findByExternalId(externalId) {
      const row = await all.where('external_id', '=', externalId).executeTakeFirst();
      return row && organisationOf(row);
    },
    async listOf(ids) {
      if (ids.length === 0) return []; // PostgreSQL accepts no empty list
      return (await all.where('id', 'in', ids).execute()).map(organisationOf);
    },
    async list({ after, limit, search, enabled }) {
      const inState = enabled === null ? all : all.where('enabled', '=', enabled ? 1 : 0);
      const matching = search === null ? inState : inState.where(contains('search_text', searchKey(search)));
      const from =
        after === null
          ? matching
          : matching.where(({ eb, refTuple, tuple }) =>
              eb(refTuple('name_key', 'id'), '>', tuple(searchKey(after.name), after.id)),
            );
      return (await from.orderBy('name_key').orderBy('id').limit(limit).execute()).map(organisationOf);
    },
    async page(after, limit) {
      const rows = await all.where('id', '>', after).orderBy('id').limit(limit).execute();
      return rows.map(organisationOf);
    },
    async count() {
      const query = db.selectFrom('organisations').select((eb) => eb.fn.countAll<number>().as('count'));
      return (await query.executeTakeFirstOrThrow()).count;
    },
    sizes: async (ids) => await sizesOf(db, ids),
    async insert(organisation) {
      await db.insertInto('organisations').values(rowOf(organisation)).execute();
    },
    async update(organisation) {
      const result = await db
        .updateTable('organisations')
        .set(rowOf(organisation))
        .where('id', '=', organisation.id)
        .where('version', '=', organisation.version - 1)
        .executeTakeFirst();
      if (result.numUpdatedRows === 1n) return;
      throw new StoreError(
        'conflict',
        `The organisation ${organisation.id} has another version than ${organisation.version - 1}.`,
      );
    },
    async delete(id) {
      await db.deleteFrom('organisations').where('id', '=', id).execute();
    },
  };
}

async function sizesOf(db: Kysely<Tables>, ids: readonly string[]): Promise<Map<string, OrganisationSize>> {
  if (ids.length === 0) return new Map();
  const countOf = async (table: 'api_users' | 'members') => {
    const counted = await db
      .selectFrom(table)
      .select(({ fn }) => ['organisation_id as id', fn.countAll<number>().as('count')])
      .where('organisation_id', 'in', ids)
      .groupBy('organisation_id')
      .execute();
    return new Map(counted.map(({ id, count }) => [id, count]));
  };
  const [apiUsers, members] = [await countOf('api_users'), await countOf('members')];
  return new Map(ids.map((id) => [id, { apiUsers: apiUsers.get(id) ?? 0, members: members.get(id) ?? 0 }]));
}

function rowOf(organisation: Organisation): OrganisationRow {
  const { id, name, contact, externalId } = organisation;
  return {
    id,
    name,
    name_key: searchKey(name),
    search_text: searchKey([name, id, externalId, contact].filter((text) => text !== null).join('\n')),
    contact,
    external_id: externalId,
    enabled: organisation.enabled ? 1 : 0,
    policy: JSON.stringify(policyRecord(organisation.policy)),
    claims: JSON.stringify(organisation.claims),
    created_at: organisation.createdAt,
    updated_at: organisation.updatedAt,
    version: organisation.version,
  };
}

export function organisationOf(row: OrganisationRow): Organisation {
  return {
    id: row.id,
    name: row.name,
    contact: row.contact,
    externalId: row.external_id,
    enabled: row.enabled === 1,
    policy: policyOf(JSON.parse(row.policy) as PolicyRecord),
    claims: JSON.parse(row.claims) as Claims,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    version: row.version,
  };
}
