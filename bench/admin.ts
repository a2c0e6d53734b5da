// The cost of the admin API's lists and searches with 100,000 API users, and their effect on token requests.
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest, Agent } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { hash } from 'node:crypto';
import { SYSTEM } from '../packages/server/src/domain/actor.ts';
import { secretDigest } from '../packages/server/src/domain/secret.ts';
import { loadConfig } from '../packages/server/src/config/load-config.ts';
import { importApiUsers } from '../packages/server/src/admin/api-user-import.ts';
import { masterKeyOf, openStore } from '../packages/server/src/store-files/open.ts';
import { rotateSigningKey } from '../packages/server/src/admin/signing-key.ts';
import type { TextLine } from '../packages/server/src/lib/text-lines.ts';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { clientIdAt, secretAt } from './population.ts';

const API_USERS = 100_000;
const ROUNDS = 40;
const LIST_MS_MAX = 100;
const TOKENS = 3000;
const TOKEN_CONNECTIONS = 8;
/** An operator who types a search: a request per key, several of them at once. */
const SEARCHERS = 4;

const WORDS =
  'importer newsletter billing crm sync warehouse shop analytics mailer segment export contacts loyalty events';

/** Every tenth is disabled, every second has a username, every third was never used. */
function record(i: number): object {
  const words = WORDS.split(' ');
  const bytes = hash('sha256', `word ${i}`, 'buffer');
  const secret = secretAt(i);
  return {
    client_id: clientIdAt(i),
    name: `${words[(bytes[0] ?? 0) % words.length]} ${words[(bytes[1] ?? 0) % words.length]} of customer ${i}`,
    enabled: i === 0 || i % 10 !== 0,
    username: i % 2 === 0 ? `user${i}@customer.example` : null,
    contact: `team-${i % 500}@customer.example`,
    scopes: i === 0 ? ['mintmark:admin'] : ['campaigns:read', ...(i % 7 === 0 ? ['campaigns:manage'] : [])],
    created_at: new Date(1_700_000_000_000 + i * 1000).toISOString(),
    credentials: [
      { id: secret.slice(4, 14), kind: 'secret', name: 'production', digest: secretDigest(secret) },
    ],
  };
}

async function* lines(): AsyncGenerator<TextLine> {
  for (let i = 0; i < API_USERS; i++) yield { n: i + 1, text: JSON.stringify(record(i)) };
}

async function populate(dataDir: string): Promise<number> {
  const config = loadConfig({ MINTMARK_DATA_DIR: dataDir });
  const { store } = await openStore(config, { watch: false });
  const masterKey = await masterKeyOf(store, config);
  const rotation = { algorithm: config.signingAlgorithm, schedule: config, mode: 'now' } as const;
  await rotateSigningKey({ store, actor: SYSTEM, nowMs: Date.now() }, masterKey, rotation);
  const startedAt = performance.now();
  for await (const line of importApiUsers({ store, actor: SYSTEM }, lines(), Date.now)) {
    if ('refused' in line) throw line.refused;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  await store.close();
  const database = new DatabaseSync(join(dataDir, 'mintmark.db'));
  database.exec(`
    update api_users set last_used_at = (1750000000000 + abs(random() % 10000000000)) / 60000 * 60000 where rowid % 3 <> 0;
    insert into credential_usage select id, last_used_at + 1234, '192.0.2.1', 5
      from api_users as u join credentials as c on c.client_id = u.client_id where last_used_at is not null;
    pragma wal_checkpoint(truncate)`);
  database.close();
  return seconds;
}

const agent = new Agent({ keepAlive: true });

function get(server: TestServer, token: string, path: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { Authorization: `Bearer ${token}` };
    const at = { agent, host: '127.0.0.1', port: server.port, path: `/marketing/admin/v1${path}`, headers };
    const sent = httpRequest(at, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject).end();
  });
}

interface Page {
  items: unknown[];
  next: string | null;
}

/** A cursor in the middle of a list. */
async function middle(server: TestServer, token: string, query: string): Promise<string> {
  let after = '';
  for (let page = 0; page < API_USERS / 200 / 2; page++) {
    const { text } = await get(server, token, `/api-users?limit=200&${query}${after && `&after=${after}`}`);
    after = (JSON.parse(text) as Page).next ?? '';
  }
  return after;
}

async function queries(server: TestServer, token: string): Promise<[what: string, path: string][]> {
  const list = (query: string) => `/api-users?${query}`;
  return [
    ['newest first', list('')],
    ['200 newest', list('limit=200')],
    ['by name', list('sort=name')],
    ['by last use', list('sort=-last_used_at')],
    ['in the middle, by name', list(`sort=name&after=${await middle(server, token, 'sort=name')}`)],
    [
      'in the middle, by last use',
      list(`sort=last_used_at&after=${await middle(server, token, 'sort=last_used_at')}`),
    ],
    ['search: found often', list('search=newsletter')],
    ['search: found once', list('search=customer%2077777')],
    ['search: found nowhere', list('search=nothing%20like%20this')],
    ['search: a client id', list(`search=${clientIdAt(50_000).slice(8, 20)}`)],
    ['search: a username', list('search=user12346%40')],
    ['search by name: found nowhere', list('search=nothing%20like%20this&sort=name')],
    ['search by last use: found nowhere', list('search=nothing%20like%20this&sort=last_used_at')],
    ['disabled, by last use', list('state=disabled&sort=last_used_at')],
    ['disabled with a scope of nobody', list('state=disabled&scope=campaigns:write')],
    ['one API user', `/api-users/${clientIdAt(70_000)}`],
    ['its credentials', `/api-users/${clientIdAt(70_000)}/credentials`],
    ['its history', `/api-users/${clientIdAt(70_000)}/history`],
  ];
}

function quantile(values: readonly number[], q: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? 0;
}

/** Milliseconds per token for random API users, a few at a time. */
async function tokenLatencies(server: TestServer): Promise<number[]> {
  const latencies: number[] = [];
  const tokens = new Agent({ keepAlive: true, maxSockets: TOKEN_CONNECTIONS });
  const one = async (): Promise<void> => {
    while (latencies.length < TOKENS) {
      const i = 1 + Math.floor(Math.random() * (API_USERS / 10 - 1)) * 10 + 1;
      const body = `client_id=${clientIdAt(i)}&client_secret=${secretAt(i)}`;
      const startedAt = performance.now();
      await new Promise<void>((resolve, reject) => {
        const headers = {
          'Content-Type': 'application/x-www-form-urlencoded',
          'Content-Length': body.length,
        };
        const at = {
          agent: tokens,
          host: '127.0.0.1',
          port: server.port,
          path: '/marketing/oauth2/token',
          headers,
        };
        const sent = httpRequest({ ...at, method: 'POST' }, (response) => {
          if (response.statusCode !== 200) reject(new Error(`a token request got ${response.statusCode}`));
          response.resume().on('end', resolve);
        });
        sent.on('error', reject).end(body);
      });
      latencies.push(performance.now() - startedAt);
    }
  };
  await Promise.all(Array.from({ length: TOKEN_CONNECTIONS }, one));
  tokens.destroy();
  return latencies;
}

async function whileSearching(
  server: TestServer,
  token: string,
  work: () => Promise<number[]>,
): Promise<number[]> {
  const state = { searching: true, searches: 0 };
  const search = async (): Promise<void> => {
    while (state.searching) await get(server, token, `/api-users?search=nothing%20${(state.searches += 1)}`);
  };
  const searchers = Array.from({ length: SEARCHERS }, search);
  try {
    return await work();
  } finally {
    state.searching = false;
    await Promise.all(searchers);
  }
}

export async function run(): Promise<boolean> {
  const dataDir = mkdtempSync(join(tmpdir(), 'mintmark-bench-'));
  try {
    const importSeconds = await populate(dataDir);
    const env = { MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000000', MINTMARK_ADDRESS_LIMIT: '1000000000' };
    await using server = await startServer({ dataDir, env });
    const token = (await server.post({ client_id: clientIdAt(0), client_secret: secretAt(0) })).body[
      'access_token'
    ];
    if (typeof token !== 'string') throw new Error('there is no token for the admin API');
    const met = await measure(server, token, importSeconds);
    await server.kill(); // what a stop searches for secrets is quick on the stores of tests only
    return met;
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function measure(server: TestServer, token: string, importSeconds: number): Promise<boolean> {
  console.log(
    `\nImported ${API_USERS.toLocaleString('en')} API users with a digest each in ${importSeconds.toFixed(1)} s.\n`,
  );
  console.log('| request | items | p50 ms | p95 ms |        |\n| --- | --: | --: | --: | --- |');
  let met = true;
  for (const [what, path] of await queries(server, token)) {
    const times: number[] = [];
    let items = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const startedAt = performance.now();
      const { status, text } = await get(server, token, path);
      times.push(performance.now() - startedAt);
      if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
      items = (JSON.parse(text) as Partial<Page>).items?.length ?? 1;
    }
    const slow = quantile(times, 0.95);
    met &&= slow < LIST_MS_MAX;
    const verdict = slow < LIST_MS_MAX ? 'met' : 'MISSED';
    console.log(
      `| ${what} | ${items} | ${quantile(times, 0.5).toFixed(1)} | ${slow.toFixed(1)} | ${verdict} |`,
    );
  }
  const startedAt = performance.now();
  const exported = (await get(server, token, '/api-users/export?digests=true')).text.split('\n').length - 1;
  console.log(
    `\nExported ${exported.toLocaleString('en')} in ${((performance.now() - startedAt) / 1000).toFixed(1)} s.\n`,
  );
  await tokenLatencies(server); // warm
  const quiet = await tokenLatencies(server);
  const searched = await whileSearching(server, token, () => tokenLatencies(server));
  console.log('| tokens, 8 at a time | p50 ms | p99 ms |\n| --- | --: | --: |');
  for (const [what, times] of [
    ['nobody searches', quiet],
    [`${SEARCHERS} search without a pause`, searched],
  ] as const) {
    console.log(`| ${what} | ${quantile(times, 0.5).toFixed(2)} | ${quantile(times, 0.99).toFixed(2)} |`);
  }
  return met;
}
