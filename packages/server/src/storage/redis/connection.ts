import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocketOptions } from 'node:tls';
import { redisName, type RedisServer, type RedisTarget, type RedisTls } from './target.ts';

/** A way to one server, which is made again for ever. */
export interface RedisConnection {
  isConnected(): boolean;
  /** Fails at once where there is no connection: nothing waits for one. */
  send(args: string[]): Promise<unknown>;
  /** Drops the connection, for this reason, and looks for the server again: it is not the one that it was. */
  again(reason: string): void;
  close(): void;
}

/** Who signs in, and how. */
export interface RedisAccess {
  user: string | null;
  password: { reveal(): string } | null;
  database: number;
  tls: RedisTls | null;
}

/** What is used of the library's client. */
export interface RedisClient {
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  sendCommand(args: string[]): Promise<unknown>;
  on(event: 'error', heard: () => void): unknown;
  once(event: 'terminated', heard: (cause?: Error) => void): unknown;
  destroy(): void;
}

/** A connection is made and signed in within this time. */
const CONNECT_MS = 1000;
/** An idle connection is tried so often … */
const PING_MS = 1000;
/** … and given up where nothing moved for so long: a server that is frozen or cut off does not say so. */
const SILENT_MS = 3000;
/** The first wait before a new attempt; twice as long each time, with up to as much again at random. */
const AGAIN_MS = 50;
const AGAIN_MAX_MS = 500;
/** Calls that wait for an answer: more than a process can have before a deadline and a circuit breaker end that. */
const WAITING_MAX = 10_000;

/**
 * Keeps a connection to the server that `find` names. The library would connect again by itself, but with queues in which
 * calls wait; here whatever waits fails with the connection. `find` is asked again before each attempt, and every `lookAgainMs`.
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
    let waitMs = AGAIN_MS;
    while (!closed.signal.aborted) {
      try {
        const server = await find();
        const connected = await connect(server, access);
        client = connected;
        waitMs = AGAIN_MS;
        problem = await endOf(connected, server);
      } catch (error) {
        problem = (error as Error).message;
      }
      client = null;
      await sleep(waitMs * (1 + Math.random()), undefined, { signal: closed.signal }).catch(() => undefined);
      waitMs = Math.min(2 * waitMs, AGAIN_MAX_MS);
    }
  }

  /** Resolves when the connection has ended, to the reason. */
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
    const found = await find().catch(() => current);
    if (redisName(found) !== redisName(current)) drop(`the master is ${redisName(found)} now`);
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

/** Connects once. Throws where that takes longer than `CONNECT_MS`. */
export async function connect(server: RedisServer, access: RedisAccess): Promise<RedisClient> {
  const client = await newClient(server, access);
  // Without a listener an error would end the process; each of them also fails what waits.
  client.on('error', () => undefined);
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no connection within ${CONNECT_MS} ms`)), CONNECT_MS);
  });
  try {
    await Promise.race([client.connect(), tooLate]);
    return client;
  } catch (error) {
    destroy(client);
    const text = (error as Error).message || String((error as NodeJS.ErrnoException).code);
    throw new Error(`${redisName(server)}: ${text}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

export function destroy(client: RedisClient): void {
  try {
    client.destroy();
  } catch {
    // It was closed before it was open.
  }
}

async function newClient(
  { host, port }: RedisServer,
  { user, password, database, tls }: RedisAccess,
): Promise<RedisClient> {
  // Five hundred modules, for which a start without Redis does not wait.
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
    // In RESP 3 the library leaves out a user who has no password, and the default one would be signed in.
    RESP: 2,
    // As a function: what the library keeps of it is not shown where a client is printed.
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
    // The library's own deadline counts the way to the socket only, and costs a timer for each call.
    commandOptions: { timeout: 0 },
    pingInterval: PING_MS,
    disableClientInfo: true,
    maintNotifications: 'disabled',
  });
}

/** Read for each connection, so that a new certificate needs no restart. */
function tlsOptions(host: string, tls: RedisTls): TLSSocketOptions & { servername?: string } {
  const { authoritiesFile, certificateFile, keyFile } = tls;
  return {
    ...(isIP(host) === 0 && { servername: host }),
    ...(authoritiesFile !== null && { ca: readFileSync(authoritiesFile) }),
    ...(certificateFile !== null && { cert: readFileSync(certificateFile) }),
    ...(keyFile !== null && { key: readFileSync(keyFile) }),
  };
}

/** How often Sentinels are asked who is master, beside whenever the connection is lost. */
const SENTINEL_LOOK_MS = 2000;

/** To the one server, or to the one that the Sentinels name. */
export function masterConnection(target: RedisTarget): RedisConnection {
  const [server] = target.servers;
  if (server === undefined) throw new Error('a Redis without a server');
  if (target.kind !== 'sentinel') return redisConnection(() => Promise.resolve(server), target);
  return redisConnection(() => masterBySentinels(target), target, SENTINEL_LOOK_MS);
}

/** Asks one after the other; the first that knows decides. */
export async function masterBySentinels(target: RedisTarget): Promise<RedisServer> {
  const { servers, masterName, sentinelPassword, tls } = target;
  let problem = '';
  for (const sentinel of servers) {
    const access = { user: null, password: sentinelPassword, database: 0, tls };
    try {
      const found = await askOnce(sentinel, access, ['SENTINEL', 'get-master-addr-by-name', masterName]);
      if (Array.isArray(found)) return { host: String(found[0]), port: Number(found[1]) };
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
