import { createHash, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createVerifier, type Verifier, type VerifierOptions } from '../../src/index.ts';

export const API = 'https://api.example.com';

type Json = Record<string, unknown>;

export interface TestKey {
  kid: string;
  alg: string;
  jwk: Json;
  privateKey: KeyObject;
}

/** An issuer that does as it is told, wrongly too: real HTTP, real signatures. */
export interface TestIssuer {
  url: string;
  /** What the key set holds. */
  keys: TestKey[];
  /** GETs so far of the metadata and of the key set. */
  metadataFetches: number;
  keySetFetches: number;
  notModified: number;
  /** Replaces the answer to a GET of the key set. */
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  /** Its revocation list; undefined: it has none, and its metadata names none. */
  revocations: PublishedRevocations | undefined;
  revocationFetches: number;
  /** Replaces members of the metadata. */
  metadata: Json;
  cacheControl: string;
  /** Puts one before each JSON text that it publishes or signs about its revocation list. */
  byteOrderMark: boolean;
  /** The request headers of the last GET of the key set. */
  lastHeaders: IncomingMessage['headers'];
  /** Milliseconds since 1970: the clock of the verifiers that it makes. */
  nowMs: number;
  /** Claims of a good token, with some replaced; a replacement of undefined leaves a claim out. */
  claims(changes?: Json): Json;
  /** A token signed by the first key. */
  token(changes?: Json, header?: Json, key?: TestKey): string;
  verifier(options?: Partial<VerifierOptions>): Verifier;
  stop(): Promise<void>;
  restart(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface PublishedRevocations {
  body: Buffer;
  /** Replaces members of the statement, or of its header. */
  statement?: Json;
  header?: Json;
  key?: TestKey;
  /** Always 200 or 304, whatever the request asks for. */
  status?: number;
}

/** A list of token ids and of API users with the second before which their tokens are revoked. */
export function revocationBody(tokenIds: string[], apiUsers: Record<string, number> = {}): Buffer {
  const digest = (id: string) => createHash('sha256').update(id).digest().subarray(0, 16);
  const tokens = tokenIds.map(digest).toSorted((a, b) => a.compare(b));
  const users = Object.entries(apiUsers)
    .map(([id, before]) => {
      const time = Buffer.alloc(8);
      time.writeBigUInt64BE(BigInt(before));
      return Buffer.concat([digest(id), time]);
    })
    .toSorted((a, b) => a.compare(b));
  const head = Buffer.from('MMRL\0\0\0\x01\0\0\0\0\0\0\0\0', 'latin1');
  head.writeUInt32BE(tokens.length, 8);
  head.writeUInt32BE(users.length, 12);
  return Buffer.concat([head, ...tokens, ...users]);
}

let keyNumber = 0;

export function newKey(alg = 'ES256', kid = `key-${(keyNumber += 1)}`): TestKey {
  const { privateKey, publicKey } = pair(alg);
  return { kid, alg, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' }, privateKey };
}

function pair(alg: string): { privateKey: KeyObject; publicKey: KeyObject } {
  if (alg === 'EdDSA') return generateKeyPairSync('ed25519');
  if (alg.startsWith('ES')) {
    const namedCurve = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[alg] ?? alg;
    return generateKeyPairSync('ec', { namedCurve });
  }
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

export const base64url = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export function signature(signed: string, { alg, privateKey }: TestKey): string {
  const hash = alg === 'EdDSA' ? null : `sha${alg.slice(2)}`;
  const padding = alg.startsWith('PS') ? { padding: 6, saltLength: Number(alg.slice(2)) / 8 } : {};
  return sign(hash, Buffer.from(signed), {
    key: privateKey,
    dsaEncoding: 'ieee-p1363',
    ...padding,
  }).toString('base64url');
}

/** A JWT of any header and payload: objects, or texts that are taken as they are. */
export function jwt(header: unknown, payload: unknown, key: TestKey): string {
  const signed = `${base64url(header)}.${base64url(payload)}`;
  return `${signed}.${signature(signed, key)}`;
}

export async function startIssuer(keys: TestKey[] = [newKey()]): Promise<TestIssuer> {
  const server = createServer((request, response) => answer(request, response));
  // Longer than a test, or a connection that closes while a request is sent on it fails that request.
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/auth`;

  const issuer: TestIssuer = {
    url,
    keys,
    metadataFetches: 0,
    keySetFetches: 0,
    notModified: 0,
    answer: undefined,
    revocations: undefined,
    revocationFetches: 0,
    metadata: {},
    cacheControl: 'public, max-age=300',
    byteOrderMark: false,
    lastHeaders: {},
    nowMs: Date.now(),
    claims(changes = {}) {
      const iat = Math.floor(issuer.nowMs / 1000);
      const user = { sub: 'api_one', client_id: 'api_one', scope: 'campaigns:read reports:read' };
      return { iss: url, aud: API, iat, exp: iat + 900, jti: randomUUID(), ...user, ...changes };
    },
    token(changes = {}, header = {}, key = issuer.keys[0] ?? newKey()) {
      return jwt({ alg: key.alg, typ: 'at+jwt', kid: key.kid, ...header }, issuer.claims(changes), key);
    },
    verifier: (options = {}) =>
      createVerifier({ issuer: url, audience: API, clock: () => issuer.nowMs, ...options }),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
    async restart() {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      if (server.listening) await issuer.stop();
    },
  };

  function text(json: Json): string {
    return (issuer.byteOrderMark ? '\uFEFF' : '') + JSON.stringify(json);
  }

  function answer(request: IncomingMessage, response: ServerResponse): void {
    if (request.url === '/.well-known/oauth-authorization-server/auth') {
      issuer.metadataFetches += 1;
      const list = issuer.revocations && { revocation_list_uri: `${url}/revocations` };
      response.end(text({ issuer: url, jwks_uri: `${url}/jwks`, ...list, ...issuer.metadata }));
    } else if (request.url === '/auth/jwks') {
      issuer.keySetFetches += 1;
      issuer.lastHeaders = request.headers;
      if (issuer.answer !== undefined) return issuer.answer(request, response);
      const body = text({ keys: issuer.keys.map((key) => key.jwk) });
      const etag = `"${createHash('sha256').update(body).digest('hex')}"`;
      response.setHeader('etag', etag).setHeader('cache-control', issuer.cacheControl);
      if (request.headers['if-none-match'] !== etag) return void response.end(body);
      issuer.notModified += 1;
      response.writeHead(304).end();
    } else if (request.url === '/auth/revocations' && issuer.revocations !== undefined) {
      issuer.revocationFetches += 1;
      answerRevocations(request, response, issuer.revocations);
    } else {
      response.writeHead(404).end();
    }
  }

  let changes = 0;

  function answerRevocations(
    request: IncomingMessage,
    response: ServerResponse,
    { body, statement, header, key = issuer.keys[0] ?? newKey(), status }: PublishedRevocations,
  ): void {
    const sha256 = createHash('sha256').update(body).digest('base64url');
    changes += 1;
    const said = { iss: url, iat: Math.floor(issuer.nowMs / 1000), n: changes, sha256, ...statement };
    const typ = 'mintmark-revocations+jwt';
    const jws = jwt({ alg: key.alg, typ, kid: key.kid, ...header }, text(said), key);
    response.setHeader('mintmark-revocations', jws).setHeader('etag', `"${sha256}"`);
    const same = request.headers['if-none-match'] === `"${sha256}"`;
    const answered = status ?? (same ? 304 : 200);
    response.writeHead(answered).end(answered === 200 ? body : undefined);
  }
  return issuer;
}
