// SQLite runs on this thread: its calls are synchronous and a write waits for the disk, and a caller of the
// token endpoint must never wait for that. One connection writes. The other only reads, so it never waits for
// the writer.
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { FromWorker, SqliteParameter, ToWorker, WorkerData } from './sqlite.ts';

const { path, busyTimeoutMs, lockWaitMs, wakePollMs, applicationId } = workerData as WorkerData;
const STATEMENTS_MAX = 200;

const writer = new DatabaseSync(path, { timeout: busyTimeoutMs, enableForeignKeyConstraints: true });
// Mark the database first: a store whose creation is cut off must not look like another program's.
if (writer.prepare('pragma application_id').get()?.['application_id'] !== applicationId) {
  writer.exec(`pragma application_id = ${applicationId}`);
}
writer.exec('pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -16384');
// Pages of the write-ahead log before SQLite moves them to the database (16 MiB): under load the same pages
// change many times.
writer.exec('pragma wal_autocheckpoint = 4000');
const reader = new DatabaseSync(path, { timeout: busyTimeoutMs, readOnly: true });
reader.exec('pragma cache_size = -4096'); // 4 MiB: the reader reads each page once
// From here on the thread waits only briefly for a lock, so that other statements can run. The caller retries
// (`untilUnlocked`).
for (const database of [writer, reader]) database.exec(`pragma busy_timeout = ${lockWaitMs}`);

const connections = {
  write: { database: writer, statements: new Map<string, StatementSync>() },
  read: { database: reader, statements: new Map<string, StatementSync>() },
};

parentPort?.on('message', (message: ToWorker) => {
  if (message === 'close') close();
  else answer(run(message));
});

function run({ id, on, sql, parameters }: Exclude<ToWorker, 'close'>): FromWorker {
  try {
    const statement = prepared(on, sql);
    if (statement.columns().length > 0) {
      return { id, rows: statement.all(...parameters), changes: 0 };
    }
    return { id, rows: [], changes: Number(statement.run(...parameters).changes) };
  } catch (error) {
    const { message, errcode } = error as Error & { errcode?: number };
    return { id, error: { message, errcode } };
  }
}

function prepared(on: 'read' | 'write', sql: string): StatementSync {
  const { database, statements } = connections[on];
  let statement = statements.get(sql);
  if (statement === undefined) {
    statement = database.prepare(sql);
    if (statements.size >= STATEMENTS_MAX) statements.clear();
    statements.set(sql, statement);
  }
  return statement;
}

function answer(message: FromWorker): void {
  parentPort?.postMessage(message);
}

/** `data_version` changes when another connection commits, in this process or any other. */
function watchForChanges(): NodeJS.Timeout | undefined {
  if (wakePollMs === 0) return undefined;
  const statement = reader.prepare('pragma data_version');
  let last: SqliteParameter | undefined;
  return setInterval(() => {
    try {
      const version = statement.get()?.['data_version'];
      if (last !== undefined && version !== last) answer('wake');
      last = version as SqliteParameter;
    } catch {
      // The poll of the change feed has the same fault and reports it.
    }
  }, wakePollMs);
}

const watch = watchForChanges();

function close(): void {
  clearInterval(watch);
  reader.close();
  writer.close();
  parentPort?.close();
}

answer('open');
