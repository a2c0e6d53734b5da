import { BlockList, isIP, SocketAddress } from 'node:net';

/** The networks from which an API user may request tokens. Null in place of a set: every network. */
export interface NetworkSet {
  includes(address: string): boolean;
}

/** Why `text` is not a network (`192.0.2.0/24`, `2001:db8::/32`) or an address; null if it is one. */
export function networkProblem(text: string): string | null {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || address.includes('%') || rest.length > 0)
    return `"${text}" is not an IP address or a network such as 192.0.2.0/24`;
  if (bits === undefined) return null;
  const bitsMax = family === 4 ? 32 : 128;
  const fits = /^\d{1,3}$/.test(bits) && Number(bits) <= bitsMax;
  return fits ? null : `"${text}" has a prefix length that is not between 0 and ${bitsMax}`;
}

/** Throws on a text that `networkProblem` refuses. */
export function networkSet(networks: readonly string[]): NetworkSet {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  // A text that is not an address, such as UNKNOWN_ADDRESS, is in no network.
  return { includes: (address) => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4') };
}

/** Whether one of `networks` holds every address of `network`. All of them are well-formed. */
export function isWithin(network: string, networks: readonly string[]): boolean {
  const [address = '', bits] = network.split('/');
  const bitsMax = isIP(address) === 6 ? 128 : 32;
  return networks.some((outer) => {
    const [outerAddress = '', outerBits] = outer.split('/');
    return (
      isIP(outerAddress) === isIP(address) &&
      Number(outerBits ?? bitsMax) <= Number(bits ?? bitsMax) &&
      networkSet([outer]).includes(address)
    );
  });
}

/**
 * Stands for the address of a caller if no proxy names a readable one. RFC 7239 §6.2 defines this word. No
 * network includes it, and it has a budget of its own.
 */
export const UNKNOWN_ADDRESS = 'unknown';

/**
 * The address of a connection, as the operating system writes it, without a zone (`fe80::1%eth0`). An IPv4
 * address that came over an IPv6 socket (`::ffff:192.0.2.1`) becomes the IPv4 address.
 */
export function plainAddress(address: string): string {
  const zone = address.indexOf('%');
  const plain = zone < 0 ? address : address.slice(0, zone);
  return plain.startsWith('::ffff:') && plain.includes('.') ? plain.slice(7) : plain;
}

const PORT = String.raw`(?::(?:\d{1,5}|_[A-Za-z0-9._-]+))?`;
const IPV4_WITH_PORT = new RegExp(String.raw`^([\d.]+)${PORT}$`);
const IPV6_IN_BRACKETS = new RegExp(String.raw`^\[([^\]]+)\]${PORT}$`);
/**
 * An IPv6 address as most proxies write it: in lower case and without leading zeros. Rewriting it would cost
 * 1 µs.
 */
const USUAL_IPV6 = /^[1-9a-f][0-9a-f]{0,3}(?::(?:0|[1-9a-f][0-9a-f]{0,3})?)+$/;

/**
 * The address that a proxy names, in the spelling that `limitedNetwork` needs. The text may have quotes,
 * brackets, a port and a zone around it (RFC 7239 §6). Null: the text is not an address.
 */
export function forwardedAddress(text: string): string | null {
  const trimmed = text.trim();
  const [, node = trimmed] = /^"(.*)"$/.exec(trimmed) ?? [];
  const [, ipv4 = ''] = IPV4_WITH_PORT.exec(node) ?? [];
  if (isIP(ipv4) === 4) return ipv4;
  const [, ipv6 = node] = IPV6_IN_BRACKETS.exec(node) ?? [];
  if (isIP(ipv6) !== 6) return null;
  if (USUAL_IPV6.test(ipv6)) return ipv6;
  const [address = ''] = ipv6.split('%');
  return plainAddress(new SocketAddress({ address, family: 'ipv6' }).address);
}

/**
 * The key of a limit per address: an IPv4 address, or the /64 network of an IPv6 address, because a caller
 * with one address of a /64 has all of them. `address` is in the spelling of `plainAddress` or
 * `forwardedAddress`.
 */
export function limitedNetwork(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const last = tail === '' ? [] : tail.split(':');
    while (groups.length + last.length < 8) groups.push('0');
    groups.push(...last);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}
