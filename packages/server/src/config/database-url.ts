import { AppError } from '../domain/app-error.ts';
import { userInfo } from 'node:os';
import { Redacted } from '../lib/redacted.ts';
import { decoded, serversOf, userOf } from './server-url.ts';
import type { PostgresServer, PostgresTarget, TlsMode } from '../storage/postgres/target.ts';

/** The location of the store. */
export type Database =
  /** An empty path stands for the default in the data folder. */
  { kind: 'sqlite'; path: string } | { kind: 'postgres'; target: PostgresTarget };

type Parsed<T> = { value: T } | { allowed: string };

const ALLOWED =
  'sqlite: and the path of a file, such as sqlite:./data/mintmark.db, or postgres://user:password@host:5432/database';
const PORT = 5432;
const TLS_MODES: readonly TlsMode[] = ['disable', 'require', 'verify-ca', 'verify-full'];
const PARAMETERS = ['application_name', 'host', 'sslcert', 'sslkey', 'sslmode', 'sslrootcert'];
/**
 * Allowed without effect, since always in force: only a primary accepts writes, and a read must see every
 * earlier write.
 */
const PRIMARY = new Set(['target_session_attrs=read-write', 'target_session_attrs=primary']);

/** `sqlite:<path>` or `postgres://user:password@host:port,host:port/database?…`, as psql takes it. */
export function parseDatabaseUrl(url: string): Parsed<Database> {
  if (url === '') return { value: { kind: 'sqlite', path: '' } };
  if (/^sqlite:./.test(url)) return { value: { kind: 'sqlite', path: url.slice('sqlite:'.length) } };
  const [, userPart, serverPart = '', database = '', query = ''] =
    /^postgres(?:ql)?:\/\/(?:(.*)@)?([^/?#]*)(?:\/([^/?#]*))?(?:\?([^#]*))?$/s.exec(url) ?? [];
  if (!/^postgres(?:ql)?:\/\//.test(url)) return { allowed: ALLOWED };
  try {
    const options = parametersOf(query);
    const [user, password] = userOf(userPart ?? '');
    const servers = serversOrSocket(serverPart, options.get('host'));
    const target = {
      servers,
      database: decoded(database, 'database'),
      user: user === '' ? ownUserName() : user,
      password: password === undefined || password === '' ? null : new Redacted(password),
      tls: tlsOf(options),
      applicationName: options.get('application_name') ?? 'mintmark',
    };
    if (target.database === '')
      throw new AppError('bad_setting', 'the name of the database is missing at its end');
    return { value: { kind: 'postgres', target } };
  } catch (error) {
    if (error instanceof AppError) return { allowed: `${error.message}: ${ALLOWED}` };
    throw error;
  }
}

/** The database in a form for display, without a password. */
export function describeDatabase(database: Database): string {
  if (database.kind === 'sqlite') return database.path;
  const { servers, user, database: name } = database.target;
  return `postgres://${user}@${servers.map(({ host, port }) => `${host}:${port}`).join(',')}/${name}`;
}

/** The same database, with this password if its URL holds none. */
export function withPassword(database: Database, password: Redacted | null): Database {
  if (database.kind === 'sqlite') return database;
  const { target } = database;
  return { ...database, target: { ...target, password: target.password ?? password } };
}

export function holdsPassword(url: string): boolean {
  return /^postgres(ql)?:\/\/[^@/]*:.+@/is.test(url);
}

/** The operating system may have no name for the user of this process, for example in a container. */
function ownUserName(): string {
  try {
    return userInfo().username;
  } catch {
    throw new AppError('bad_setting', 'the user is missing, and the one of this process has no name');
  }
}

function serversOrSocket(part: string, socketFolder: string | undefined): PostgresServer[] {
  if (part === '' && socketFolder !== undefined) return [{ host: socketFolder, port: PORT }];
  if (socketFolder !== undefined)
    throw new AppError('bad_setting', 'the parameter host is for a URL without a host');
  return serversOf(part, PORT);
}

function parametersOf(query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of query.split('&').filter((one) => one !== '' && !PRIMARY.has(one))) {
    const [, name = '', value = ''] = /^([a-z_]+)=(.+)$/s.exec(pair) ?? [];
    if (!PARAMETERS.includes(name))
      throw new AppError('bad_setting', `the parameters may be ${PARAMETERS.join(', ')}`);
    parameters.set(name, decoded(value, name));
  }
  return parameters;
}

function tlsOf(options: Map<string, string>): PostgresTarget['tls'] {
  const sslMode = options.get('sslmode');
  const mode = TLS_MODES.find((one) => one === sslMode);
  if (sslMode !== undefined && mode === undefined)
    throw new AppError('bad_setting', `sslmode is one of ${TLS_MODES.join(', ')}`);
  return {
    mode: mode ?? null,
    rootCertificateFile: options.get('sslrootcert') ?? null,
    certificateFile: options.get('sslcert') ?? null,
    keyFile: options.get('sslkey') ?? null,
  };
}
