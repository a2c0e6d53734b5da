import { BlockList, isIP } from 'node:net';

/** The networks from which an API user may ask for tokens; null where it may from anywhere. */
export interface NetworkSet {
  includes(address: string): boolean;
}

/** Why `text` is not a network (`192.0.2.0/24`, `2001:db8::/32`) or an address; null if it is one. */
export function networkProblem(text: string): string | null {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0)
    return `"${text}" is not an IP address or a network such as 192.0.2.0/24`;
  if (bits === undefined) return null;
  const bitsMax = family === 4 ? 32 : 128;
  const fits = /^\d{1,3}$/.test(bits) && Number(bits) <= bitsMax;
  return fits ? null : `"${text}" has a prefix length that is not between 0 and ${bitsMax}`;
}

/** Throws on a text for which `networkProblem` has something to say. */
export function networkSet(networks: readonly string[]): NetworkSet {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return { includes: (address) => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4') };
}

/** An IPv4 address that came over an IPv6 socket (`::ffff:192.0.2.1`) as the IPv4 address that it is. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/**
 * What a limit per address counts: an IPv4 address, or the /64 network of an IPv6 address, because whoever has one
 * address of a /64 has all of them.
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
