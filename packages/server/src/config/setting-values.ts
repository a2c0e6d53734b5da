// Checks of single settings: each returns the value, or says what is allowed.
import { isIP } from 'node:net';
import { networkProblem } from '../domain/network.ts';
import { Redacted } from '../lib/redacted.ts';

export function networkList(text: string): { value: string[] } | { allowed: string } {
  const networks = text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
  const problem = networks.map(networkProblem).find((fault) => fault !== null);
  return problem === undefined || problem === null ? { value: networks } : { allowed: problem };
}

/** A host that may have a private address. */
export interface KeyHost {
  /** As in a URL, in lower case, without brackets. */
  host: string;
  /** Certificate authorities (PEM) for it; null: those of Node. */
  caFile: string | null;
}

export function keyHosts(list: string): { value: KeyHost[] } | { allowed: string } {
  const items = list.split(',').map((item) => item.trim());
  const hosts = items
    .filter((item) => item !== '')
    .map((item) => {
      const [host = '', ...path] = item.split('=');
      return { host: host.toLowerCase().replace(/^\[(.*)\]$/, '$1'), caFile: path.join('=') || null };
    });
  const bad = hosts.find(({ host }) => !/^[a-z0-9._-]+$/.test(host) && isIP(host) === 0);
  return bad === undefined
    ? { value: hosts }
    : {
        allowed:
          'host names such as idp.internal, without a port, each with =<path of a PEM file> if it needs one',
      };
}

/**
 * The first part of the path in the issuer of every sandbox. Outside tests, @mintmark/verifier refuses such
 * an issuer (docs/decisions/105).
 */
export const SANDBOX_PATH = '/mintmark-sandbox';
const SANDBOX_PROBLEM = `a path that does not begin with ${SANDBOX_PATH}: it is reserved for sandboxes`;

function isSandboxPath(path: string): boolean {
  return `${path}/`.startsWith(`${SANDBOX_PATH}/`);
}

export function basePathProblem(path: string): string | null {
  if (isSandboxPath(path)) return SANDBOX_PROBLEM;
  return /^(\/[A-Za-z0-9._~-]+)+$/.test(path)
    ? null
    : 'a path such as /marketing, without a slash at its end';
}

/** RFC 8414 §2: a URL without query and fragment. It is also part of a line to paste into a shell. */
export function issuerProblem(issuer: string): string | null {
  const fits = /^https?:\/\/[A-Za-z0-9.:[\]-]+(\/[A-Za-z0-9._~-]+)*$/.test(issuer) && URL.canParse(issuer);
  if (fits && isSandboxPath(new URL(issuer).pathname)) return `a URL with ${SANDBOX_PROBLEM}`;
  return fits
    ? null
    : 'an http or https URL such as https://api.example.com/marketing, without a slash at its end';
}

export function masterKey(text: string): { value: Redacted | null } | { allowed: string } {
  if (text === '') return { value: null };
  return /^[0-9A-Fa-f]{64}$/.test(text)
    ? { value: new Redacted(text) }
    : { allowed: '64 hexadecimal digits (openssl rand -hex 32 prints some)' };
}

/**
 * The name of a header with an address, in lower case. Refuses HTTP's own headers: their names are one word,
 * or they carry a secret.
 */
export function headerName(text: string): { value: string } | { allowed: string } {
  const name = text === '' ? 'x-forwarded-for' : text.toLowerCase();
  const fits = /^(forwarded|(?!authorization|cookie|proxy-)[a-z0-9]+(-[a-z0-9]+)+)$/.test(name);
  return fits
    ? { value: name }
    : { allowed: 'the name of a header such as X-Forwarded-For, Forwarded, X-Real-IP or CF-Connecting-IP' };
}

export function prefixProblem(prefix: string): string | null {
  return /^[A-Za-z0-9._:-]{1,64}$/.test(prefix)
    ? null
    : 'at most 64 letters, digits and the characters . _ : -';
}
