import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import proxyAddress from '@fastify/proxy-addr';
import { plainAddress } from '../domain/network.ts';

/**
 * Who calls: the other end of the connection, or, where that is a trusted proxy, the last address of `X-Forwarded-For`
 * that is not one.
 */
export function addressReader(trustedProxies: readonly string[]): (request: IncomingMessage) => string {
  const ofSocket = (request: IncomingMessage) => plainAddress(request.socket.remoteAddress ?? '');
  if (trustedProxies.length === 0) return ofSocket;
  const trusted = proxyAddress.compile([...trustedProxies]);
  return (request) => {
    const forwarded = plainAddress(proxyAddress(request, trusted));
    return isIP(forwarded) === 0 ? ofSocket(request) : forwarded;
  };
}
