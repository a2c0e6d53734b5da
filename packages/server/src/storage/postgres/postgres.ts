import { Kysely, sql, type Insertable, type RawBuilder } from 'kysely';
import { postgresClock } from './clock.ts';
import type { PostgresConnection } from './connection.ts';
import { factsOf } from './facts.ts';
import { readingDialect, writingDialect } from './dialect.ts';
import { isPassing } from './error.ts';
import { CHANNEL, listen, type PostgresListener } from './listener.ts';
import { createPool, type PostgresPool } from './pool.ts';
import { connectToPrimary, type Connect } from './primary.ts';
import { standbyError, standbyWaitMs } from './standby.ts';
import type { PostgresTarget } from './target.ts';
import { POSTGRES_MARK, TABLE_NAMES, type Tables } from '../schema.ts';
import { StoreError } from '../store-error.ts';
import type { Connections } from '../connections.ts';

export interface PostgresSettings {
  target: PostgresTarget;
  /** Creates the store in a database that has none. Default: true. */
  create?: boolean;
  /**
   * Shortest interval between two wake-ups for changes of other processes, in milliseconds; 0: no wake-ups.
   */
  wakeEveryMs: number;
  connectTimeoutMs: number;
  statementTimeoutMs: number;
  lockTimeoutMs: number;
  /**
   * Deadline of the small reads that keep a process in step. After it they are retried on another connection.
   */
  followTimeoutMs: number;
  /** Most connections to the server, at least POSTGRES_CONNECTIONS_MIN. */
  connectionsMax: number;
}

/** One connection listens, one follows, one looks up, two write, one reads. */
export const POSTGRES_CONNECTIONS_MIN = 6;
const LISTENERS = 1;
const FOLLOWERS = 1;
const WRITERS = 2;

/**
 * Writers take turns, as they do on SQLite: what a writer has checked still holds when it writes. Any number
 * except that of Kysely.
 */
const WRITE_LOCK = 7_306_357_092_402n;
const ATTEMPTS_MAX = 3;

/**
 * Opens the store in a PostgreSQL database. Throws a StoreError, and changes nothing, if the server cannot be
 * used, the store is missing (and `create` is false), or another program owns its tables.
 */
export async function openPostgres({ create = true, ...settings }: PostgresSettings): Promise<Connections> {
  const { target, connectionsMax, statementTimeoutMs: statementMs } = settings;
  const timeouts = {
    connectMs: settings.connectTimeoutMs,
    statementMs,
    lockMs: Math.max(1, settings.lockTimeoutMs),
  };
  const connect = connectToPrimary(target, timeouts);
  await checkStore(await connect(), target, create);

  const pool = (max: number) => createPool({ max, waitMs: statementMs, connect });
  const shared = connectionsMax - LISTENERS - FOLLOWERS - WRITERS;
  const pools = {
    follow: pool(FOLLOWERS),
    lookUp: pool(Math.ceil(shared / 2)),
    read: pool(Math.floor(shared / 2)),
    write: pool(WRITERS),
  };
  const apart = connectionsApart(connect);
  const read = new Kysely<Tables>({ dialect: readingDialect(pools.read, [undefined, undefined]) });
  const write = new Kysely<Tables>({ dialect: writingDialect(pools.write) });
  let listener: PostgresListener | undefined;
  let wakeThis = () => undefined as void;

  return {
    read,
    write,
    follow: soon(pools.follow, settings.followTimeoutMs),
    lookUp: soon(pools.lookUp, settings.followTimeoutMs),
    readAll: (work) => work(),
    texts,
    insertRows,
    clock: postgresClock(read, write),
    transaction: (work) =>
      inTurn(write, work, () => wakeThis()).catch(async (error: unknown) => {
        throw (await standbyError(read, error)) ?? error;
      }),
    unhurried: (work, withinMs) => unhurried(apart.connect, work, withinMs),
    snapshot: (work) => unhurried(apart.connect, (db) => snapshotOf(db, work)),
    tables: async () => await tablesOf(read),
    damage: () => unhurried(apart.connect, damageOf),
    facts: async () => await factsOf(read, target),
    standbyWaitMs: async () => await standbyWaitMs(read),
    onWake(wake) {
      listener?.stop();
      wakeThis = wake;
      if (settings.wakeEveryMs > 0) listener = listen(connect, wake, settings.wakeEveryMs);
    },
    async close() {
      listener?.stop();
      for (const each of Object.values(pools)) each.close();
      apart.close();
    },
  };
}

/** For small reads, with short deadlines for the first two attempts. */
function soon(pool: PostgresPool, withinMs: number): Kysely<Tables> {
  return new Kysely<Tables>({ dialect: readingDialect(pool, [withinMs, 2 * withinMs, undefined]) });
}

/**
 * Runs one writer at a time. If `work` announced a change, the commit notifies the other processes; after it,
 * `wakeThis` wakes this one.
 */
async function inTurn<T>(
  write: Kysely<Tables>,
  work: (db: Kysely<Tables>, announce: () => void) => Promise<T>,
  wakeThis: () => void,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    let announced = false;
    try {
      const committed = await write.transaction().execute(async (transaction) => {
        await sql`select pg_advisory_xact_lock(${sql.lit(WRITE_LOCK)})`.execute(transaction);
        const result = await work(transaction, () => {
          announced = true;
        });
        if (announced) await sql.raw(`notify ${CHANNEL}`).execute(transaction);
        return result;
      });
      if (announced) wakeThis();
      return committed;
    } catch (error) {
      if (!isPassing(error) || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

/** Connections outside the pools, each for one piece of work. `close` ends those that are still open. */
function connectionsApart(connect: Connect): { connect: Connect; close(): void } {
  const open = new Set<PostgresConnection>();
  let closed = false;
  return {
    async connect(timeouts) {
      const connection = await connect(timeouts);
      open.add(connection);
      connection.onEnd(() => open.delete(connection));
      if (closed) connection.end();
      return connection;
    },
    close() {
      closed = true;
      for (const connection of open) connection.end();
    },
  };
}

/** Runs `work` on a connection of its own. `statementMs` 0: no timeout for a statement. */
async function unhurried<T>(
  connect: Connect,
  work: (db: Kysely<Tables>) => Promise<T>,
  statementMs = 0,
): Promise<T> {
  const connection = await connect({ statementMs });
  const only = { acquire: async () => connection, release: () => undefined };
  try {
    return await work(new Kysely<Tables>({ dialect: writingDialect(only) }));
  } finally {
    connection.end();
  }
}

async function snapshotOf<T>(db: Kysely<Tables>, work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
  await sql`begin isolation level repeatable read read only`.execute(db);
  try {
    return await work(db);
  } finally {
    // On a broken connection, the transaction has ended already.
    await sql`rollback`.execute(db).catch(() => undefined);
  }
}

function texts(json: string | Uint8Array): RawBuilder<unknown> {
  const text = typeof json === 'string' ? json : new TextDecoder().decode(json);
  return sql`(select value from json_array_elements_text(${text}::json) as texts (value))`;
}

/**
 * One short statement with one parameter: with a parameter for each value, PostgreSQL and its driver spend
 * more on the statement than on the rows.
 */
async function insertRows<Name extends keyof Tables>(
  db: Kysely<Tables>,
  table: Name,
  rows: readonly Insertable<Tables[Name]>[],
): Promise<void> {
  const [first] = rows;
  if (first === undefined) return;
  const columns = sql.join(Object.keys(first).map((column) => sql.ref(column)));
  await sql`insert into ${sql.table(table)} (${columns}) select ${columns}
    from json_populate_recordset(null::${sql.table(table)}, ${JSON.stringify(rows)})`.execute(db);
}

interface TableRow {
  name: string;
  comment: string | null;
}

const TABLES = `select relname::text as name, obj_description(oid, 'pg_class') as comment from pg_class
  where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')`;

async function tablesOf(db: Kysely<Tables>): Promise<string[]> {
  const { rows } = await sql.raw<TableRow>(TABLES).execute(db);
  return rows.map(({ name }) => name);
}

/**
 * Our table `meta` carries the mark. Without the mark, a table with one of our names belongs to another
 * program.
 */
async function checkStore(
  connection: PostgresConnection,
  target: PostgresTarget,
  create: boolean,
): Promise<void> {
  try {
    // Read before the tables: the transaction that adds the first row also makes the mark.
    const hasMigrations = await hasAppliedMigrations(connection);
    const tables = (await connection.query(TABLES)).rows as TableRow[];
    if (tables.some(({ name, comment }) => name === 'meta' && comment === POSTGRES_MARK)) return;
    const names = new Set<string>(TABLE_NAMES);
    const taken = tables.map(({ name }) => name).filter((name) => names.has(name));
    if (taken.length > 0 || hasMigrations) {
      throw new StoreError(
        'not_ours',
        `The database ${target.database} has tables of another program (${taken.join(', ') || 'kysely_migration'}): ` +
          'name another database in DATABASE_URL.',
      );
    }
    if (create) return;
    throw new StoreError(
      'missing',
      `There is no store in the database ${target.database}: mintmark serve or mintmark migrate makes one, or name the ` +
        'right database in DATABASE_URL.',
    );
  } finally {
    connection.end();
  }
}

/**
 * An empty `kysely_migration` may be ours: Kysely creates it before the first migration, and a start may be
 * cut off in between.
 */
async function hasAppliedMigrations(connection: PostgresConnection): Promise<boolean> {
  const listed = await connection.query(`select 1 where to_regclass('kysely_migration') is not null`);
  if (listed.rows.length === 0) return false;
  return (await connection.query('select 1 from kysely_migration limit 1')).rows.length > 0;
}

/** Reads every table once. If checksums are on, the server checks each page that it reads. */
async function damageOf(db: Kysely<Tables>): Promise<string | null> {
  try {
    for (const name of TABLE_NAMES) await sql`select count(*) from ${sql.table(name)}`.execute(db);
  } catch (error) {
    if (error instanceof StoreError && error.code === 'corrupt') return (error.cause as Error).message;
    throw error;
  }
  const { rows } = await sql<{ ahead: boolean }>`
    select coalesce(max(changes.n), 0) > (select n from epoch) as ahead from changes`.execute(db);
  return rows[0]?.ahead === true ? 'there are changes with numbers above the epoch' : null;
}
