import {
  CompiledQuery,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type DatabaseConnection,
  type DataTypeNode,
  type Dialect,
  type Driver,
  type QueryResult,
} from 'kysely';
import type { PostgresConnection, Rows } from './connection.ts';
import { isPassing } from './error.ts';
import type { PostgresPool } from './pool.ts';
import { StoreError } from '../store-error.ts';

/**
 * For statements that only read. Each runs on any connection, and again on another if the first one fails.
 */
export function readingDialect(pool: PostgresPool, deadlinesMs: readonly (number | undefined)[]): Dialect {
  const connection: DatabaseConnection = {
    executeQuery: async <R>(query: CompiledQuery) => resultOf<R>(await readWith(pool, query, deadlinesMs)),
    streamQuery,
  };
  return dialect({ acquire: async () => connection, release: () => undefined });
}

/** For transactions: each has one connection from its first statement to its last. */
export function writingDialect(pool: Pick<PostgresPool, 'acquire' | 'release'>): Dialect {
  const held = new WeakMap<DatabaseConnection, PostgresConnection>();
  return dialect({
    async acquire() {
      const own = await pool.acquire();
      const connection: DatabaseConnection = {
        executeQuery: async <R>({ sql, parameters }: CompiledQuery) =>
          resultOf<R>(await own.query(sql, parameters)),
        streamQuery,
      };
      held.set(connection, own);
      return connection;
    },
    release(connection) {
      const own = held.get(connection);
      if (own !== undefined) pool.release(own);
    },
  });
}

/**
 * A frozen server process neither answers nor fails: a statement without an answer by its deadline is
 * repeated on another connection. There is one attempt for each deadline.
 */
async function readWith(
  pool: PostgresPool,
  { sql, parameters }: CompiledQuery,
  deadlinesMs: readonly (number | undefined)[],
): Promise<Rows> {
  for (let attempt = 0; ; attempt++) {
    const connection = await pool.acquire();
    try {
      return await connection.query(sql, parameters, deadlinesMs[attempt]);
    } catch (error) {
      const another = connection.broken() || isPassing(error);
      if (!another || attempt >= deadlinesMs.length - 1) throw error;
      pool.dropIdle();
    } finally {
      pool.release(connection);
    }
  }
}

function resultOf<R>({ rows, affected, command }: Rows): QueryResult<R> {
  const changed = /^(INSERT|UPDATE|DELETE|MERGE)$/.test(command) && affected !== null;
  // If a statement of the transaction failed, PostgreSQL answers `commit` with `ROLLBACK`.
  if (command === 'ROLLBACK' || command === 'COMMIT') return { rows: [{ command }] as R[] };
  return { rows: rows as R[], ...(changed && { numAffectedRows: BigInt(affected) }) };
}

function streamQuery(): never {
  throw new Error('Streaming is not used: pages are read one after the other.');
}

interface Source {
  acquire(): Promise<DatabaseConnection>;
  release(connection: DatabaseConnection): void;
}

function dialect(source: Source): Dialect {
  return {
    createDriver: () => new PostgresDriver(source),
    createQueryCompiler: () => new BytewiseQueryCompiler(),
    createAdapter: () => new PostgresAdapter(),
    createIntrospector: (db) => new PostgresIntrospector(db),
  };
}

/**
 * PostgreSQL compares our text by its bytes, as SQLite does: pages and sorted lists have the same order on
 * every database, and an index does not depend on the locales of the operating system.
 */
class BytewiseQueryCompiler extends PostgresQueryCompiler {
  protected override visitDataType(node: DataTypeNode): void {
    super.visitDataType(node);
    if (node.dataType === 'text' && this.parentNode?.kind === 'ColumnDefinitionNode')
      this.append(' collate "C"');
  }
}

class PostgresDriver implements Driver {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return await this.#source.acquire();
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin'));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    const { rows } = await commit(connection);
    if ((rows[0] as { command?: string } | undefined)?.command === 'ROLLBACK') {
      throw new Error('A transaction was committed in which a statement had failed.');
    }
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // If the connection is broken, the server has rolled back already.
    await connection.executeQuery(CompiledQuery.raw('rollback')).catch(() => undefined);
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    this.#source.release(connection);
  }

  async destroy(): Promise<void> {}
}

async function commit(connection: DatabaseConnection): Promise<QueryResult<unknown>> {
  try {
    return await connection.executeQuery(CompiledQuery.raw('commit'));
  } catch (error) {
    if (!(error instanceof StoreError && error.code === 'unavailable')) throw error;
    const text = `${error.message} Whether the change was made is not known: look before you repeat it.`;
    throw new StoreError('unavailable', text, { cause: error });
  }
}
