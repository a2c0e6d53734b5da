import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { createSecureContext, type ConnectionOptions, type SecureContext } from 'node:tls';
import pg from 'pg';
import { isOutdatedStatement, postgresError, sqlState } from './error.ts';
import { nameOf, tlsModeFor, type PostgresServer, type PostgresTarget } from './target.ts';
import { StoreError } from '../store-error.ts';
import { withDeadline } from '../../lib/deadline.ts';

export interface PostgresTimeouts {
  /** To connect, sign in and check the server, in milliseconds. */
  connectMs: number;
  /** For one statement; 0: no timeout. */
  statementMs: number;
  /** For a lock that another transaction holds. */
  lockMs: number;
}

export interface Rows {
  rows: unknown[];
  /** Rows that were inserted, updated or deleted. */
  affected: number | null;
  /** The command as the server names it: `ROLLBACK` if it rolled back instead of committing. */
  command: string;
}

/** One connection to a server that takes writes. */
export interface PostgresConnection {
  server: PostgresServer;
  /** Throws a StoreError. Without an answer within `deadlineMs`, it ends the connection. */
  query(text: string, parameters?: readonly unknown[], deadlineMs?: number): Promise<Rows>;
  /** True if the connection must not be used again. */
  broken(): boolean;
  /** Called once, soon after it broke or was ended. */
  onEnd(ended: () => void): void;
  onNotification(heard: () => void): void;
  /** Ends the connection at once, even during a statement. */
  end(): void;
}

/** The oldest server version that is known to work: 15. */
const VERSION_MIN = 150_000;
/** Added to the server's own timeout for a statement: a server that is alive reports its timeout first. */
const SLACK_MS = 1000;
const KEEP_ALIVE_MS = 10_000;
const IDLE_MS_MIN = 1000;
const UNHURRIED_IDLE_MS = 60_000;
/** Statements with more parameters hold lists, and each length of a list makes another statement. */
const NAMED_PARAMETERS_MAX = 16;
const NAMED_STATEMENTS_MAX = 300;
const INT8 = 20;
const NUMERIC = 1700;

/** Connects, signs in, sets the timeouts, and checks that the server can be used. Throws a StoreError. */
export async function connectTo(
  server: PostgresServer,
  target: PostgresTarget,
  timeouts: PostgresTimeouts,
): Promise<PostgresConnection> {
  const socket = new Socket();
  const client = new pg.Client({
    host: server.host,
    port: server.port,
    user: target.user,
    database: target.database,
    // A function, so that a printed client does not show the password.
    password: () => target.password?.reveal() as string,
    application_name: target.applicationName,
    ssl: tlsOptions(target, server),
    stream: () => socket,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    connectionTimeoutMillis: timeouts.connectMs,
    types: { getTypeParser: typeParser },
  });
  const connection = connectionOver(client, socket, server, target, timeouts.statementMs);
  try {
    await client.connect();
    await prepare(connection, timeouts);
    return connection;
  } catch (error) {
    connection.end();
    throw connectError(error, { server, target }, timeouts);
  }
}

function connectError(
  error: unknown,
  endpoint: { server: PostgresServer; target: PostgresTarget },
  { connectMs }: PostgresTimeouts,
): Error {
  if (error instanceof Error && error.message === 'timeout expired') {
    const text = `PostgreSQL at ${nameOf(endpoint.server)} is out of reach: no connection within ${connectMs} ms.`;
    return new StoreError('unavailable', text, { cause: error });
  }
  return postgresError(error, endpoint);
}

function connectionOver(
  client: pg.Client,
  socket: Socket,
  server: PostgresServer,
  target: PostgresTarget,
  statementMs: number,
): PostgresConnection {
  let broken = false;
  let ended = () => undefined as void;

  function end(): void {
    if (!broken) setImmediate(() => ended());
    broken = true;
    client.end().catch(() => undefined);
    // `client.end` alone waits for the other side, which may be frozen or cut off.
    setImmediate(() => socket.destroy());
  }

  client.on('error', end);
  client.on('end', end);

  return {
    server,
    async query(text, parameters = [], deadlineMs = statementMs === 0 ? 0 : statementMs + SLACK_MS) {
      if (broken) throw brokenError(server);
      try {
        const name = nameFor(text, parameters.length);
        const values = parameters.map(storable);
        const query = client.query({ text, values, ...(name !== undefined && { name }) });
        const answer =
          deadlineMs === 0 ? query : withDeadline(query, deadlineMs, () => noAnswer(server, deadlineMs));
        const { rows, rowCount, command } = await answer;
        return { rows: rows as unknown[], affected: rowCount, command };
      } catch (error) {
        // A new connection finds the server that takes writes, and prepares its statements again.
        if (error instanceof StoreError || sqlState(error) === '25006' || isOutdatedStatement(error)) end();
        throw postgresError(error, { server, target });
      }
    },
    broken: () => broken,
    onEnd: (called) => {
      ended = called;
    },
    onNotification: (heard) => void client.on('notification', heard),
    end,
  };
}

function brokenError(server: PostgresServer): StoreError {
  const text = `The connection to PostgreSQL at ${nameOf(server)} broke: it is made again.`;
  return new StoreError('unavailable', text);
}

function noAnswer(server: PostgresServer, deadlineMs: number): StoreError {
  const text = `PostgreSQL at ${nameOf(server)} did not answer within ${deadlineMs} ms.`;
  return new StoreError('unavailable', text);
}

interface Looked {
  version: number;
  takes_writes: boolean;
  encoding: string;
  schema: string | null;
}

/** A statement sets the timeouts: a pooler does not forward start-up parameters that it does not know. */
function sessionSettings({ statementMs, lockMs }: PostgresTimeouts): Record<string, number> {
  return {
    statement_timeout: statementMs,
    lock_timeout: lockMs,
    // A process that is cut off during a transaction keeps its locks for this long. Others wait longer than
    // that for a lock.
    idle_in_transaction_session_timeout:
      statementMs === 0 ? UNHURRIED_IDLE_MS : Math.max(IDLE_MS_MIN, lockMs / 2),
    // In seconds. A process that disappears must not leave its connections open on the server.
    tcp_keepalives_idle: 30,
    tcp_keepalives_interval: 10,
    tcp_keepalives_count: 3,
  };
}

/**
 * A process may give up a statement after 250 ms, or because its caller has gone. Without this setting the
 * statement would keep running on the server and wait for locks, until such statements occupy all connections
 * of the server. On Windows, the server cannot check whether a client is still connected.
 */
const END_WHAT_WAS_GIVEN_UP = `set_config('client_connection_check_interval',
  case when version() ~* 'windows|visual c|mingw' then '0' else '250' end, false)`;

async function prepare(connection: PostgresConnection, timeouts: PostgresTimeouts): Promise<void> {
  const { connectMs } = timeouts;
  const set = Object.entries(sessionSettings(timeouts)).map(
    ([name, value]) => `set_config('${name}', '${Math.round(value)}', false)`,
  );
  const { rows } = await connection.query(
    `select ${set.join(', ')}, ${END_WHAT_WAS_GIVEN_UP}, current_setting('server_version_num')::int as version,
      not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off' as takes_writes,
      current_setting('server_encoding') as encoding, current_schema() as schema`,
    [],
    connectMs,
  );
  const looked = rows[0] as Looked;
  const server = nameOf(connection.server);
  if (looked.version < VERSION_MIN) {
    const has = `${Math.floor(looked.version / 10_000)}.${looked.version % 10_000}`;
    throw new StoreError('cannot_open', `PostgreSQL at ${server} is ${has}: use 15 or later.`);
  }
  if (!looked.takes_writes) {
    const text = `PostgreSQL at ${server} takes no writes: name the primary, or all its servers separated by commas, in DATABASE_URL.`;
    throw new StoreError('read_only', text);
  }
  if (looked.encoding !== 'UTF8') {
    const text = `The database at ${server} is encoded in ${looked.encoding}: make it with createdb --encoding UTF8 --template template0.`;
    throw new StoreError('cannot_open', text);
  }
  if (looked.schema === null) {
    const text = `The user has no schema in the database at ${server}: create the schema public, or set the user's search_path.`;
    throw new StoreError('cannot_open', text);
  }
}

function tlsOptions(target: PostgresTarget, server: PostgresServer): false | ConnectionOptions {
  const mode = tlsModeFor(target, server);
  if (mode === 'disable') return false;
  return {
    secureContext: secureContextOf(target.tls),
    // If an authority is named, `require` verifies the certificate too, as psql does.
    rejectUnauthorized: mode !== 'require' || target.tls.rootCertificateFile !== null,
    ...(mode !== 'verify-full' && { checkServerIdentity: () => undefined }),
  };
}

function secureContextOf({
  rootCertificateFile,
  certificateFile,
  keyFile,
}: PostgresTarget['tls']): SecureContext {
  const pem = {
    ...(rootCertificateFile !== null && { ca: pemIn(rootCertificateFile) }),
    ...(certificateFile !== null && { cert: pemIn(certificateFile) }),
    ...(keyFile !== null && { key: pemIn(keyFile) }),
  };
  try {
    return createSecureContext(pem);
  } catch (error) {
    throw new StoreError(
      'cannot_open',
      `What sslcert, sslkey and sslrootcert in DATABASE_URL name cannot be used (${(error as Error).message}): name PEM ` +
        'files, and the key of that certificate without a passphrase.',
    );
  }
}

function pemIn(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StoreError(
      'cannot_open',
      `The file ${file} named in DATABASE_URL cannot be read (${code}): check it.`,
    );
  }
}

const names = new Map<string, string>();

/** The server keeps a statement that has a name: it is parsed once for each connection. */
function nameFor(text: string, parameters: number): string | undefined {
  const existing = names.get(text);
  if (existing !== undefined) return existing;
  if (parameters === 0 || parameters > NAMED_PARAMETERS_MAX || names.size >= NAMED_STATEMENTS_MAX)
    return undefined;
  const name = `mintmark_${createHash('sha256').update(text).digest('base64url').slice(0, 16)}`;
  names.set(text, name);
  return name;
}

/** PostgreSQL stores no text with a zero byte. With the replacement, such a text is simply not found. */
function storable(parameter: unknown): unknown {
  return typeof parameter === 'string' ? parameter.replaceAll('\0', '\uFFFD') : parameter;
}

function typeParser(oid: number, format?: 'text' | 'binary'): (text: string) => unknown {
  if (oid === INT8 || oid === NUMERIC) return toNumber;
  return pg.types.getTypeParser(oid, format) as (text: string) => unknown;
}

/** Throws instead of returning another number than the stored one. */
function toNumber(text: string): number {
  const number = Number(text);
  if (Math.abs(number) > Number.MAX_SAFE_INTEGER)
    throw new RangeError(`${text} is too large a number for this program`);
  return number;
}
