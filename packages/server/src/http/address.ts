import type { IncomingMessage } from 'node:http';
import type { Config } from '../config/config.ts';
import { forwardedAddress, networkSet, plainAddress, UNKNOWN_ADDRESS } from '../domain/network.ts';
import type { NoteUnreadable } from '../runtime/unreadable-addresses.ts';
import { forwardedFor } from './forwarded.ts';

/** All headers in which proxies name the address of a caller. The server reads only the configured one. */
const FORWARDING = ['x-forwarded-for', 'forwarded', 'x-real-ip'] as const;

/**
 * The address of a caller: the other end of the connection. If that is a trusted proxy, the reader walks the
 * addresses in the configured header from the end, where the nearest proxy wrote, to the first that is not a
 * trusted proxy's. If it cannot parse an element, it returns UNKNOWN_ADDRESS. It returns neither the address
 * of a proxy nor an earlier element, because a stranger may have written that.
 */
export function addressReader(
  { trustedProxies, forwardedHeader }: Pick<Config, 'trustedProxies' | 'forwardedHeader'>,
  noteUnreadable: NoteUnreadable,
): (request: IncomingMessage) => string {
  if (trustedProxies.length === 0) return peerAddress;
  const proxies = networkSet(trustedProxies);
  return (request) => {
    let address = peerAddress(request);
    if (!proxies.includes(address)) return address;
    const chain = chainOf(request, forwardedHeader);
    for (let i = chain.length - 1; i >= 0; i--) {
      const named = forwardedAddress(chain[i] ?? '');
      if (named === null) {
        noteUnreadable(address, chain[i] ?? '');
        return UNKNOWN_ADDRESS;
      }
      if (!proxies.includes(named)) return named;
      address = named;
    }
    return address;
  };
}

export function peerAddress({ socket }: IncomingMessage): string {
  return plainAddress(socket.remoteAddress ?? UNKNOWN_ADDRESS);
}

/** True if the headers show that a proxy, trusted or not, forwarded the request. */
export function isForwarded({ headers }: IncomingMessage, forwardedHeader: string): boolean {
  return headers[forwardedHeader] !== undefined || FORWARDING.some((name) => headers[name] !== undefined);
}

/** Empty if the proxy itself calls. One empty element if it forwards without the configured header. */
function chainOf(request: IncomingMessage, forwardedHeader: string): readonly string[] {
  // node:http joins the lines of a header with commas.
  const value = request.headers[forwardedHeader];
  if (value === undefined) return isForwarded(request, forwardedHeader) ? [''] : [];
  if (forwardedHeader === 'forwarded')
    return (request.headersDistinct[forwardedHeader] ?? []).flatMap(forwardedFor);
  return String(value).split(',');
}
