// The cost of a token check: @mintmark/verifier beside jose, aws-jwt-verify, express-oauth2-jwt-bearer,
// fast-jwt with get-jwks, and Hono's jwk(), on the same tokens and key set, in alternating rounds of one
// process. CPU time of all threads, because WebCrypto works on others.
import { once } from 'node:events';
import { generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { JwtVerifier } from 'aws-jwt-verify';
import { auth } from 'express-oauth2-jwt-bearer';
import { createVerifier as createFastJwtVerifier } from 'fast-jwt';
import buildGetJwks from 'get-jwks';
import { Hono } from 'hono';
import { jwk as honoJwk } from 'hono/jwk';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { createVerifier } from '../packages/verifier/src/index.ts';
import { settledHeap } from './settled-heap.ts';

const JOSE = 'jose alone';
const OURS = '@mintmark/verifier';

const ROUNDS = 300;
const OTHER_ROUNDS = 5;
const FRESH_TOKENS = 100;
const REPEATS = 50_000;
const AUDIENCE = 'https://api.example.com';

type Check = (token: string) => Promise<unknown>;

interface Issuer {
  url: string;
  /** Its public key. */
  jwk: { kty: string; kid: string; alg: string };
  token(): string;
  stop(): void;
}

async function startIssuer(): Promise<Issuer> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kty: 'EC', kid: 'bench', alg: 'ES256', use: 'sig' };
  const server = createServer((request, response) => {
    const metadata = { issuer: url, jwks_uri: `${url}/jwks` };
    const body = request.url?.startsWith('/.well-known') ? metadata : { keys: [jwk] };
    response.setHeader('cache-control', 'max-age=3600').end(JSON.stringify(body));
  });
  server.keepAliveTimeout = 60_000; // Hono fetches the key set for each request, on connections that must not close
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    jwk,
    token: () => signed(url, privateKey),
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function signed(iss: string, key: KeyObject): string {
  const iat = Math.floor(Date.now() / 1000);
  const user = { sub: 'api_01234567890123456789', client_id: 'api_01234567890123456789' };
  const claims = { iss, ...user, aud: AUDIENCE, iat, exp: iat + 3600, jti: randomUUID() };
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'ES256', typ: 'at+jwt', kid: 'bench' })}.${part({ ...claims, scope: 'campaigns:read campaigns:write' })}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

function checks(issuer: Issuer): Record<string, Check> {
  const jwksUrl = `${issuer.url}/jwks`;
  const keys = createRemoteJWKSet(new URL(jwksUrl), { cacheMaxAge: 3_600_000 });
  const joseOptions = { issuer: issuer.url, audience: AUDIENCE, algorithms: ['ES256'], typ: 'at+jwt' };
  const getJwks = buildGetJwks({ jwksPath: '/jwks' });
  const fastJwt = (cache: boolean) =>
    createFastJwtVerifier({
      key: async ({ header }: { header: Record<string, string> }) =>
        await getJwks.getPublicKey({ kid: header['kid'] ?? '', domain: issuer.url, alg: 'ES256' }),
      algorithms: ['ES256'],
      allowedIss: issuer.url,
      allowedAud: AUDIENCE,
      cache: cache ? 10_000 : false,
    });
  const verification = { iss: issuer.url, aud: AUDIENCE, typ: 'at+jwt' };
  const hono = new Hono();
  hono.get('/', honoJwk({ jwks_uri: jwksUrl, alg: ['ES256'], verification }), (c) => c.text('ok'));
  const aws = JwtVerifier.create({ issuer: issuer.url, audience: AUDIENCE, jwksUri: jwksUrl });
  // It fetches only over https.
  aws.cacheJwks({ keys: [issuer.jwk] });
  const middleware = auth({
    issuer: issuer.url,
    jwksUri: jwksUrl,
    audience: AUDIENCE,
    tokenSigningAlg: 'ES256',
    strict: true,
  });
  const ours = createVerifier({ issuer: issuer.url, audience: AUDIENCE });
  const cached = fastJwt(true);
  return {
    [JOSE]: (token) => jwtVerify(token, keys, joseOptions),
    [OURS]: (token) => ours.verify(token),
    'aws-jwt-verify': async (token) => await aws.verify(token),
    'express-oauth2-jwt-bearer': (token) =>
      new Promise((resolve, reject) => {
        // The members of a request that it reads.
        const headers = { authorization: `Bearer ${token}` };
        const get = (name: string) => (name === 'Host' ? 'api.example.com' : undefined);
        const request = { headers, get, method: 'GET', protocol: 'https', url: '/', is: () => false };
        const done = (error?: unknown) => (error === undefined ? resolve(undefined) : reject(error));
        void middleware(
          request as unknown as Parameters<typeof middleware>[0],
          {} as Parameters<typeof middleware>[1],
          done,
        );
      }),
    'fast-jwt + get-jwks': fastJwt(false),
    'fast-jwt + get-jwks, cached': cached,
    'hono jwk()': async (token) => {
      const response = await hono.request('/', { headers: { authorization: `Bearer ${token}` } });
      if (response.status !== 200) throw new Error(`Hono answered ${response.status}.`);
    },
  };
}

/** CPU µs per check, all threads. */
async function cost(check: Check, tokens: readonly string[], repeats: number): Promise<number> {
  const before = process.cpuUsage();
  for (const token of tokens) for (let i = 0; i < repeats; i += 1) await check(token);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (tokens.length * repeats);
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

/**
 * Cost of each check in each round, by name. The order changes, so that no check always follows the same one.
 */
async function measure(
  peers: Record<string, Check>,
  rounds: number,
  costOf: (check: Check) => Promise<number>,
): Promise<Map<string, number[]>> {
  const costs = new Map<string, number[]>(Object.keys(peers).map((name) => [name, []]));
  for (let round = -2; round < rounds; round += 1) {
    const names = Object.keys(peers);
    if (round % 2 === 0) names.reverse();
    for (const name of names) {
      const micros = await costOf(peers[name]!);
      if (round >= 0) costs.get(name)?.push(micros);
    }
  }
  return costs;
}

export async function run(): Promise<boolean> {
  const issuer = await startIssuer();
  const peers = checks(issuer);
  const costOfFresh = async (check: Check) => {
    const tokens = Array.from({ length: FRESH_TOKENS }, () => issuer.token());
    return await cost(check, tokens, 1);
  };
  // These two run alone: otherwise one check would pay for another's garbage.
  const { [JOSE]: jose, [OURS]: ours, ...others } = peers;
  const pair = await measure({ [JOSE]: jose!, [OURS]: ours! }, ROUNDS, costOfFresh);
  const fresh = new Map([...pair, ...(await measure(others, OTHER_ROUNDS, costOfFresh))]);
  const repeated: Record<string, Check> = {
    [OURS]: ours!,
    'fast-jwt + get-jwks, cached': peers['fast-jwt + get-jwks, cached']!,
  };
  const one = [issuer.token()];
  const again = await measure(repeated, 9, (check) => cost(check, one, REPEATS));
  const bytes = await bytesPerToken(issuer);
  issuer.stop();

  const ofJose = fresh.get(JOSE) ?? [];
  // Ratios within each round.
  const ratio = (of: number[]) =>
    of.length === ofJose.length
      ? median(of.map((micros, round) => micros / (ofJose[round] ?? NaN)))
      : median(of) / median(ofJose);
  console.log(
    '\n| check | fresh token, CPU µs | ratio to jose | repeated token, CPU µs |\n|---|---|---|---|',
  );
  for (const [name, of] of fresh) {
    const repeat = again.has(name) ? median(again.get(name) ?? []).toFixed(2) : '–';
    console.log(`| ${name} | ${median(of).toFixed(1)} | ${ratio(of).toFixed(3)} | ${repeat} |`);
  }
  const targets: [string, number, number][] = [
    ['repeated token, CPU µs', median(again.get(OURS) ?? []), 4],
    ['fresh token, against jose alone', ratio(fresh.get(OURS) ?? []), 1.05],
    ['bytes of memory a remembered token', bytes, 3072],
  ];
  console.log('\n| target | measured | at most | |\n|---|---|---|---|');
  for (const [name, measured, most] of targets) {
    console.log(`| ${name} | ${measured.toFixed(3)} | ${most} | ${measured <= most ? 'met' : 'MISSED'} |`);
  }
  return targets.every(([, measured, most]) => measured <= most);
}

/** Heap per token of 10,000 cached tokens with different claims. */
async function bytesPerToken(issuer: Issuer): Promise<number> {
  const count = 10_000;
  const verifier = createVerifier({ issuer: issuer.url, audience: AUDIENCE, cacheEntriesMax: 4 * count });
  await verifier.verify(issuer.token());
  const before = await settledHeap();
  for (let i = 0; i < count; i += 1) await verifier.verify(issuer.token());
  const bytes = ((await settledHeap()) - before) / count;
  await verifier.ready();
  return bytes;
}
