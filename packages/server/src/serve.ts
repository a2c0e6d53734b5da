import { setTimeout as sleep } from 'node:timers/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import type { Server as HttpServer } from 'node:http';
import type { Logger } from 'pino';
import { compose, type Composed } from './compose.ts';
import type { Config } from './config.ts';
import { withPort } from './load-config.ts';
import { Refused } from './domain/refused.ts';
import { invitationUrl } from './domain/invitation.ts';
import { firstStart, type FirstApiUser } from './manage/first-start.ts';
import { inviteFirstAdmin } from './manage/first-admin.ts';
import { masterKeyOf, openStore } from './manage/open-store.ts';
import { recordTokenLife } from './manage/revocations.ts';
import { recordSchedule } from './manage/signing-keys.ts';
import type { Store } from './storage/store.ts';

export interface RunningServer {
  /** With the port on which it listens. */
  config: Config;
  /** Non-null on the very first start of an empty store. */
  first: FirstApiUser | null;
  /** While there is no operator: the link with which the first admin chooses a password. */
  firstAdmin: FirstAdminLink | null;
  /** Stops in order: not ready, no new connections, requests in flight finish, statistics are written. */
  stop(options?: { drain: boolean }): Promise<void>;
}

export interface FirstAdminLink {
  url: string;
  expiresAt: number;
}

/** Opens the store, makes what an empty one needs, and serves. Nothing is left open where it throws. */
export async function serve(asked: Config, log: Logger): Promise<RunningServer> {
  // Before anything is made: a secret that is shown once must not be lost because the port was taken.
  const config = withPort(asked, await freePort(asked));
  const { store, migrated } = await openStore(config, { watch: true });
  let composed: Composed | undefined;
  try {
    if (migrated.length > 0) log.info({ migrated }, 'the store was migrated');
    const masterKey = await masterKeyOf(store, config);
    const first = await firstStart(store, masterKey, config, Date.now());
    await recordSchedule(store, config);
    await recordTokenLife(store, config.tokenLifeSeconds);
    composed = await compose(store, masterKey, config, log);
    await composed.start();
    await listen(composed.server, config);
    const firstAdmin = await firstAdminLink(store, config);
    return { config, first, firstAdmin, stop: stopOnce(composed, store, config) };
  } catch (error) {
    await composed?.stop();
    await store.close();
    throw error;
  }
}

async function firstAdminLink(store: Store, config: Config): Promise<FirstAdminLink | null> {
  const made = await inviteFirstAdmin(store, config.firstAdminLinkSeconds, Date.now());
  return made && { url: invitationUrl(config.issuer, made.token), expiresAt: made.invitation.expiresAt };
}

function stopOnce(composed: Composed, store: Store, config: Config): RunningServer['stop'] {
  let stopped: Promise<void> | undefined;
  const stop = async (drain: boolean) => {
    composed.announceStop();
    if (drain) await sleep(config.drainMs);
    await closeServer(composed.server, config.shutdownTimeoutMs);
    await composed.stop();
    await store.close();
  };
  return ({ drain } = { drain: false }) => (stopped ??= stop(drain));
}

/** The configured port, or for 0 one that is free. Throws a Refused where it cannot be listened on. */
async function freePort(config: Config): Promise<number> {
  const probe = createServer();
  await listen(probe, config);
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/**
 * With a queue too short, Linux drops connections of a burst after their callers were told that they are there:
 * callers that wait for an answer then wait until they themselves give up.
 */
function listen(server: Server, { host, port, backlogMax: backlog }: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
    server.listen({ port, host, backlog }, () => resolve());
  });
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === 'EADDRINUSE') {
    return new Refused(
      'conflict',
      `Port ${port} on ${host} is in use: stop what listens there, or choose another with --port.`,
    );
  }
  if (error.code === 'EACCES') {
    return new Refused(
      'conflict',
      `Port ${port} may not be used by this user: choose one above 1023 with --port.`,
    );
  }
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    return new Refused('invalid', `${host} is not an address of this machine: choose another with --host.`);
  }
  return error;
}

/** Idle connections are closed at once, busy ones with their response, and after `timeoutMs` all that are left. */
async function closeServer(server: HttpServer, timeoutMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  const timer = setTimeout(() => server.closeAllConnections(), timeoutMs);
  await closed;
  clearInterval(idle);
  clearTimeout(timer);
}
