// Real PostgreSQL servers for tests, each with its own data directory and port.
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import pg from 'pg';
import { freePort } from './free-port.ts';
import { postgresProgram } from './postgres-binaries.ts';

const USER = 'mintmark';
export const PASSWORD = 'only for tests: p@ss/w%rd?';
const START_MS = 30_000;

export interface PostgresOptions {
  /** Settings of postgresql.conf. */
  settings?: Record<string, string>;
  /** Waits for the disk, for tests of durability. */
  durable?: boolean;
  /** Environment of its processes. */
  env?: Record<string, string>;
  /** Files that only the server may read, as PostgreSQL requires for keys. */
  own?: readonly string[];
}

export interface TestPostgres extends AsyncDisposable {
  port: number;
  /** Folder of its data and socket. */
  folder: string;
  dataDir: string;
  /** The postmaster. */
  process(): ChildProcess;
  /** The URL with which Mintmark opens a database. */
  url(database: string): string;
  /** Creates an empty database; returns its name. */
  newDatabase(template?: string): Promise<string>;
  /** Runs SQL directly, by default in the database `postgres`. */
  sql<T extends object = Record<string, unknown>>(text: string, database?: string): Promise<T[]>;
  start(): Promise<void>;
  /** Sends SIGKILL to the postmaster and its children, like a power failure. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  log(): string;
}

/** Creates and starts a server. */
export async function startPostgres(options: PostgresOptions = {}): Promise<TestPostgres> {
  const folder = ownedFolder();
  const user = owner();
  for (const file of options.own ?? []) if (user !== null) chownSync(file, user.uid, user.gid);
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, `${PASSWORD}\n`);
  const dataDir = join(folder, 'data');
  const access = ['--username', USER, '--auth', 'scram-sha-256', '--pwfile', passwordFile];
  const form = ['--encoding', 'UTF8', '--locale', 'C', '--no-sync', '--no-instructions'];
  runAsOwner('initdb', ['--pgdata', dataDir, ...access, ...form]);
  const server = postgresIn(folder, await freePort(), options);
  await server.start();
  return server;
}

/** Starts a standby of `primary`, called `name`. */
export async function startStandby(
  primary: TestPostgres,
  name: string,
  options: PostgresOptions = {},
): Promise<TestPostgres & { promote(): Promise<void> }> {
  const folder = ownedFolder();
  const dataDir = join(folder, 'data');
  const source = `host=127.0.0.1 port=${primary.port} user=${USER} password='${PASSWORD}' application_name=${name}`;
  const how = ['--checkpoint=fast', '--no-sync', '--write-recovery-conf', '--wal-method=stream'];
  runAsOwner('pg_basebackup', ['--pgdata', dataDir, '--dbname', source, ...how]);
  const server = postgresIn(folder, await freePort(), options);
  await server.start();
  return {
    ...server,
    promote: async () => void (await server.sql('select pg_promote(wait => true)')),
  };
}

function postgresIn(
  folder: string,
  port: number,
  { settings = {}, durable = false, env = {} }: PostgresOptions,
): TestPostgres {
  const dataDir = join(folder, 'data');
  let child: ChildProcess | undefined;
  let logged = '';
  let databases = 0;

  const all: Record<string, string> = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    max_connections: '300',
    shared_buffers: '32MB',
    autovacuum: 'off',
    ...(!durable && { fsync: 'off', full_page_writes: 'off' }),
    ...settings,
  };
  const url = (database: string) =>
    `postgres://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/${database}`;

  async function start(): Promise<void> {
    const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    // Set through `env` for PostgreSQL only: libraries to load belong to its user.
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const program = ['env', ...variables, postgresProgram('postgres')];
    const [command = '', ...rest] = [...asOwner(true), ...program, '-D', dataDir, ...flags];
    const started = spawn(command, rest, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    child = started;
    let said = '';
    started.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      logged += text;
    });
    const deadline = Date.now() + START_MS;
    while (!said.includes('ready to accept')) {
      if (started.exitCode !== null || Date.now() > deadline)
        throw new Error(`PostgreSQL did not start:\n${said}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async function ended(signal: NodeJS.Signals): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  const server: TestPostgres = {
    port,
    folder,
    dataDir,
    url,
    start,
    process: () => child!,
    async newDatabase(template = 'template0') {
      databases += 1;
      const name = `test_${databases}`;
      // Copying files takes half the time.
      await server.sql(`create database ${name} template ${template} strategy file_copy`);
      return name;
    },
    async sql<T extends object>(text: string, database = 'postgres') {
      const client = new pg.Client({ host: '127.0.0.1', port, user: USER, password: PASSWORD, database });
      await client.connect();
      try {
        return (await client.query<T>(text)).rows;
      } finally {
        await client.end();
      }
    },
    async kill() {
      const children = childrenOf(child?.pid ?? 0);
      await ended('SIGKILL');
      for (const pid of children) killIfThere(pid); // a frozen child does not notice its parent’s end
    },
    stop: () => ended('SIGINT'),
    log: () => logged,
    async [Symbol.asyncDispose]() {
      await ended('SIGQUIT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return server;
}

/** Empty except on Linux: elsewhere children end automatically, unless frozen. */
function childrenOf(parent: number): number[] {
  if (process.platform !== 'linux') return [];
  const parentIn = (pid: string): number => {
    try {
      return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
    } catch {
      return 0; // already ended
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentIn(name) === parent)
    .map(Number);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** PostgreSQL refuses to run as root. */
function owner(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  for (const user of ['postgres', 'nobody']) {
    const asked = spawnSync('id', ['-u', user], { encoding: 'utf8' });
    const group = spawnSync('id', ['-g', user], { encoding: 'utf8' });
    if (asked.status === 0) return { uid: Number(asked.stdout), gid: Number(group.stdout) };
  }
  throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody');
}

function ownedFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-postgres-'));
  const user = owner();
  if (user !== null) chownSync(folder, user.uid, user.gid);
  return folder;
}

/** `dying`: ends with its parent process. */
function asOwner(dying: boolean): string[] {
  const user = owner();
  if (user === null && (!dying || process.platform !== 'linux')) return [];
  const rights =
    user === null ? [] : ['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups'];
  return ['setpriv', ...rights, ...(dying ? ['--pdeathsig', 'QUIT'] : [])];
}

function runAsOwner(program: string, args: readonly string[]): void {
  const [command = '', ...rest] = [...asOwner(false), postgresProgram(program), ...args];
  execFileSync(command, rest, { stdio: ['ignore', 'ignore', 'inherit'], cwd: tmpdir() });
}
