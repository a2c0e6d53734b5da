import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import {
  CompiledQuery,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
  type Insertable,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  type RawBuilder,
} from 'kysely';
import { threadEnvironment } from '../../lib/thread-environment.ts';
import type { Connections, DatabaseFacts } from '../connections.ts';
import type { Tables } from '../schema.ts';
import { APPLICATION_ID, prepareFile } from './file.ts';
import { isInMemory } from './memory.ts';
import { sqliteError, StoreError } from '../store-error.ts';
import type { FromWorker, Rows, SqliteParameter, WorkerData, WorkerSettings } from './messages.ts';
import { cacheOf, openStatements, READER_CACHE_KIB } from './statements.ts';

export interface SqliteSettings extends Omit<WorkerSettings, 'applicationId'> {
  /** Creates the store if the file is missing. Default: true. */
  create?: boolean;
}

interface Waiting {
  resolve(result: Rows & { changes: number }): void;
  reject(error: Error): void;
}

/**
 * Opens the store at `path`, a file or a URI that names a database in memory. Throws a StoreError, and
 * changes nothing, if the store is missing (and `create` is false), the folder is missing, or the file
 * belongs to another program.
 */
export async function openSqlite({ create = true, ...settings }: SqliteSettings): Promise<Connections> {
  if (!isInMemory(settings.path)) prepareFile(settings.path, create);
  const workerSettings = { ...settings, applicationId: APPLICATION_ID };
  const thread = isInMemory(settings.path) ? onThisThread(workerSettings) : await startThread(workerSettings);
  const read = new Kysely<Tables>({ dialect: dialect(() => thread.connection('read')) });
  const write = new Kysely<Tables>({ dialect: dialect(serialized(thread.connection('write'))) });
  return {
    read,
    follow: read,
    lookUp: read,
    write,
    async transaction(work) {
      let announced = false;
      const result = await write.transaction().execute((transaction) =>
        work(transaction, () => {
          announced = true;
        }),
      );
      if (announced) thread.wake(); // wakes this process; the others check for commits
      return result;
    },
    readAll: (work) => (isInMemory(settings.path) ? work() : withLargeCache(read, work)),
    unhurried: (work) => work(write),
    snapshot: (work) => snapshotOf(read, work),
    texts,
    insertRows,
    clock: null,
    tables: () => tablesOf(read),
    damage: () => damageOf(read),
    facts: () => factsOf(read),
    standbyWaitMs: async () => 0,
    onWake: (wake) => {
      thread.wake = wake;
    },
    close: () => thread.close(),
  };
}

async function factsOf(read: Kysely<Tables>): Promise<DatabaseFacts> {
  const { rows } = await sql<{ version: string }>`select sqlite_version() as version`.execute(read);
  return { about: `SQLite ${rows[0]?.version}`, risks: [] };
}

/**
 * For the load of all API users. Credentials are found by client id. Client ids are random, so each search
 * needs another page of the index: of a million API users, it has some 40 MiB.
 */
const LOAD_CACHE_KIB = 32 * 1024;

async function withLargeCache<T>(read: Kysely<Tables>, work: () => Promise<T>): Promise<T> {
  await sql.raw(cacheOf(LOAD_CACHE_KIB)).execute(read);
  try {
    return await work();
  } finally {
    for (const statement of [cacheOf(READER_CACHE_KIB), 'pragma shrink_memory'])
      await sql.raw(statement).execute(read).catch(ignore); // the store was closed during the load
  }
}

function ignore(): void {}

/** In write-ahead mode, a transaction that reads keeps seeing the state of its first read. */
async function snapshotOf<T>(read: Kysely<Tables>, work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
  await sql`begin`.execute(read);
  try {
    return await work(read);
  } finally {
    await sql`rollback`.execute(read);
  }
}

async function tablesOf(read: Kysely<Tables>): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select name from sqlite_schema where type = 'table'`.execute(
    read,
  );
  return rows.map(({ name }) => name);
}

async function damageOf(read: Kysely<Tables>): Promise<string | null> {
  const { rows } = await sql<{ integrity_check: string }>`pragma integrity_check(1)`.execute(read);
  const verdict = rows[0]?.integrity_check ?? 'no answer';
  return verdict === 'ok'
    ? null
    : verdict.replace('*** in database main ***', '').trim().replaceAll('\n', '; ');
}

function texts(json: string | Uint8Array): RawBuilder<unknown> {
  return typeof json === 'string' ? sql`json_each(${json})` : sql`json_each(cast(${json} as text))`;
}

/** SQLite allows 32,766 parameters in a statement. */
const PARAMETERS_MAX = 10_000;

/** Values as JSON would cost SQLite more than a parameter for each of them. */
export async function insertRows<Name extends keyof Tables>(
  db: Kysely<Tables>,
  table: Name,
  rows: readonly Insertable<Tables[Name]>[],
): Promise<void> {
  const [first = {}] = rows;
  const rowsMax = Math.floor(PARAMETERS_MAX / Math.max(1, Object.keys(first).length));
  for (let at = 0; at < rows.length; at += rowsMax)
    await db
      .insertInto(table)
      .values(rows.slice(at, at + rowsMax))
      .execute();
}

interface SqliteThread {
  connection(on: 'read' | 'write'): DatabaseConnection;
  wake: () => void;
  close(): Promise<void>;
}

/**
 * Rows are garbage on the thread as soon as they are sent. With V8's default, some 30 MiB of them remain
 * after a load of all API users.
 */
const YOUNG_MIB_MAX = 4;

async function startThread(settings: WorkerSettings): Promise<SqliteThread> {
  // The worker lies beside this file, in the sources (.ts) as in the compiled package (.js).
  const file = new URL(`./worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
  const worker = new Worker(file, {
    env: threadEnvironment(),
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB_MAX },
    workerData: { ...settings, lockWaitMs: LOCK_WAIT_MS } satisfies WorkerData,
  });
  // Listen from the start: the thread may end on its own, and a later `close` must not wait forever.
  const exited = eventOf(worker, 'exit');
  const waiting = new Map<number, Waiting>();
  let ended: Error | undefined;
  let lastId = 0;

  function execute<R>(
    on: 'read' | 'write',
    { sql: text, parameters }: CompiledQuery,
  ): Promise<QueryResult<R>> {
    return new Promise((resolve, reject) => {
      if (ended !== undefined) return reject(ended);
      lastId += 1;
      waiting.set(lastId, {
        resolve: (result) => resolve(resultOf<R>(result)),
        reject,
      });
      worker.postMessage({ id: lastId, on, sql: text, parameters: parameters as SqliteParameter[] });
    });
  }

  const thread: SqliteThread = {
    connection: connectionsOver(execute, settings),
    wake: () => undefined,
    close: async () => {
      ended ??= new StoreError('unavailable', CLOSED);
      worker.postMessage('close');
      await exited;
    },
  };

  worker.on('message', (message: FromWorker) => {
    if (message === 'wake') return thread.wake();
    if (message === 'open') return;
    const query = waiting.get(message.id);
    waiting.delete(message.id);
    if ('rows' in message) query?.resolve(message);
    else query?.reject(sqliteError(message.error.message, message.error.errcode, settings.path));
  });
  worker.on('error', (error: Error & { errcode?: number }) => {
    ended = sqliteError(error.message, error.errcode, settings.path);
    for (const query of waiting.values()) query.reject(ended);
    waiting.clear();
  });
  await opened(worker, settings.path);
  return thread;
}

/** A database in memory never waits for a disk. Its statements run on this thread. */
function onThisThread(settings: WorkerSettings): SqliteThread {
  const { run, close } = openStatements({ ...settings, lockWaitMs: LOCK_WAIT_MS });
  let isOpen = true;
  async function execute<R>(
    on: 'read' | 'write',
    { sql: text, parameters }: CompiledQuery,
  ): Promise<QueryResult<R>> {
    if (!isOpen) throw new StoreError('unavailable', CLOSED);
    const answer = run({ id: 0, on, sql: text, parameters: parameters as SqliteParameter[] });
    if ('error' in answer) throw sqliteError(answer.error.message, answer.error.errcode, settings.path);
    return resultOf<R>(answer);
  }
  return {
    connection: connectionsOver(execute, settings),
    wake: () => undefined,
    close: async () => {
      if (isOpen) close();
      isOpen = false;
    },
  };
}

function resultOf<R>({ columns, rows, changes }: Rows & { changes: number }): QueryResult<R> {
  return { rows: rows.map((row) => objectOf(columns, row) as R), numAffectedRows: BigInt(changes) };
}

function objectOf(columns: readonly string[], row: readonly SqliteParameter[]): unknown {
  const object: Record<string, SqliteParameter | undefined> = {};
  for (let i = 0; i < columns.length; i++) object[columns[i] as string] = row[i];
  return object;
}

type Execute = <R>(on: 'read' | 'write', query: CompiledQuery) => Promise<QueryResult<R>>;

const CLOSED = 'The store is closed.';

function connectionsOver(
  execute: Execute,
  { busyTimeoutMs, path }: WorkerSettings,
): SqliteThread['connection'] {
  const waitMs = isInMemory(path) ? 0 : LOCK_WAIT_MS;
  return (on) => ({
    executeQuery: <R>(query: CompiledQuery) =>
      untilUnlocked(() => execute<R>(on, query), busyTimeoutMs, waitMs),
    streamQuery: () => {
      throw new Error('Streaming is not used: pages are read one after the other.');
    },
  });
}

/** The thread waits this long for a lock, and then does other work for as long before the next attempt. */
const LOCK_WAIT_MS = 20;

/**
 * Retries while another writer holds the database, up to `timeoutMs`. A wait on the thread would delay
 * look-ups and the change feed, so this function waits outside it. A retry is safe: a statement that got
 * no lock has changed nothing.
 */
async function untilUnlocked<T>(attempt: () => Promise<T>, timeoutMs: number, waitMs: number): Promise<T> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof StoreError && error.code === 'locked') || performance.now() >= giveUpAt)
        throw error;
      await sleep(waitMs);
    }
  }
}

function opened(worker: Worker, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('error', (error: Error & { errcode?: number }) =>
      reject(sqliteError(error.message, error.errcode, path)),
    );
  });
}

function eventOf(worker: Worker, event: 'exit'): Promise<void> {
  return new Promise((resolve) => worker.once(event, () => resolve()));
}

function dialect(acquire: () => DatabaseConnection | Promise<DatabaseConnection>): Dialect {
  return {
    createDriver: () => new SqliteThreadDriver(acquire),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new TransactionalAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
}

/**
 * SQLite rolls back the creation of a table with its transaction. Kysely does not rely on that: a migration
 * that is cut off in the middle would leave a store that fails every later start.
 */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

interface Releasable extends DatabaseConnection {
  release?(): void;
}

/** Lends the connection to one user at a time: statements of others must not run inside a transaction. */
function serialized(connection: DatabaseConnection): () => Promise<DatabaseConnection> {
  let last: Promise<void> = Promise.resolve();
  return async () => {
    const before = last;
    const released = Promise.withResolvers<void>();
    last = released.promise;
    await before;
    const handle: Releasable = { ...connection, release: () => released.resolve() };
    return handle;
  };
}

class SqliteThreadDriver implements Driver {
  readonly #acquire: () => DatabaseConnection | Promise<DatabaseConnection>;

  constructor(acquire: () => DatabaseConnection | Promise<DatabaseConnection>) {
    this.#acquire = acquire;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return await this.#acquire();
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // If the disk is full or fails, SQLite rolls back on its own, and this statement fails.
    await connection.executeQuery(CompiledQuery.raw('rollback')).catch(() => undefined);
  }

  async releaseConnection(connection: Releasable): Promise<void> {
    connection.release?.();
  }

  async destroy(): Promise<void> {}
}
