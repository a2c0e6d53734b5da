import { sql, type Kysely } from 'kysely';
import { limitedNetwork } from '../../domain/network.ts';
import { REFUSED_REQUESTS_KEPT_EACH, type RefusedRequest } from '../../domain/refused-request.ts';
import type { Connections } from '../connections.ts';
import type { RefusedRequestRow, Tables } from '../schema.ts';

export interface StoredRefusedRequest extends Omit<RefusedRequest, 'network' | 'proved'> {
  apiUserName: string;
}

/** The API users and the request to find; null: any. */
export interface RefusedRequestFilter {
  clientId: string | null;
  traceId: string | null;
  organisationId: string | null;
  /** Only later ones. */
  since: number;
}

export interface RefusedRequestPage {
  /** The last one of the previous page; null: start with the newest. */
  before: Pick<RefusedRequest, 'at' | 'traceId' | 'clientId'> | null;
  limit: number;
}

export interface RefusedRequestRows {
  /** The newest first. Omits those of deleted API users. */
  list(filter: RefusedRequestFilter, page: RefusedRequestPage): Promise<StoredRefusedRequest[]>;
  /** Removes those of an API user. */
  deleteOf(clientId: string): Promise<void>;
  /** Removes up to `limit` from before `at`; returns how many. */
  deleteBefore(at: number, limit: number): Promise<number>;
}

export function refusedRequestRows(db: Kysely<Tables>): RefusedRequestRows {
  return {
    list: async (filter, page) => await list(db, filter, page),
    async deleteOf(clientId) {
      await db.deleteFrom('refused_requests').where('client_id', '=', clientId).execute();
    },
    async deleteBefore(at, limit) {
      const result = await sql`
        delete from refused_requests where (client_id, at, trace_id) in
          (select client_id, at, trace_id from refused_requests where at < ${at} limit ${limit})`.execute(db);
      return Number(result.numAffectedRows);
    },
  };
}

async function list(
  db: Kysely<Tables>,
  { clientId, traceId, organisationId, since }: RefusedRequestFilter,
  { before, limit }: RefusedRequestPage,
): Promise<StoredRefusedRequest[]> {
  let query = db
    .selectFrom('refused_requests')
    .innerJoin('api_users', 'api_users.client_id', 'refused_requests.client_id')
    .select([
      'refused_requests.client_id as clientId',
      'at',
      'trace_id as traceId',
      'address',
      'reason',
      'credential_id as credentialId',
      'detail',
      'api_users.name as apiUserName',
    ])
    .where('at', '>', since);
  if (clientId !== null) query = query.where('refused_requests.client_id', '=', clientId);
  if (traceId !== null) query = query.where('trace_id', '=', traceId);
  if (organisationId !== null) query = query.where('api_users.organisation_id', '=', organisationId);
  if (before !== null) {
    query = query.where(
      sql<boolean>`(at, trace_id, refused_requests.client_id) < (${before.at}, ${before.traceId}, ${before.clientId})`,
    );
  }
  // An organisation has few API users. `+` keeps the databases from reading all requests by time.
  const at = organisationId === null ? sql`at` : sql`+at`;
  return await query
    .orderBy(at, 'desc')
    .orderBy('trace_id', 'desc')
    .orderBy('refused_requests.client_id', 'desc')
    .limit(limit)
    .execute();
}

/** Adds refused requests in one transaction, and removes the excess. A repetition adds nothing. */
export async function recordRefusedRequests(
  { transaction: inOne, texts }: Connections,
  batch: readonly RefusedRequest[],
): Promise<void> {
  if (batch.length === 0) return;
  // Sorted, so that two processes lock rows in the same order.
  const clientIds = Array.from(new Set(batch.map(({ clientId }) => clientId))).toSorted();
  await inOne(async (transaction) => {
    const callers = await knownCallers(transaction, clientIds);
    const rows = batch.map((request) => toRow(request, callers));
    await transaction
      .insertInto('refused_requests')
      .values(rows)
      .onConflict((conflict) => conflict.columns(['client_id', 'at', 'trace_id']).doNothing())
      .execute();
    const ids = texts(JSON.stringify(clientIds));
    // Each network keeps its last one, then each its last but one, and so on.
    await sql`
      delete from refused_requests where (client_id, at, trace_id) in (
        select client_id, at, trace_id from (
          select client_id, at, trace_id, row_number() over
            (partition by client_id, own order by turn, at desc, trace_id) as place
          from (
            select client_id, at, trace_id, own, row_number() over
              (partition by client_id, own, network order by at desc, trace_id) as turn
            from refused_requests where client_id in (select value from ${ids} as ids)
          ) as turns
        ) as places where place > ${REFUSED_REQUESTS_KEPT_EACH}
      )`.execute(transaction);
  });
}

/** Networks from which a credential of each API user was last used, each as `<client id> <network>`. */
async function knownCallers(db: Kysely<Tables>, clientIds: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom('credentials')
    .innerJoin('credential_usage', 'credential_usage.credential_id', 'credentials.id')
    .select(['client_id', 'last_used_address'])
    .where('client_id', 'in', clientIds)
    .execute();
  return new Set(rows.map((row) => `${row.client_id} ${limitedNetwork(row.last_used_address)}`));
}

function toRow(
  { clientId, at, traceId, address, network, proved, reason, credentialId, detail }: RefusedRequest,
  callers: ReadonlySet<string>,
): RefusedRequestRow {
  return {
    client_id: clientId,
    at,
    trace_id: traceId,
    address,
    network,
    own: proved || callers.has(`${clientId} ${network}`) ? 1 : 0,
    reason,
    credential_id: credentialId,
    detail,
  };
}
