import { sql, type Kysely, type RawBuilder } from 'kysely';
import type { CredentialKind } from '../../domain/credential.ts';
import type { Connections } from '../connections.ts';
import type { Tables } from '../schema.ts';

/**
 * One API user and one of its credentials, for the directory. The columns of the credential are null if the
 * API user has none. One statement reads both, so they are from the same moment.
 */
export interface KnownApiUserRow {
  client_id: string;
  created_at: number;
  organisation_id: string | null;
  claims: string | null;
  token_life_seconds: number | null;
  username_key: string | null;
  enabled: number;
  scopes: string;
  audiences: string;
  allowed_networks: string;
  limit_per_minute: number | null;
  credential_id: string | null;
  kind: CredentialKind | null;
  digest: string | null;
  facts: string | null;
  credential_created_at: number | null;
  expires_at: number | null;
  retired_at: number | null;
}

export interface KnownApiUserRows {
  byName(clientId: string, usernameKey: string): Promise<KnownApiUserRow[]>;
  byIds(clientIds: readonly string[]): Promise<KnownApiUserRow[]>;
  /**
   * Up to `limit` API users after this one, in the order of their creation: rows that were written together
   * are read together, at two thirds of the cost of the order of the client ids, which are random.
   */
  page(after: Position | null, limit: number): Promise<KnownApiUserRow[]>;
  /** Runs `work`, which reads all pages: each of them costs less then. */
  readAll: Connections['readAll'];
  anyPassword(): Promise<boolean>;
}

/** The place of an API user in the order of pages. */
export type Position = Pick<KnownApiUserRow, 'created_at' | 'client_id'>;

export function knownApiUserRows(db: Kysely<Tables>, readAll: Connections['readAll']): KnownApiUserRows {
  const read = async (which: RawBuilder<unknown>): Promise<KnownApiUserRow[]> => {
    const query = sql<KnownApiUserRow>`
      select u.client_id, u.created_at, u.organisation_id, u.claims, u.token_life_seconds, u.username_key, u.enabled, u.scopes, u.audiences, u.allowed_networks, u.limit_per_minute,
        c.id as credential_id, c.kind, c.digest, c.facts, c.created_at as credential_created_at, c.expires_at,
        c.retired_at
      from (select * from api_users where ${which}) as u
      left join credentials as c on c.client_id = u.client_id
      order by u.created_at, u.client_id`;
    return inOrder((await query.execute(db)).rows);
  };
  return {
    byName: (clientId, usernameKey) => read(sql`client_id = ${clientId} or username_key = ${usernameKey}`),
    byIds: (clientIds) => read(sql`client_id in (${sql.join(clientIds)})`),
    page: (after, limit) => {
      const isAfter =
        after === null
          ? sql`1 = 1`
          : sql`(created_at, client_id) > (${after.created_at}, ${after.client_id})`;
      return read(sql`${isAfter} order by created_at, client_id limit ${limit}`);
    },
    readAll,
    async anyPassword() {
      // A literal: the databases do not use the partial index of passwords for a parameter.
      const { rows } = await sql`select id from credentials where kind = 'password' limit 1`.execute(db);
      return rows.length > 0;
    },
  };
}

/**
 * Sorts the rows of each API user, the newest credential first. The database would sort all rows for that,
 * but nearly all API users have one credential.
 */
function inOrder(rows: KnownApiUserRow[]): KnownApiUserRow[] {
  const isSorted = rows.every((row, at) => row.client_id !== rows[at + 1]?.client_id);
  if (isSorted) return rows;
  const byApiUser = Map.groupBy(rows, (row) => row.client_id);
  return Array.from(byApiUser.values()).flatMap((own) => own.sort(newestFirst));
}

function newestFirst(a: KnownApiUserRow, b: KnownApiUserRow): number {
  const byTime = (b.credential_created_at ?? 0) - (a.credential_created_at ?? 0);
  return byTime || ((a.credential_id ?? '') < (b.credential_id ?? '') ? -1 : 1);
}
