// Issuers and hosts of key sets, as real https servers on this machine.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PublicJwk } from '../../src/domain/trust-rule.ts';

export interface Tls {
  key: Buffer;
  cert: Buffer;
  /** Certificate authority for it. */
  caFile: string;
}

/** A certificate for these names, which is its own authority. Removed when the process ends. */
export function certificate(...names: string[]): Tls {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-issuer-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const hosts = `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`;
  const files = ['-keyout', key, '-out', cert];
  const subject = ['-subj', '/CN=issuer', '-addext', hosts, '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...curve, ...files, ...subject], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return { key: readFileSync(key), cert: readFileSync(cert), caFile: cert };
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface Issuer extends AsyncDisposable {
  url: string;
  port: number;
  /** Paths of all requests so far. */
  requests: string[];
  /** The published keys. */
  keys: object[];
  /** `Cache-Control` of the key set. */
  cacheControl: string | undefined;
  /** Answers instead of the usual ones, by path. */
  handlers: Map<string, Handler>;
  /** Closes its port, so that connections are refused. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export const DISCOVERY = '/.well-known/openid-configuration';

export async function startIssuer(tls: Tls, host = 'localhost'): Promise<Issuer> {
  let server: Server | undefined;

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    issuer.requests.push(path);
    const handler = issuer.handlers.get(path);
    if (handler !== undefined) return handler(request, response);
    if (path === DISCOVERY) return json(response, { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` });
    if (path !== '/keys') return void response.writeHead(404).end('not found');
    if (issuer.cacheControl !== undefined) response.setHeader('Cache-Control', issuer.cacheControl);
    json(response, { keys: issuer.keys });
  }

  const issuer: Issuer = {
    url: '',
    port: 0,
    requests: [],
    keys: [publicKey('first')],
    cacheControl: undefined,
    handlers: new Map(),
    async start() {
      server = createServer(tls, answer).listen(issuer.port, '127.0.0.1');
      await once(server, 'listening');
      issuer.port = (server.address() as AddressInfo).port;
      issuer.url = `https://${host}:${issuer.port}`;
    },
    async stop() {
      server?.closeAllConnections();
      await new Promise((resolve) => server?.close(resolve) ?? resolve(undefined));
      server = undefined;
    },
    [Symbol.asyncDispose]: () => issuer.stop(),
  };
  await issuer.start();
  return issuer;
}

export function json(response: ServerResponse, value: unknown): void {
  response.setHeader('Content-Type', 'application/json').end(JSON.stringify(value));
}

/** A new public key. */
export function publicKey(kid: string): PublicJwk {
  const { publicKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...(key.export({ format: 'jwk' }) as PublicJwk), kid };
}
