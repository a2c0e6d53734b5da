import { setTimeout as sleep } from 'node:timers/promises';
import { createServer, Server as NetServer, type AddressInfo, type Server } from 'node:net';
import type { Server as HttpServer } from 'node:http';
import type { Logger } from 'pino';
import { compose, WHOLE, type Composed, type ProcessPart } from './compose.ts';
import type { Config } from '../config/config.ts';
import { withPort } from '../config/load-config.ts';
import { valueWithin } from '../lib/deadline.ts';
import { AppError } from '../domain/app-error.ts';
import { invitationUrl } from '../domain/invitation.ts';
import { firstStart, type FirstApiUser } from './first-start.ts';
import { inviteFirstAdmin } from './first-admin.ts';
import { recordIssuer } from '../admin/issuer.ts';
import { masterKeyOf, openStore } from '../store-files/open.ts';
import { recordTokenLife } from '../admin/revocation.ts';
import { proveSigningKeys, recordSchedule } from '../admin/signing-key.ts';
import type { MasterKey } from '../storage/master-key.ts';
import { bothClocks } from '../storage/tables/clock.ts';
import type { Store } from '../storage/store.ts';

export interface RunningServer {
  /** The configuration with the port on which the server listens. */
  config: Config;
  /** Non-null only on the first start of an empty store. */
  first: FirstApiUser | null;
  /**
   * The link with which the first admin chooses a password; null if an operator exists or links are switched
   * off.
   */
  firstAdmin: FirstAdminLink | null;
  /** Resolves when the API users are in memory. */
  loaded: Promise<void>;
  /** Stops in order: not ready, no new connections, requests in flight finish, statistics are written. */
  stop(options?: { drain: boolean }): Promise<void>;
}

export interface FirstAdminLink {
  url: string;
  expiresAt: number;
}

/** Opens the store, creates what an empty store needs, and serves. Leaves nothing open if it throws. */
export async function serve(baseConfig: Config, log: Logger): Promise<RunningServer> {
  // Check the port before the first start creates a secret: it is shown once, and would be lost if the port
  // were taken.
  const config = withPort(baseConfig, await freePort(baseConfig));
  const begun = await begin(config, log);
  const { stop, loaded } = await serveFrom(begun, config, log, WHOLE);
  try {
    const firstAdmin = await firstAdminLink(begun.store, config);
    return {
      config,
      first: begun.first,
      firstAdmin,
      loaded,
      stop: ({ drain } = { drain: false }) => stop(drain, false),
    };
  } catch (error) {
    await stop(false, false);
    throw error;
  }
}

export interface Begun {
  store: Store;
  masterKey: MasterKey;
  first: FirstApiUser | null;
}

/** Opens and migrates the store, and creates what an empty store needs. */
export async function begin(
  config: Config,
  log: Logger,
  { watch }: { watch: boolean } = { watch: true },
): Promise<Begun> {
  const { store, migrated } = await openStore(config, { watch });
  if (migrated.length > 0) log.info({ migrated }, 'the store was migrated');
  return await prepare(store, config, log);
}

/** Creates what an empty store needs. Closes the store if it throws. */
export async function prepare(store: Store, config: Config, log: Logger): Promise<Begun> {
  try {
    const masterKey = await masterKeyOf(store, config);
    const proven = await proveSigningKeys(store, masterKey, store.clock.ownNow());
    if (proven.length > 0)
      log.info({ kids: proven }, 'signing keys of an earlier version were given their proof');
    // By the earlier clock, so that the first signing key signs in every process at once.
    const { earlier } = await bothClocks(store.clock);
    const first = await firstStart(store, masterKey, config, earlier);
    await recordSchedule(store, config);
    await recordTokenLife(store, config.tokenLifeSeconds);
    await recordIssuer(store, config.issuer);
    return { store, masterKey, first };
  } catch (error) {
    await store.close();
    throw error;
  }
}

export interface Serving extends Pick<Composed, 'server' | 'settle' | 'loaded'> {
  /** `replaced`: another process takes over, and callers get time to move to it. */
  stop(drain: boolean, replaced: boolean): Promise<void>;
}

/** Serves. Closes the store after a stop, and also if it throws. */
export async function serveFrom(
  { store, masterKey }: Begun,
  config: Config,
  log: Logger,
  part: ProcessPart,
): Promise<Serving> {
  let composed: Composed | undefined;
  try {
    composed = await compose(store, masterKey, config, log, part);
    await composed.start();
    await listen(composed.server, config);
    const { server, settle, loaded } = composed;
    return { server, settle, loaded, stop: stopOnce(composed, store, config) };
  } catch (error) {
    await composed?.stop();
    await store.close();
    throw error;
  }
}

/** Makes a link for the first admin while no operator exists. Each call invalidates the earlier link. */
export async function firstAdminLink(store: Store, config: Config): Promise<FirstAdminLink | null> {
  const created = await inviteFirstAdmin(store, config.firstAdminLinkSeconds, store.clock.ownNow());
  return (
    created && { url: invitationUrl(config.issuer, created.token), expiresAt: created.invitation.expiresAt }
  );
}

function stopOnce(composed: Composed, store: Store, config: Config): Serving['stop'] {
  let stopped: Promise<void> | undefined;
  const stop = async (drain: boolean, replaced: boolean) => {
    composed.announceStop(replaced);
    if (drain) await sleep(config.drainMs);
    await closeServer(composed.server, replaced ? MOVE_OVER_MS : 0, config.shutdownTimeoutMs);
    await composed.stop();
    await store.close();
  };
  return (drain, replaced) => (stopped ??= stop(drain, replaced));
}

/** The configured port, or a free one for port 0. Throws an AppError if the server cannot listen on it. */
export async function freePort(config: Config): Promise<number> {
  const probe = createServer();
  await listen(probe, config);
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/**
 * If the queue is too short, Linux drops connections of a burst although their callers take them for
 * established. Such a caller waits for a response until its own timeout.
 */
function listen(server: Server, { host, port, backlogMax: backlog }: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
    server.listen({ port, host, backlog }, () => resolve());
  });
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === 'EADDRINUSE') {
    return new AppError(
      'conflict',
      `Port ${port} on ${host} is in use: stop what listens there, or choose another with --port.`,
    );
  }
  if (error.code === 'EACCES') {
    return new AppError(
      'conflict',
      `Port ${port} may not be used by this user: choose one above 1023 with --port.`,
    );
  }
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    return new AppError('invalid', `${host} is not an address of this machine: choose another with --host.`);
  }
  return error;
}

/**
 * Time for callers to leave kept connections: their next response asks them to open another one
 * (http/server.ts). Connections that are idle after this time are closed. A caller that sends at that moment
 * would see a failure.
 */
const MOVE_OVER_MS = 5000;
const LOOK_MS = 50;

/**
 * Accepts no new connections from now on. Closes idle ones after `idleMs`, busy ones with their response, and
 * after `timeoutMs` more all that are left.
 */
async function closeServer(server: HttpServer, idleMs: number, timeoutMs: number): Promise<void> {
  // Avoid HttpServer's own `close`, which closes idle connections at once.
  const closed = new Promise<void>((resolve) => {
    NetServer.prototype.close.call(server, () => resolve());
  });
  if (idleMs > 0) await valueWithin(closed, idleMs, undefined);
  server.closeIdleConnections();
  const idle = setInterval(() => server.closeIdleConnections(), LOOK_MS);
  const timer = setTimeout(() => server.closeAllConnections(), timeoutMs);
  await closed;
  server.close();
  clearInterval(idle);
  clearTimeout(timer);
}
