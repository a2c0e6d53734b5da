import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocketOptions } from 'node:tls';
import { backoffMs, spreadMs } from '../../lib/backoff.ts';
import { withDeadline } from '../../lib/deadline.ts';
import { redisName, type RedisServer, type RedisTarget, type RedisTls } from './target.ts';

/** A connection to one server, which reconnects until it is closed. */
export interface RedisConnection {
  isConnected(): boolean;
  /** Fails at once without a connection: calls do not wait for one. */
  send(args: string[]): Promise<unknown>;
  /** Drops the connection for this reason, and finds the server again: another may be the master now. */
  again(reason: string): void;
  close(): void;
}

/** The user, and how it signs in. */
export interface RedisAccess {
  user: string | null;
  password: { reveal(): string } | null;
  database: number;
  tls: RedisTls | null;
}

/** The part of the library's client that is used here. */
export interface RedisClient {
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  sendCommand(args: string[]): Promise<unknown>;
  on(event: 'error', heard: () => void): unknown;
  once(event: 'terminated', heard: (cause?: Error) => void): unknown;
  destroy(): void;
}

/** Time to connect and sign in. */
const CONNECT_MS = 1000;
/** Interval of pings on an idle connection … */
const PING_MS = 1000;
/** … and the longest silence before it is dropped: a server that is frozen or cut off reports no error. */
const SILENT_MS = 3000;
/** The wait before a new attempt. A random part of up to half is left out. */
const AGAIN = { firstMs: 100, maxMs: 1000 };
/** Most calls that wait for an answer. A deadline and a circuit breaker keep a process below this number. */
const WAITING_MAX = 10_000;

/**
 * Keeps a connection to the server that `find` returns. The library can reconnect too, but its calls then
 * wait in queues; here the waiting calls fail with the connection. `find` is called before each attempt, and
 * every `lookAgainMs`.
 */
export function redisConnection(
  find: () => Promise<RedisServer>,
  access: RedisAccess,
  lookAgainMs: number | null = null,
): RedisConnection {
  let client: RedisClient | null = null;
  let drop: (reason: string) => void = () => undefined;
  let problem = 'not tried yet';
  const closed = new AbortController();

  async function keepConnected(): Promise<void> {
    let failures = 0;
    while (!closed.signal.aborted) {
      try {
        const server = await find();
        const connected = await connect(server, access);
        client = connected;
        failures = 0;
        problem = await endOf(connected, server);
      } catch (error) {
        problem = (error as Error).message;
      }
      client = null;
      failures += 1;
      const waitMs = spreadMs(backoffMs(failures, AGAIN));
      await sleep(waitMs, undefined, { signal: closed.signal }).catch(() => undefined);
    }
  }

  /** Resolves to the reason when the connection has ended. */
  async function endOf(connected: RedisClient, server: RedisServer): Promise<string> {
    const looking = lookAgainMs === null ? undefined : setInterval(() => void look(server), lookAgainMs);
    try {
      return await new Promise((resolve) => {
        drop = resolve;
        connected.once('terminated', (cause?: Error) => resolve(cause?.message ?? 'it was closed'));
        if (!connected.isReady || closed.signal.aborted) resolve('it was closed');
      });
    } finally {
      clearInterval(looking);
      destroy(connected);
    }
  }

  async function look(current: RedisServer): Promise<void> {
    const master = await find().catch(() => current);
    if (redisName(master) !== redisName(current)) drop(`the master is ${redisName(master)} now`);
  }

  void keepConnected();
  return {
    isConnected: () => client !== null,
    async send(args) {
      if (client === null) throw new Error(`Redis is not connected: ${problem}`);
      return await client.sendCommand(args);
    },
    again: (reason) => drop(reason),
    close() {
      closed.abort();
      drop('this process is stopping');
    },
  };
}

/** Connects once. Throws if that takes longer than `CONNECT_MS`. */
export async function connect(server: RedisServer, access: RedisAccess): Promise<RedisClient> {
  const client = await newClient(server, access);
  // Without a listener, an error would end the process. Each error also fails the waiting calls.
  client.on('error', () => undefined);
  const late = () => new Error(`no connection within ${CONNECT_MS} ms`);
  try {
    await withDeadline(client.connect(), CONNECT_MS, late);
    return client;
  } catch (error) {
    destroy(client);
    const text = (error as Error).message || String((error as NodeJS.ErrnoException).code);
    throw new Error(`${redisName(server)}: ${text}`, { cause: error });
  }
}

export function destroy(client: RedisClient): void {
  try {
    client.destroy();
  } catch {
    // The client was closed before it was open.
  }
}

async function newClient(
  { host, port }: RedisServer,
  { user, password, database, tls }: RedisAccess,
): Promise<RedisClient> {
  // This loads five hundred modules: a start without Redis does not wait for them.
  const { createClient } = await import('@redis/client');
  return createClient({
    name: 'mintmark',
    socket: {
      host,
      port,
      reconnectStrategy: false,
      connectTimeout: CONNECT_MS,
      socketTimeout: SILENT_MS,
      ...(tls !== null && { tls: true, ...tlsOptions(host, tls) }),
    },
    // In RESP 3 the library omits a user without a password, and would sign in as the default user.
    RESP: 2,
    // A function, so that a printed client does not show the password.
    ...((user !== null || password !== null) && {
      credentialsProvider: {
        type: 'async-credentials-provider' as const,
        credentials: () =>
          Promise.resolve({ username: user ?? 'default', password: password?.reveal() ?? '' }),
      },
    }),
    database,
    disableOfflineQueue: true,
    commandsQueueMaxLength: WAITING_MAX,
    // The library's own deadline covers only the way to the socket, and costs a timer for each call.
    commandOptions: { timeout: 0 },
    pingInterval: PING_MS,
    disableClientInfo: true,
    maintNotifications: 'disabled',
  });
}

/** Reads the files for each connection: a new certificate needs no restart. */
function tlsOptions(host: string, tls: RedisTls): TLSSocketOptions & { servername?: string } {
  const { authoritiesFile, certificateFile, keyFile } = tls;
  return {
    ...(isIP(host) === 0 && { servername: host }),
    ...(authoritiesFile !== null && { ca: readFileSync(authoritiesFile) }),
    ...(certificateFile !== null && { cert: readFileSync(certificateFile) }),
    ...(keyFile !== null && { key: readFileSync(keyFile) }),
  };
}

/** Interval at which the Sentinels are asked for the master; also asked whenever the connection is lost. */
const SENTINEL_LOOK_MS = 2000;

/** Connects to the one server, or to the master that the Sentinels name. */
export function masterConnection(target: RedisTarget): RedisConnection {
  const [server] = target.servers;
  if (server === undefined) throw new Error('a Redis without a server');
  if (target.kind !== 'sentinel') return redisConnection(() => Promise.resolve(server), target);
  return redisConnection(() => masterBySentinels(target), target, SENTINEL_LOOK_MS);
}

/** Asks one Sentinel after the other. The first that knows the master decides. */
export async function masterBySentinels(target: RedisTarget): Promise<RedisServer> {
  const { servers, masterName, sentinelPassword, tls } = target;
  let problem = '';
  for (const sentinel of servers) {
    const access = { user: null, password: sentinelPassword, database: 0, tls };
    try {
      const reply = await askOnce(sentinel, access, ['SENTINEL', 'get-master-addr-by-name', masterName]);
      if (Array.isArray(reply)) return { host: String(reply[0]), port: Number(reply[1]) };
      problem = `${redisName(sentinel)} knows no master "${masterName}"`;
    } catch (error) {
      problem = (error as Error).message;
    }
  }
  throw new Error(`no Sentinel knows the master: ${problem}`);
}

async function askOnce(server: RedisServer, access: RedisAccess, command: string[]): Promise<unknown> {
  const client = await connect(server, access);
  try {
    return await client.sendCommand(command);
  } finally {
    destroy(client);
  }
}
