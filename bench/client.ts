// The cost of a token for a client: the SDK beside common libraries, against the real server, in one process.
// Each round gives every contender a few calls in random order, so that other load affects all of them.
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { OAuth2Client } from '@badgateway/oauth2-client';
import * as oauth4webapi from 'oauth4webapi';
import * as openid from 'openid-client';
import { ClientCredentials } from 'simple-oauth2';
import { AuthenticationApi, Configuration, TokenManager } from '../packages/client/src/index.ts';
import { startServer } from '@mintmark/test-support/server';
import { table } from './table.ts';

const ROUNDS = 300;
const CALLS = 20;
const WARM_UP = 1500;
const CACHED_CALLS = 2_000_000;
const OVERHEAD_MAX = 0.1;
const CACHED_NS_MAX = 1000;

interface Contender {
  readonly name: string;
  /**
   * Does a program's one-time setup. The result's first call sends one token request, with no token in
   * memory.
   */
  readonly prepare: () => () => Promise<unknown>;
  readonly wallUs: number[];
  readonly cpuUs: number[];
}

interface Target {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

function contenders({ url, clientId, clientSecret }: Target): Contender[] {
  const endpoint = `${url}/oauth2/token`;
  const configuration = new Configuration({ host: url, clientId, clientSecret });
  const api = new AuthenticationApi(configuration);
  const issuer = { issuer: url, token_endpoint: endpoint };
  const openidClient = new openid.Configuration(
    issuer,
    clientId,
    undefined,
    openid.ClientSecretPost(clientSecret),
  );
  openid.allowInsecureRequests(openidClient);
  const badgateway = new OAuth2Client({
    server: url,
    tokenEndpoint: endpoint,
    clientId,
    clientSecret,
    authenticationMethod: 'client_secret_post',
  });
  const simple = new ClientCredentials({
    client: { id: clientId, secret: clientSecret },
    auth: { tokenHost: new URL(url).origin, tokenPath: new URL(endpoint).pathname },
    options: { authorizationMethod: 'body' },
  });
  // The minimum by hand: builds the form, sends it and reads the JSON.
  const bare = async () => {
    const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret };
    const response = await fetch(endpoint, { method: 'POST', body: new URLSearchParams(form) });
    return response.json();
  };
  const oauth4webapiCall = async () => {
    const client = { client_id: clientId };
    const authentication = oauth4webapi.ClientSecretPost(clientSecret);
    const options = { [oauth4webapi.allowInsecureRequests]: true };
    const response = await oauth4webapi.clientCredentialsGrantRequest(
      issuer,
      client,
      authentication,
      {},
      options,
    );
    return oauth4webapi.processClientCredentialsResponse(issuer, client, response);
  };
  const newManager = () => {
    const manager = new TokenManager(configuration);
    return () => manager.getToken();
  };
  const calls: [string, () => () => Promise<unknown>][] = [
    ['bare fetch', () => bare],
    ['@mintmark/client, AuthenticationApi', () => () => api.oAuth2TokenPost()],
    ['@mintmark/client, TokenManager', newManager],
    ['oauth4webapi', () => oauth4webapiCall],
    ['openid-client', () => () => openid.clientCredentialsGrant(openidClient)],
    ['@badgateway/oauth2-client', () => () => badgateway.clientCredentials()],
    ['simple-oauth2', () => () => simple.getToken({})],
  ];
  return calls.map(([name, prepare]) => ({ name, prepare, wallUs: [], cpuUs: [] }));
}

async function measure({ prepare, wallUs, cpuUs }: Contender): Promise<void> {
  for (let i = 0; i < CALLS; i++) {
    const firstCall = prepare();
    const cpu = process.cpuUsage();
    const begun = performance.now();
    await firstCall();
    wallUs.push((performance.now() - begun) * 1000);
    const { user, system } = process.cpuUsage(cpu);
    cpuUs.push(user + system);
  }
}

async function cachedNs(manager: TokenManager): Promise<number> {
  const samples: number[] = [];
  for (let round = 0; round < 5; round++) {
    const begun = performance.now();
    for (let i = 0; i < CACHED_CALLS; i++) await manager.getToken();
    samples.push(((performance.now() - begun) * 1e6) / CACHED_CALLS);
  }
  return median(samples);
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Fisher and Yates. */
function shuffled<T>(values: readonly T[]): T[] {
  const result = [...values];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

function ratio(values: number[], base: number[]): number {
  return median(values) / median(base);
}

/** Prints and stores a table; resolves to false if a target is missed. */
export async function run(): Promise<boolean> {
  await using server = await startServer({
    env: { MINTMARK_API_USER_LIMIT: '1000000', MINTMARK_ADDRESS_LIMIT: '100000000' },
  });
  // 127.0.0.1 avoids the look-up of localhost in every library.
  const target = { ...server, url: server.url.replace('localhost', '127.0.0.1') };
  const all = contenders(target);
  for (const { prepare } of all) for (let i = 0; i < WARM_UP; i++) await prepare()();
  for (let round = 0; round < ROUNDS; round++) for (const one of shuffled(all)) await measure(one);
  const { url: host, clientId, clientSecret } = target;
  const cached = await cachedNs(new TokenManager(new Configuration({ host, clientId, clientSecret })));
  return report(all, cached);
}

function report(all: Contender[], cached: number): boolean {
  const [bare] = all;
  if (!bare) return false;
  const rows = all.map(({ name, wallUs, cpuUs }) => [
    name,
    median(wallUs).toFixed(0),
    ratio(wallUs, bare.wallUs).toFixed(2),
    median(cpuUs).toFixed(0),
    ratio(cpuUs, bare.cpuUs).toFixed(2),
  ]);
  const own = all.filter(({ name }) => name.startsWith('@mintmark'));
  const overhead = Math.max(...own.map(({ wallUs }) => ratio(wallUs, bare.wallUs))) - 1;
  const met = overhead < OVERHEAD_MAX && cached < CACHED_NS_MAX;
  const text = `# The client benchmark

\`npm run bench -- client\`, ${availableParallelism()} shared cores, Node ${process.version}, one run: ${ROUNDS} rounds, in each of which
every library makes ${CALLS} calls in a row, one after the other, to the real server on the loopback. Medians of all calls.

${table([['first call', 'µs', 'to bare fetch', 'CPU µs', 'to bare fetch'], ...rows])}

- First call: ${(overhead * 100).toFixed(1)} % over bare fetch (target: under ${OVERHEAD_MAX * 100} %).
- A \`getToken()\` from memory: ${cached.toFixed(0)} ns (target: under ${CACHED_NS_MAX} ns). The other libraries keep no token.
`;
  console.log(text);
  const results = fileURLToPath(new URL('results/', import.meta.url));
  mkdirSync(results, { recursive: true });
  writeFileSync(`${results}client.md`, text);
  return met;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit((await run()) ? 0 : 1);
