import { sql, type Kysely } from 'kysely';
import type { Credential } from '../domain/credential.ts';
import type { Connections } from './store.ts';
import type { Tables } from './schema.ts';

export interface CredentialRows {
  find(id: string): Promise<Credential | undefined>;
  /** All of an API user's, the oldest first. */
  listOf(clientId: string): Promise<Credential[]>;
  insert(credential: Credential): Promise<void>;
  /** Name and ends are what changes; digest, kind and owner never do. */
  update(credential: Pick<Credential, 'id' | 'name' | 'expiresAt' | 'retiredAt'>): Promise<void>;
  /** Removes all of an API user's. */
  deleteOf(clientId: string): Promise<void>;
  /** Removes some that ended before `endedBefore`, up to `limit` of either kind of end; gives back how many. */
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
      'last_used_at as lastUsedAt',
      'last_used_address as lastUsedAddress',
      sql<number>`coalesce(use_count, 0)`.as('useCount'),
    ]);
  return {
    find: async (id) => await all.where('id', '=', id).executeTakeFirst(),
    listOf: async (clientId) =>
      await all.where('client_id', '=', clientId).orderBy('created_at').orderBy('id').execute(),
    async insert(credential) {
      await db
        .insertInto('credentials')
        .values({
          id: credential.id,
          client_id: credential.clientId,
          kind: credential.kind,
          name: credential.name,
          digest: credential.digest,
          created_at: credential.createdAt,
          expires_at: credential.expiresAt,
          retired_at: credential.retiredAt,
        })
        .execute();
    },
    async update({ id, name, expiresAt, retiredAt }) {
      const changed = { name, expires_at: expiresAt, retired_at: retiredAt };
      await db.updateTable('credentials').set(changed).where('id', '=', id).execute();
    },
    async deleteOf(clientId) {
      const owned = db.selectFrom('credentials').select('id').where('client_id', '=', clientId);
      await db.deleteFrom('credential_usage').where('credential_id', 'in', owned).execute();
      await db.deleteFrom('credentials').where('client_id', '=', clientId).execute();
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

/** The use of one credential since the last flush. */
export interface Use {
  credentialId: string;
  lastUsedAt: number;
  lastUsedAddress: string;
  count: number;
}

const USE_COLUMNS = ['text', 'whole', 'text', 'whole'] as const;

/** Adds a batch of uses; a credential may be in it more than once. One that was deleted meanwhile is passed over. */
export async function recordUses({ write, jsonRows }: Connections, uses: readonly Use[]): Promise<void> {
  if (uses.length === 0) return;
  // Written out: an array for each use, to be thrown away, would cost more than the text.
  let rows = '';
  for (const { credentialId, lastUsedAt, lastUsedAddress, count } of merged(uses)) {
    rows += `${rows === '' ? '[' : ','}["${credentialId}",${lastUsedAt},${JSON.stringify(lastUsedAddress)},${count}]`;
  }
  await sql`
    insert into credential_usage (credential_id, last_used_at, last_used_address, use_count)
    select c0, c1, c2, c3 from (${jsonRows(`${rows}]`, USE_COLUMNS)}) as used
    where exists (select 1 from credentials where id = c0)
    order by c0
    on conflict (credential_id) do update set
      last_used_at = case when excluded.last_used_at > credential_usage.last_used_at
        then excluded.last_used_at else credential_usage.last_used_at end,
      last_used_address = case when excluded.last_used_at > credential_usage.last_used_at
        then excluded.last_used_address else credential_usage.last_used_address end,
      use_count = credential_usage.use_count + excluded.use_count`.execute(write);
}

/** One for each credential: PostgreSQL takes no row twice in one statement. */
function merged(uses: readonly Use[]): Iterable<Use> {
  const byId = new Map<string, Use>();
  for (const use of uses) {
    const other = byId.get(use.credentialId);
    if (other === undefined) byId.set(use.credentialId, use);
    else {
      const later = use.lastUsedAt > other.lastUsedAt ? use : other;
      byId.set(use.credentialId, { ...later, count: use.count + other.count });
    }
  }
  return byId.values();
}
