import { sql, type Insertable, type Kysely } from 'kysely';
import { namedKeySourceOf, type CredentialFacts } from '../../domain/assertion-credential.ts';
import type { Credential, CredentialRefusal } from '../../domain/credential.ts';
import type { NamedKeySource } from '../../domain/key-source.ts';
import type { Connections } from '../connections.ts';
import type { CredentialRow, Tables } from '../schema.ts';

export interface CredentialRows {
  find(id: string): Promise<Credential | undefined>;
  /** All credentials of an API user, the oldest first. */
  listOf(clientId: string): Promise<Credential[]>;
  insert(...credentials: Credential[]): Promise<void>;
  /** All credentials of several API users: for each API user, the oldest first. */
  listOfAll(clientIds: readonly string[]): Promise<Credential[]>;
  /** The ids among these that a credential already has. */
  taken(ids: readonly string[]): Promise<string[]>;
  /** The owners of keys with these digests: a key belongs to one API user, even after it ended. */
  keyOwners(digests: readonly string[]): Promise<KeyOwner[]>;
  /**
   * Up to `limit` credentials that this person made, of the API users of this organisation, by API user, with
   * the names of these.
   */
  madeBy(operatorId: string, organisationId: string, limit: number): Promise<MadeBy[]>;
  /** The key sources that live keys and trust rules name, each once, up to `max`. */
  namedKeySources(nowMs: number, max: number): Promise<NamedKeySource[]>;
  /** Updates name and end times. Digest, facts, kind and owner never change. */
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
  /**
   * Removes up to `limit` credentials that expired before `endedBefore`, and up to `limit` that were retired
   * before it. Returns how many.
   */
  deleteEnded(endedBefore: number, limit: number): Promise<number>;
}

export interface MadeBy {
  credential: Credential;
  apiUserName: string;
}

/** The credential that has a key. */
export interface KeyOwner extends Pick<
  Credential,
  'id' | 'clientId' | 'digest' | 'expiresAt' | 'retiredAt'
> {}

export function credentialRows(
  db: Kysely<Tables>,
  { texts, insertRows }: Pick<Connections, 'texts' | 'insertRows'>,
): CredentialRows {
  const all = allCredentials(db);
  return {
    find: async (id) => (await all.where('id', '=', id).execute()).map(toCredential)[0],
    listOf: async (clientId) => {
      const rows = await all.where('client_id', '=', clientId).orderBy('created_at').orderBy('id').execute();
      return rows.map(toCredential);
    },
    async listOfAll(clientIds) {
      const of = all.where('client_id', 'in', clientIds);
      const rows = await of.orderBy('client_id').orderBy('created_at').orderBy('id').execute();
      return rows.map(toCredential);
    },
    async taken(ids) {
      if (ids.length === 0) return [];
      // One look-up in the index for each: PostgreSQL would rather read a small table for a list.
      const { rows } = await sql<{ id: string }>`
        select value as id from ${texts(JSON.stringify(ids))} as ids
        where (select count(*) from credentials where id = value) > 0`.execute(db);
      return rows.map(({ id }) => id);
    },
    async insert(...credentials) {
      await insertRows(db, 'credentials', credentials.map(toRow));
    },
    async madeBy(operatorId, organisationId, limit) {
      const owners = await db
        .selectFrom('credentials as c')
        .innerJoin('api_users as u', 'u.client_id', 'c.client_id')
        .where('c.created_by', '=', operatorId)
        .where('u.organisation_id', '=', organisationId)
        .orderBy('c.client_id')
        .orderBy('c.id')
        .limit(limit)
        .select(['c.id', 'u.name'])
        .execute();
      if (owners.length === 0) return []; // PostgreSQL accepts no empty list
      const names = new Map(owners.map(({ id, name }) => [id, name]));
      const rows = await all.where('id', 'in', Array.from(names.keys())).orderBy('client_id').execute();
      return rows.map((row) => ({ credential: toCredential(row), apiUserName: names.get(row.id) ?? '' }));
    },
    keyOwners: async (digests) => await keyOwners(db, digests),
    namedKeySources: async (nowMs, max) => await namedKeySources(db, nowMs, max),
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

/** The columns of `Credential`, in the spelling of the store. */
function allCredentials(db: Kysely<Tables>) {
  return db
    .selectFrom('credentials')
    .leftJoin('credential_usage', 'credential_usage.credential_id', 'credentials.id')
    .leftJoin('credential_refusals', 'credential_refusals.credential_id', 'credentials.id')
    .select([
      'id',
      'client_id as clientId',
      'kind',
      'name',
      'digest',
      'facts',
      'created_at as createdAt',
      'created_by as createdBy',
      'expires_at as expiresAt',
      'retired_at as retiredAt',
      'retire_when_quiet_from as retireWhenQuietFrom',
      'last_used_at as lastUsedAt',
      'last_used_address as lastUsedAddress',
      sql<number>`coalesce(use_count, 0)`.as('useCount'),
      'last_subject as lastSubject',
      'refused_at',
      'credential_refusals.address',
      'reason',
      'detail',
    ]);
}

type ReadCredential = Awaited<ReturnType<ReturnType<typeof allCredentials>['execute']>>[number];

function toCredential({
  refused_at: at,
  address,
  reason,
  detail,
  facts,
  ...row
}: ReadCredential): Credential {
  return {
    ...row,
    facts: facts === null ? null : (JSON.parse(facts) as CredentialFacts),
    lastRefusal: at === null ? null : ({ at, address, reason, detail } as CredentialRefusal),
  };
}

function toRow(credential: Credential): Insertable<CredentialRow> {
  const { facts } = credential;
  const source = facts === null ? null : namedKeySourceOf(facts);
  return {
    id: credential.id,
    client_id: credential.clientId,
    kind: credential.kind,
    name: credential.name,
    digest: credential.digest,
    created_at: credential.createdAt,
    expires_at: credential.expiresAt,
    retired_at: credential.retiredAt,
    retire_when_quiet_from: credential.retireWhenQuietFrom,
    facts: facts === null ? null : JSON.stringify(facts),
    key_source: source === null ? null : JSON.stringify(source),
    created_by: credential.createdBy,
  };
}

async function keyOwners(db: Kysely<Tables>, digests: readonly string[]): Promise<KeyOwner[]> {
  if (digests.length === 0) return []; // PostgreSQL takes no empty list
  return await db
    .selectFrom('credentials')
    .select(['id', 'client_id as clientId', 'digest', 'expires_at as expiresAt', 'retired_at as retiredAt'])
    .where('kind', '=', sql.lit('key')) // a literal, for the partial index
    .where('digest', 'in', digests)
    .execute();
}

async function namedKeySources(db: Kysely<Tables>, nowMs: number, max: number): Promise<NamedKeySource[]> {
  const rows = await db
    .selectFrom('credentials')
    .select('key_source')
    .distinct()
    .where('key_source', 'is not', null)
    .where((is) => is.or([is('retired_at', 'is', null), is('retired_at', '>', nowMs)]))
    .where((is) => is.or([is('expires_at', 'is', null), is('expires_at', '>', nowMs)]))
    .orderBy('key_source')
    .limit(max)
    .execute();
  return rows.flatMap(({ key_source: text }) => (text === null ? [] : [JSON.parse(text) as NamedKeySource]));
}
