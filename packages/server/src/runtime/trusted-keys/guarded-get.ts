import { lookup as lookUpHost } from 'node:dns/promises';
import type { LookupAddress } from 'node:dns';
import { readFile } from 'node:fs/promises';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import { isIP } from 'node:net';
import type { Config } from '../../config/config.ts';
import { inQuotes } from '../../domain/characters.ts';
import { addressKind } from '../../domain/special-address.ts';
import { createSemaphore } from '../../lib/semaphore.ts';
import { VERSION } from '../../lib/version.ts';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** Gets a URL. Throws an Error with a text for operators. */
export type GuardedGet = (url: string, signal: AbortSignal) => Promise<Answer>;

/** The addresses of a host name. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>;

export type GuardConfig = Pick<Config, 'privateKeyHosts' | 'keySetBytesMax' | 'keySourcesMax'>;

/**
 * At most this many look-ups of host names run at a time. Each occupies a thread of Node's pool until the
 * system's resolver answers.
 */
const LOOKUPS_MAX = 2;

/**
 * Gets URLs that others name: https only, no redirects, bounded, and not from private addresses, unless a
 * setting names the host (server-side request forgery). The connection goes to the addresses that were
 * checked: a second look-up could return others (DNS rebinding).
 */
export function createGuardedGet(config: GuardConfig, resolve: Resolve = createResolve(config)): GuardedGet {
  const { privateKeyHosts, keySetBytesMax } = config;
  return async (url, signal) => {
    const target = httpsUrl(url);
    const host = target.hostname.replace(/^\[(.*)\]$/, '$1');
    const named = privateKeyHosts.find((one) => one.host === host);
    const addresses = await within(signal, addressesOf(host, resolve));
    for (const { address } of addresses) {
      const problem = addressProblem(address, named !== undefined);
      if (problem !== null)
        throw new Error(`${url} is not fetched: ${host} has the address ${address}, ${problem}`);
    }
    const caFile = named?.caFile ?? null;
    const trust = caFile === null ? {} : { ca: await within(signal, authorities(caFile)) };
    return await exchange(target, { signal, lookup: lookupOf(addresses), ...trust }, keySetBytesMax);
  };
}

/** Throws if the URL is not one that may be fetched. */
export function httpsUrl(url: string): URL {
  const target = URL.parse(url);
  if (target === null) throw new Error(`${shortened(url)} is not a URL`);
  if (target.protocol !== 'https:') throw new Error(`${shortened(url)} is not an https URL`);
  if (target.username !== '' || target.password !== '') {
    // The URL is not quoted: the password is a secret.
    throw new Error(`the URL of ${target.host} has a user name or password, which is not sent: remove it`);
  }
  return target;
}

const SHOWN_LENGTH_MAX = 200;

/** The beginning of a text that another server sent, in quotes. */
export function shortened(text: string): string {
  return inQuotes(text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text);
}

function createResolve({ keySourcesMax }: GuardConfig): Resolve {
  const lookUps = createSemaphore(LOOKUPS_MAX, keySourcesMax);
  return async (host) => {
    const addresses = lookUps.run(() => lookUpHost(host, { all: true, order: 'verbatim' }));
    if (addresses === null) throw new Error('too many look-ups of host names wait');
    return await addresses;
  };
}

async function addressesOf(host: string, resolve: Resolve): Promise<readonly LookupAddress[]> {
  const family = isIP(host);
  if (family !== 0) return [{ address: host, family }];
  try {
    return await resolve(host);
  } catch (error) {
    throw new Error(`the host ${host} has no address (${codeOf(error)})`, { cause: error });
  }
}

function addressProblem(address: string, mayBePrivate: boolean): string | null {
  const kind = addressKind(address);
  if (kind === 'public' || (kind === 'private' && mayBePrivate)) return null;
  return kind === 'private'
    ? 'which is private: name the host in MINTMARK_PRIVATE_KEY_HOSTS if it is yours'
    : 'which is reserved: Mintmark fetches no keys from it';
}

async function authorities(caFile: string): Promise<string> {
  try {
    return await readFile(caFile, 'utf8');
  } catch (error) {
    throw new Error(`the file ${caFile} of MINTMARK_PRIVATE_KEY_HOSTS cannot be read (${codeOf(error)})`, {
      cause: error,
    });
  }
}

/** A look-up that returns these addresses. */
function lookupOf(addresses: readonly LookupAddress[]): NonNullable<RequestOptions['lookup']> {
  return (_host, options, callback) => {
    const [first] = addresses;
    if (options.all === true) callback(null, Array.from(addresses));
    else if (first !== undefined) callback(null, first.address, first.family);
  };
}

const HEADERS = {
  accept: 'application/json',
  'accept-encoding': 'identity',
  'user-agent': `Mintmark/${VERSION}`,
};

/** Loads node:https and with it TLS, 8 MiB, for the first URL: most servers get none. */
async function exchange(target: URL, options: RequestOptions, bytesMax: number): Promise<Answer> {
  const { request: httpsRequest } = await import('node:https');
  return await new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      if (options.signal?.aborted === true) reject(new Error(`${target.href} did not answer in time`));
      else reject(new Error(`${target.href} cannot be reached (${codeOf(error)})`, { cause: error }));
    };
    // No agent: a kept connection would be to an address that was checked for an earlier request.
    const request = httpsRequest(target, { ...options, agent: false, headers: HEADERS }, (response) => {
      response.on('error', fail);
      readAnswer(response, bytesMax).then(resolve, (error: Error) => {
        request.destroy();
        reject(new Error(`${target.href} ${error.message}`));
      });
    });
    request.on('error', fail).end();
  });
}

/** Throws an Error whose message continues a sentence that begins with the URL. */
async function readAnswer(response: IncomingMessage, bytesMax: number): Promise<Answer> {
  const { statusCode: status = 0, headers } = response;
  if (status >= 300 && status < 400)
    throw new Error(
      `answered with a redirect to ${shortened(headers.location ?? '')}, which is not followed`,
    );
  if ((headers['content-encoding'] ?? 'identity') !== 'identity')
    throw new Error(`answered with the content encoding ${shortened(headers['content-encoding'] ?? '')}`);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Error(`answered with more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return { status, headers, text: Buffer.concat(chunks).toString('utf8') };
}

/** The outcome of the look-up or read, or an Error when the signal aborts. */
async function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const abort = () => reject(new Error('the host name was not resolved in time'));
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([work, late]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** `ECONNREFUSED`, `CERT_HAS_EXPIRED` …, or the message of an error without a code. */
function codeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
