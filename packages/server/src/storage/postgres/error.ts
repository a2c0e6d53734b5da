import { StoreError, type StoreErrorCode } from '../store-error.ts';
import type { PostgresServer, PostgresTarget } from './target.ts';
import { nameOf } from './target.ts';

/** The server, database and user of a failed call. */
export interface PostgresEndpoint {
  server: PostgresServer;
  target: Pick<PostgresTarget, 'database' | 'user'>;
}

type Explained = [
  StoreErrorCode,
  (context: { server: string; database: string; user: string; said: string }) => string,
];

/**
 * SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html) as our codes. Two characters
 * stand for a class.
 */
const STATES: Record<string, Explained> = {
  '08': ['unavailable', ({ server }) => `The connection to PostgreSQL at ${server} broke: it is made again.`],
  // A pooler reports every fault with this state: a wrong password, too many clients, a server behind it that
  // is down.
  '08P01': [
    'unavailable',
    ({ server, said }) => `PostgreSQL at ${server}, or a pooler before it, says: ${said}.`,
  ],
  '25006': [
    'read_only',
    ({ server }) =>
      `PostgreSQL at ${server} takes no writes: name the primary, or all its servers separated by commas, in DATABASE_URL.`,
  ],
  '25P03': [
    'unavailable',
    ({ server }) => `PostgreSQL at ${server} ended a transaction that was idle for too long: try again.`,
  ],
  '25P04': [
    'unavailable',
    ({ server }) =>
      `PostgreSQL at ${server} ended a transaction that took too long: see its transaction_timeout.`,
  ],
  '26000': ['cannot_open', ({ server }) => foreignStatements(server)],
  '28': [
    'cannot_open',
    ({ server, user }) =>
      `PostgreSQL at ${server} refuses the user ${user}: check user and password in DATABASE_URL, and pg_hba.conf there.`,
  ],
  '3D000': [
    'missing',
    ({ server, database, user }) =>
      `There is no database ${database} on PostgreSQL at ${server}: make it (createdb -O ${user} ${database}), or name ` +
      'the right one in DATABASE_URL.',
  ],
  '40001': ['locked', () => 'Another writer of the store came first: try again.'],
  '40P01': ['locked', () => 'Another writer of the store came first: try again.'],
  '42P05': ['cannot_open', ({ server }) => foreignStatements(server)],
  '42501': [
    'cannot_open',
    ({ database, user }) =>
      `The user ${user} lacks a right in the database ${database}: make it the owner (alter database ${database} owner ` +
      `to ${user}), or grant it what is missing.`,
  ],
  '53100': [
    'full',
    ({ server }) => `The disk of PostgreSQL at ${server} is full: free some space and try again.`,
  ],
  '53200': [
    'unavailable',
    ({ server }) => `PostgreSQL at ${server} is out of memory: give it more, or less to do.`,
  ],
  '53300': [
    'unavailable',
    ({ server }) =>
      `PostgreSQL at ${server} has no connection left: raise its max_connections, or lower MINTMARK_POSTGRES_CONNECTIONS.`,
  ],
  '55P03': ['locked', () => 'The store is locked by another process: wait for it to finish, or stop it.'],
  '57014': [
    'unavailable',
    ({ server }) =>
      `PostgreSQL at ${server} did not answer within MINTMARK_POSTGRES_STATEMENT_TIMEOUT: see what it is busy with.`,
  ],
  '57': ['unavailable', ({ server }) => `PostgreSQL at ${server} stops or starts: it is tried again.`],
  '58': [
    'unavailable',
    ({ server }) => `PostgreSQL at ${server} met an error of its system: see its log and its disk.`,
  ],
  XX000: [
    'unavailable',
    ({ server, said }) =>
      `PostgreSQL at ${server} met an error of its own (${said}): see its log and its disk.`,
  ],
  XX001: [
    'corrupt',
    ({ database }) => `The database ${database} is damaged: stop the servers and restore the last backup.`,
  ],
  XX002: [
    'corrupt',
    ({ database }) => `The database ${database} is damaged: stop the servers and restore the last backup.`,
  ],
};

/** Two connections share one server process, or one connection changes between two. */
function foreignStatements(server: string): string {
  return `A pooler at ${server} mixes up named statements: set its max_prepared_statements (PgBouncer 1.21 or later), or have it keep sessions.`;
}

/** Node's error codes for a server that is out of reach. */
const UNREACHED: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there: start it, or name the right host and port in DATABASE_URL',
  ENOTFOUND: 'the host name is unknown: check it in DATABASE_URL',
  EAI_AGAIN: 'the host name cannot be looked up at present: check the name server',
  ENOENT: 'there is no such socket: start the server, or name the right folder in DATABASE_URL',
  ETIMEDOUT: 'it does not answer',
  EACCES:
    'this user may not connect to it: check the mode of its socket and folder, or what guards the network',
  ECONNRESET: 'it broke the connection off',
  EPIPE: 'it broke the connection off',
  EHOSTUNREACH: 'there is no way to it: check the network',
  ENETUNREACH: 'there is no way to it: check the network',
};

/**
 * Turns an error of pg into a StoreError that says what to do. Returns any other error unchanged: it is a
 * bug.
 */
export function postgresError(error: unknown, { server, target }: PostgresEndpoint): Error {
  if (error instanceof StoreError || !(error instanceof Error)) return error as Error;
  const code = sqlState(error) ?? '';
  const context = {
    server: nameOf(server),
    database: target.database,
    user: target.user,
    said: error.message,
  };
  if (code.startsWith('23')) return new StoreError('conflict', error.message, { cause: error });
  const [storeCode, text] = STATES[code] ?? STATES[code.slice(0, 2)] ?? [];
  if (storeCode !== undefined && text !== undefined)
    return new StoreError(storeCode, text(context), { cause: error });
  return connectionError(error, code, context.server) ?? error;
}

function connectionError(error: Error, code: string, server: string): StoreError | null {
  const cause = { cause: error };
  // For every other system error of a connection, the message of the system explains the fault.
  const unreached = UNREACHED[code] ?? ('syscall' in error ? error.message : undefined);
  if (unreached !== undefined) {
    return new StoreError('unavailable', `PostgreSQL at ${server} is out of reach: ${unreached}.`, cause);
  }
  if (error instanceof AggregateError && error.errors.length > 0) {
    return connectionError(
      error.errors[0] as Error,
      (error.errors[0] as { code?: string }).code ?? '',
      server,
    );
  }
  if (/^Connection terminated|^timeout expired|not queryable|connection error/.test(error.message)) {
    return new StoreError(
      'unavailable',
      `The connection to PostgreSQL at ${server} broke: it is made again.`,
      cause,
    );
  }
  if (/does not support SSL|establishing an SSL connection/.test(error.message)) {
    const text = `PostgreSQL at ${server} does not speak TLS: turn it on there, or (in a network that nobody else is in) add sslmode=disable to DATABASE_URL.`;
    return new StoreError('cannot_open', text, cause);
  }
  if (isCertificateError(error, code)) {
    const text =
      `The certificate of PostgreSQL at ${server} is not accepted (${error.message}): name the file of its authority ` +
      'with sslrootcert in DATABASE_URL, and the host as the certificate does.';
    return new StoreError('cannot_open', text, cause);
  }
  if (/password must be a string|no password/i.test(error.message)) {
    const text = `PostgreSQL at ${server} asks for a password, and there is none: put it into DATABASE_URL, or set MINTMARK_DATABASE_PASSWORD.`;
    return new StoreError('cannot_open', text, cause);
  }
  return null;
}

function isCertificateError(error: Error, code: string): boolean {
  return /CERT|LEAF_SIGNATURE|ISSUER|^ERR_TLS|^ERR_SSL/.test(code) || /certificate/i.test(error.message);
}

/** The SQLSTATE, or the error code of Node. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

/**
 * True if the failed transaction or statement changed nothing, and a repeat may well succeed: after a
 * deadlock, or if the statement was prepared before a migration of a later version added a column.
 */
export function isPassing(error: unknown): boolean {
  const cause = error instanceof StoreError ? error.cause : error;
  const code = sqlState(cause);
  return code === '40001' || code === '40P01' || isOutdatedStatement(cause);
}

/** True if the error concerns a prepared statement: its connection must not be used for it again. */
export function isOutdatedStatement(error: unknown): boolean {
  const code = sqlState(error);
  return code === '26000' || (code === '0A000' && /cached plan/.test((error as Error).message));
}
