import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { limitedNetwork, networkSet, plainAddress } from '../domain/network.ts';

/** Which bound turned a connection, or a request through a trusted proxy, away. */
export type ConnectionBound = 'all' | 'network' | 'forwarded';

/**
 * Bounds what one network holds of a process: connections, or, behind a trusted proxy, requests in flight. Without it one host
 * with half-sent requests holds all connections that there may be (docs/decisions/093).
 */
export interface Connections {
  /** False: the network of this connection holds as many as it may. Counted until it closes. */
  admitsConnection(socket: Socket): boolean;
  /** The same for a request that came through a trusted proxy: it is counted by its forwarded address. */
  admitsRequest(request: IncomingMessage, response: ServerResponse): boolean;
  /** One more connection than all networks together may hold. */
  noteDropped(): void;
  open(): number;
  refused(): Readonly<Record<ConnectionBound, number>>;
}

export type ConnectionsConfig = Pick<Config, 'connectionsMax' | 'networkConnectionsMax' | 'trustedProxies'>;

/** The part of all connections that one network may hold if no setting says how many. */
const NETWORK_PART = 4;
/** A line in the log for each network that reaches its bound would be a flood of lines: one in this time. */
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

/** Reads something of a request when it is first asked for. */
export function oncePerRequest<T>(read: (request: IncomingMessage) => T): (request: IncomingMessage) => T {
  const known = new WeakMap<IncomingMessage, { value: T }>();
  return (request) => {
    const before = known.get(request);
    if (before !== undefined) return before.value;
    const value = read(request);
    known.set(request, { value });
    return value;
  };
}

/** A number for each key that has any: at most as many keys as connections. */
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
