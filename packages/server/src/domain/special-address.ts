import { BlockList, isIP, SocketAddress } from 'node:net';

/**
 * - `public`: an address of the Internet.
 * - `private`: of this machine or of a private network.
 * - `forbidden`: no server that others name can be there, such as link-local addresses and the metadata
 *   services of clouds, which hand out credentials.
 */
export type AddressKind = 'public' | 'private' | 'forbidden';

/** The IANA registries of special-purpose addresses (RFC 6890), and services of clouds. */
const PRIVATE = [
  '10.0.0.0/8', // RFC 1918
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10', // carrier-grade NAT, RFC 6598
  '127.0.0.0/8', // loopback, RFC 1122
  '198.18.0.0/15', // benchmarks, RFC 2544
  '::1/128', // loopback, RFC 4291
  'fc00::/7', // unique local, RFC 4193
];

const FORBIDDEN = [
  '0.0.0.0/8', // this host, RFC 1122
  '169.254.0.0/16', // link-local, RFC 3927; most metadata services
  '192.0.0.0/24', // protocols, RFC 6890
  '192.0.2.0/24', // documentation, RFC 5737
  '198.51.100.0/24',
  '203.0.113.0/24',
  '192.88.99.0/24', // 6to4 relays, RFC 7526
  '224.0.0.0/4', // multicast, RFC 5771
  '240.0.0.0/4', // reserved, RFC 1112; broadcast
  '100.100.100.200/32', // metadata service of Alibaba Cloud
  '168.63.129.16/32', // host of a machine in Azure
  'fd00:ec2::/32', // services of a machine in AWS
  'fd20:ce::254/128', // metadata service of Google Cloud
  '2001::/23', // protocols, with Teredo, RFC 2928
  '2001:db8::/32', // documentation, RFC 3849
  '3fff::/20', // documentation, RFC 9637
  '2002::/16', // 6to4, RFC 3056
];

/** Global unicast (RFC 4291 §2.4). All other IPv6 addresses are special. */
const GLOBAL_IPV6 = ['2000::/3'];
/** IPv4 addresses behind NAT64 (RFC 6052): a network without IPv4 reaches them in this way. */
const NAT64 = ['64:ff9b::/96'];

const privateNetworks = blockList(PRIVATE);
const forbiddenNetworks = blockList(FORBIDDEN);
const globalNetworks = blockList(GLOBAL_IPV6);
const translatedNetworks = blockList(NAT64);

/** The kind of an IP address in any spelling. */
export function addressKind(address: string): AddressKind {
  const version = isIP(address);
  if (version === 0 || address.includes('%')) return 'forbidden';
  if (version === 4) return kindIn(address, 'ipv4', true);
  const spelling = new SocketAddress({ address, family: 'ipv6' }).address;
  if (translatedNetworks.check(spelling, 'ipv6')) return kindIn(lastIpv4(spelling), 'ipv4', true);
  // A mapped IPv4 address (::ffff:10.0.0.1) is not global, and so forbidden.
  return kindIn(spelling, 'ipv6', globalNetworks.check(spelling, 'ipv6'));
}

function kindIn(address: string, family: 'ipv4' | 'ipv6', isGlobal: boolean): AddressKind {
  const isMapped = family === 'ipv6' && address.includes('.');
  if (isMapped || forbiddenNetworks.check(address, family)) return 'forbidden';
  if (privateNetworks.check(address, family)) return 'private';
  return isGlobal ? 'public' : 'forbidden';
}

/** The last 32 bits as IPv4 address. */
function lastIpv4(ipv6: string): string {
  const [high = 0, low = 0] = ipv6
    .split(':')
    .slice(-2)
    .map((group) => Number.parseInt(group || '0', 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

interface AddressList {
  check(address: string, family: 'ipv4' | 'ipv6'): boolean;
}

/** A list that is made with its first check: a server that fetches no keys needs none. */
function blockList(networks: readonly string[]): AddressList {
  let list: BlockList | undefined;
  return { check: (address, family) => (list ??= filledList(networks)).check(address, family) };
}

function filledList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    list.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
