import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { FromWorker, SqliteParameter, ToWorker, WorkerData } from './messages.ts';

/** The two connections to one SQLite database. All calls are synchronous. */
export interface Statements {
  run(message: Exclude<ToWorker, 'close'>): Extract<FromWorker, object>;
  /** Changes when another connection commits, in this process or any other. */
  dataVersion(): SqliteParameter | undefined;
  close(): void;
}

const STATEMENTS_MAX = 200;
/** A flush of usage may change all pages of its tables. If pages are large, SQLite makes fewer calls. */
const PAGE_BYTES = 8192;
/** A write-ahead log of this size moves to the database. Under load, the same pages change many times. */
const LOG_BYTES = 16 * 1024 * 1024;

/** The cache of the connection that reads. It reads most pages once. */
export const READER_CACHE_KIB = 4096;

/** The statement that sets the cache of a connection. */
export function cacheOf(kib: number): string {
  return `pragma cache_size = -${kib}`;
}

interface Prepared {
  statement: StatementSync;
  /** The names of its columns; empty for a statement that returns no rows. */
  columns: readonly string[];
}

function namesOf(statement: StatementSync): readonly string[] {
  return statement.columns().map(({ name }) => name);
}

/** One connection writes. The other only reads, so it never waits for the writer. */
export function openStatements({ path, busyTimeoutMs, lockWaitMs, applicationId }: WorkerData): Statements {
  const writer = new DatabaseSync(path, { timeout: busyTimeoutMs, enableForeignKeyConstraints: true });
  writer.exec(`pragma page_size = ${PAGE_BYTES}`); // of a new store; an existing one keeps its own
  // Mark the database first: a store whose creation is cut off must not look like another program's.
  if (writer.prepare('pragma application_id').get()?.['application_id'] !== applicationId) {
    writer.exec(`pragma application_id = ${applicationId}`);
  }
  writer.exec('pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -16384');
  const pageBytes = Number(writer.prepare('pragma page_size').get()?.['page_size']);
  writer.exec(`pragma wal_autocheckpoint = ${Math.ceil(LOG_BYTES / pageBytes)}`);
  const reader = new DatabaseSync(path, { timeout: busyTimeoutMs, readOnly: true });
  reader.exec(cacheOf(READER_CACHE_KIB));
  // From here on a statement waits only briefly for a lock, so that other statements can run. The caller
  // retries (`untilUnlocked`).
  for (const database of [writer, reader]) database.exec(`pragma busy_timeout = ${lockWaitMs}`);

  const connections = {
    write: { database: writer, statements: new Map<string, Prepared>() },
    read: { database: reader, statements: new Map<string, Prepared>() },
  };

  function preparedFor(on: 'read' | 'write', sql: string): Prepared {
    const { database, statements } = connections[on];
    let prepared = statements.get(sql);
    if (prepared === undefined) {
      const statement = database.prepare(sql);
      statement.setReturnArrays(true);
      prepared = { statement, columns: namesOf(statement) };
      if (statements.size >= STATEMENTS_MAX) statements.clear();
      statements.set(sql, prepared);
    }
    return prepared;
  }

  const version = reader.prepare('pragma data_version');
  return {
    run({ id, on, sql, parameters }) {
      try {
        const prepared = preparedFor(on, sql);
        const { statement } = prepared;
        if (prepared.columns.length === 0) {
          return { id, columns: [], rows: [], changes: Number(statement.run(...parameters).changes) };
        }
        const rows = statement.all(...parameters) as unknown as SqliteParameter[][];
        // A migration by another process may have changed what `select *` returns.
        const [first] = rows;
        if (first !== undefined && first.length !== prepared.columns.length)
          prepared.columns = namesOf(statement);
        return { id, columns: prepared.columns, rows, changes: 0 };
      } catch (error) {
        const { message, errcode } = error as Error & { errcode?: number };
        return { id, error: { message, errcode } };
      }
    },
    dataVersion: () => version.get()?.['data_version'],
    close() {
      reader.close();
      writer.close();
    },
  };
}
