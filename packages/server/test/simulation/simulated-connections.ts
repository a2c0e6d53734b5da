import {
  CompiledQuery,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  type RawBuilder,
} from 'kysely';
import type { Connections } from '../../src/storage/connections.ts';
import type { Tables } from '../../src/storage/schema.ts';
import { StoreError } from '../../src/storage/store-error.ts';
import type { DatabaseClock } from '../../src/storage/tables/clock.ts';
import type { Link, Network } from './network.ts';
import type { Answer } from './store-database.ts';
import { insertRows } from '../../src/storage/sqlite/sqlite.ts';
import type { ServerConnection, StoreServer } from './store-server.ts';
import type { Host } from './universe.ts';

export interface StoreAccess {
  server: StoreServer;
  network: Network;
  host: Host;
  link: Link;
  /** Crashes the host. */
  crash(): void;
}

/**
 * How long a host waits for a statement. The feed and look-ups wait less
 * (MINTMARK_POSTGRES_FOLLOW_TIMEOUT).
 */
const STATEMENT_MS = 2000;
const FOLLOW_MS = 750;
const TIME: RawBuilder<number> = sql`store_now()`;
const RECORDED_MAX = 1000;

/** The connections of a host to the simulated store. It has a clock of its own, as PostgreSQL has. */
export function simulatedConnections(access: StoreAccess): Connections {
  const [reads, follows] = [reading(access, STATEMENT_MS), reading(access, FOLLOW_MS)];
  const read = new Kysely<Tables>({ dialect: dialect(() => reads) });
  const follow = new Kysely<Tables>({ dialect: dialect(() => follows) });
  const write = new Kysely<Tables>({ dialect: dialect(() => writing(access)) });
  return {
    read,
    follow,
    lookUp: follow,
    write,
    transaction: async (work) =>
      await write.transaction().execute((transaction) => work(transaction, () => undefined)),
    readAll: (work) => work(),
    unhurried: (work) => work(write),
    // As a text at once, as for PostgreSQL: the sender reuses the bytes.
    texts: (json) => sql`json_each(${typeof json === 'string' ? json : new TextDecoder().decode(json)})`,
    insertRows,
    snapshot: (work) => work(read),
    clock: clockOf(read, write),
    tables: async () => [],
    damage: async () => null,
    facts: async () => ({ about: 'simulated', risks: [] }),
    standbyWaitMs: async () => 0,
    onWake: () => undefined,
    close: async () => undefined,
  };
}

/** As storage/postgres/clock.ts, for SQLite. */
function clockOf(read: Kysely<Tables>, write: Kysely<Tables>): DatabaseClock {
  return {
    time: TIME,
    async record({ process, offsetMs }) {
      await sql`insert into process_clocks (process, offset_ms, seen_at) values (${process}, ${offsetMs}, ${TIME})
        on conflict (process) do update set offset_ms = excluded.offset_ms, seen_at = excluded.seen_at`.execute(
        write,
      );
    },
    async recorded(withinMs) {
      return await read
        .selectFrom('process_clocks')
        .select(['process', 'offset_ms as offsetMs'])
        .where('seen_at', '>', sql<number>`${TIME} - ${withinMs}`)
        .where('seen_at', '<=', TIME)
        .orderBy('process')
        .limit(RECORDED_MAX)
        .execute();
    },
    async deleteBefore(at) {
      await write.deleteFrom('process_clocks').where('seen_at', '<', at).execute();
    },
  };
}

function reading({ server, network, host, link }: StoreAccess, timeoutMs: number): DatabaseConnection {
  return connectionOf((text, parameters) =>
    network.call<Answer>(host, link, {
      timeoutMs,
      serve(reply) {
        try {
          reply(server.read(text, parameters));
        } catch (error) {
          reply(error as Error);
        }
      },
    }),
  );
}

function writing({ server, network, host, link, crash }: StoreAccess): DatabaseConnection {
  const connection: ServerConnection = { inTransaction: false, broken: false };
  const disconnect = () => server.disconnect(connection);
  const life = host.life;
  return connectionOf((text, parameters) =>
    network.call<Answer>(host, link, {
      timeoutMs: STATEMENT_MS,
      gone: disconnect,
      serve(reply) {
        // The server notices the end of a process, and rolls back what it had begun.
        if (host.life !== life) return disconnect();
        const fault = text === 'commit' ? link.atCommit : null;
        if (fault !== null) link.atCommit = null;
        if (fault === 'crash before it') {
          disconnect();
          return crash();
        }
        server.execute(connection, text, parameters, fault === null ? reply : () => undefined);
        if (fault === 'crash after it') crash();
      },
    }),
  );
}

type Send = (text: string, parameters: readonly unknown[]) => Promise<Answer>;

function connectionOf(send: Send): DatabaseConnection {
  return {
    async executeQuery<R>({ sql: text, parameters }: CompiledQuery): Promise<QueryResult<R>> {
      try {
        const { rows, changes } = await send(text, parameters);
        return { rows: rows as R[], numAffectedRows: BigInt(changes) };
      } catch (error) {
        throw new StoreError('unavailable', (error as Error).message, { cause: error });
      }
    },
    streamQuery: () => {
      throw new Error('Streaming is not used.');
    },
  };
}

function dialect(connect: () => DatabaseConnection): Dialect {
  return {
    createDriver: () => new SimulatedDriver(connect),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
}

class SimulatedDriver implements Driver {
  readonly #connect: () => DatabaseConnection;

  constructor(connect: () => DatabaseConnection) {
    this.#connect = connect;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connect();
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin'));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback')).catch(() => undefined);
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {}
}
