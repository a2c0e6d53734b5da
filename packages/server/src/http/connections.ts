import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { limitedNetwork, networkSet, plainAddress } from '../domain/network.ts';

/** The bound that refused a connection, or a request through a trusted proxy. */
export type ConnectionBound = 'all' | 'network' | 'forwarded';

/**
 * Bounds the connections that one network holds in a process, or its requests in flight behind a trusted
 * proxy. Otherwise one host with half-sent requests could hold all connections (docs/decisions/093).
 */
export interface Connections {
  /** Counts a connection until it closes. False: its network already holds as many as it may. */
  admitsConnection(socket: Socket): boolean;
  /** Counts a request through a trusted proxy, by its forwarded address. False: too many in flight. */
  admitsRequest(request: IncomingMessage, response: ServerResponse): boolean;
  /** Counts a connection beyond the bound for all networks together. */
  noteDropped(): void;
  open(): number;
  refused(): Readonly<Record<ConnectionBound, number>>;
}

export type ConnectionsConfig = Pick<Config, 'connectionsMax' | 'networkConnectionsMax' | 'trustedProxies'>;

/** Without a setting, one network may hold one in this many of all connections. */
const NETWORK_PART = 4;
/** At most one warning in this time: one per network at its bound would flood the log. */
const WARN_MS = 60_000;

export function createConnections(
  { connectionsMax, networkConnectionsMax, trustedProxies }: ConnectionsConfig,
  addressOf: (request: IncomingMessage) => string,
  log: Pick<Logger, 'warn'>,
): Connections {
  const max = networkConnectionsMax || Math.ceil(connectionsMax / NETWORK_PART);
  const proxies = trustedProxies.length === 0 ? null : networkSet(trustedProxies);
  const fromProxy = new WeakSet<Socket>();
  const connections = countsUpTo(max);
  const requests = countsUpTo(max);
  const refused = { all: 0, network: 0, forwarded: 0 };
  let open = 0;
  let warnedAt = Number.NEGATIVE_INFINITY;

  function refuse(bound: 'network' | 'forwarded', network: string): false {
    refused[bound] += 1;
    if (performance.now() - warnedAt >= WARN_MS) {
      warnedAt = performance.now();
      log.warn(
        { network, bound, max },
        bound === 'forwarded'
          ? `${network} has ${max} requests in flight, and gets no more`
          : `${network} holds ${max} connections, and gets no more: name it in MINTMARK_TRUSTED_PROXIES if it is a proxy`,
      );
    }
    return false;
  }

  return {
    admitsConnection(socket) {
      const address = plainAddress(socket.remoteAddress ?? '');
      const isProxy = proxies?.includes(address) === true;
      const network = limitedNetwork(address);
      if (!isProxy && !connections.add(network)) return refuse('network', network);
      if (isProxy) fromProxy.add(socket);
      open += 1;
      socket.once('close', () => {
        open -= 1;
        if (!isProxy) connections.remove(network);
      });
      return true;
    },
    admitsRequest(request, response) {
      if (proxies === null || !fromProxy.has(request.socket)) return true;
      const network = limitedNetwork(addressOf(request));
      if (!requests.add(network)) return refuse('forwarded', network);
      response.once('close', () => requests.remove(network));
      return true;
    },
    noteDropped: () => void (refused.all += 1),
    open: () => open,
    refused: () => refused,
  };
}

/** Caches the result of `read` for each request. */
export function oncePerRequest<T>(read: (request: IncomingMessage) => T): (request: IncomingMessage) => T {
  const cache = new WeakMap<IncomingMessage, { value: T }>();
  return (request) => {
    const before = cache.get(request);
    if (before !== undefined) return before.value;
    const value = read(request);
    cache.set(request, { value });
    return value;
  };
}

/** One count per key. It drops keys at zero, so there are at most as many keys as connections. */
function countsUpTo(max: number): { add(key: string): boolean; remove(key: string): void } {
  const counts = new Map<string, number>();
  return {
    add(key) {
      const count = counts.get(key) ?? 0;
      if (count >= max) return false;
      counts.set(key, count + 1);
      return true;
    },
    remove(key) {
      const count = counts.get(key) ?? 0;
      if (count > 1) counts.set(key, count - 1);
      else counts.delete(key);
    },
  };
}
