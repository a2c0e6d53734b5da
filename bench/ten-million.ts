// npm run bench -- ten-million: 10 million API users (or MINTMARK_BENCH_API_USERS) in one PostgreSQL: the
// cost of tokens, of directory misses and of lists in the admin API, and the speed of imports and usage
// writes. It needs 15 GB of disk, PostgreSQL's programs and a quarter of an hour. MINTMARK_BENCH_STORE names
// a store that an earlier run filled and nothing else uses; then filling is skipped.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest, Agent } from 'node:http';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { SETTINGS } from '../packages/server/src/config/config.ts';
import { SYSTEM } from '../packages/server/src/domain/actor.ts';
import { secretDigest } from '../packages/server/src/domain/secret.ts';
import { cursorOf } from '../packages/server/src/http/admin/cursor.ts';
import { loadConfig } from '../packages/server/src/config/load-config.ts';
import { importApiUsers } from '../packages/server/src/admin/api-user-import.ts';
import { masterKeyOf, openStore } from '../packages/server/src/store-files/open.ts';
import { rotateSigningKey } from '../packages/server/src/admin/signing-key.ts';
import type { Store } from '../packages/server/src/storage/store.ts';
import { startPostgres } from '@mintmark/test-support/postgres';
import { recordsOf } from '@mintmark/test-support/usage';
import type { TextLine } from '../packages/server/src/lib/text-lines.ts';
import { ENABLED, fillPostgres, nameAt, usernameAt } from './fill-postgres.ts';
import { compare, rss, startMintmark, stop, type Cost, type Peer } from './peer.ts';
import { clientIdAt, secretAt } from './population.ts';
import { table } from './table.ts';

const API_USERS = Number(process.env['MINTMARK_BENCH_API_USERS'] ?? 10_000_000);
const ROUNDS = 60;
const IMPORTED = 20_000;
const MISSES = 2000;
const LIST_ROUNDS = 100;
const USES = 20_000;
/** Number per minute whose last use is written at once (LAST_USE_NOTED_MAX in usage-recorder.ts). */
const USES_NOTED = 500;
const WALK_SECONDS_MAX = 60;
const POLLS = 5000;
/** The directory's default size. */
const HELD = Number(SETTINGS.directoryMax.default);
const [RATIO_MAX, MISS_MS_MAX, LIST_MS_MAX] = [1.1, 5, 100];

/** Settings for a machine with this much memory; all else is default, durable writes included. */
const POSTGRES = {
  shared_buffers: '1GB',
  maintenance_work_mem: '1GB',
  max_wal_size: '8GB',
  checkpoint_timeout: '30min',
  max_parallel_maintenance_workers: '2',
};

interface Finding {
  what: string;
  measured: string;
  most?: string;
  met?: boolean;
}

const number = (value: number): string => Math.round(value).toLocaleString('en');
const seconds = (sinceMs: number): number => (performance.now() - sinceMs) / 1000;
const quantile = (values: readonly number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN;

export async function run(): Promise<boolean> {
  const filled = process.env['MINTMARK_BENCH_STORE'];
  if (filled !== undefined) return await measure(filled, []);
  await using server = await startPostgres({ settings: POSTGRES, durable: true });
  const database = await server.newDatabase();
  const url = server.url(database);
  const config = loadConfig(settingsOf(url));
  const { store } = await openStore(config, { watch: false });
  const rotation = { algorithm: config.signingAlgorithm, schedule: config, mode: 'now' } as const;
  await rotateSigningKey(
    { store, actor: SYSTEM, nowMs: Date.now() },
    await masterKeyOf(store, config),
    rotation,
  );
  await store.close();
  const { copySeconds, indexSeconds } = await fillPostgres(server, database, API_USERS);
  return await measure(url, [
    say('COPY of API users with a secret each', `${number(copySeconds)} s`),
    say('indexes, last use, VACUUM ANALYZE', `${number(indexSeconds)} s`),
  ]);
}

/** Prints each result at once, because the run takes long. */
function say(what: string, measured: string, rest: Omit<Finding, 'what' | 'measured'> = {}): Finding {
  console.error(`${what}: ${measured}`);
  return { what, measured, ...rest };
}

function settingsOf(url: string): Record<string, string> {
  return {
    DATABASE_URL: url,
    MINTMARK_DATA_DIR: join(tmpdir(), 'mintmark-bench-none'), // nothing will lie in it
    MINTMARK_MASTER_KEY: 'ab'.repeat(32),
    MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000000',
  };
}

async function sql<T extends object>(url: string, text: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<T>(text)).rows;
  } finally {
    await client.end();
  }
}

async function measure(url: string, findings: Finding[]): Promise<boolean> {
  const [size] = await sql<{ size: string }>(
    url,
    'select pg_database_size(current_database())::text as size',
  );
  findings.push(say('size of the database', `${(Number(size?.size) / 2 ** 30).toFixed(1)} GiB`));
  const { store } = await openStore(loadConfig(settingsOf(url)), { watch: false });
  findings.push(...(await writing(store)));
  await store.close();
  const oneDir = mkdtempSync(join(tmpdir(), 'mintmark-bench-'));
  const peers: Peer[] = [];
  try {
    const one = await startMintmark('one', oneDir, 1);
    const many = await startMintmark('many', '', API_USERS * ENABLED, settingsOf(url));
    peers.push(one, many);
    findings.push(...(await inMemory(url, one, many)), ...(await lookedUp(many.options.port)));
    const { port } = many.options;
    return report(findings, await timedLists(port), await walks(port));
  } finally {
    for (const peer of peers) await stop(peer.process);
    rmSync(oneDir, { recursive: true, force: true });
  }
}

/** The primary's work: import, usage writes and the poll of the change feed. */
async function writing(store: Store): Promise<Finding[]> {
  const from = API_USERS + Math.floor(Math.random() * 1e9);
  async function* lines(): AsyncGenerator<TextLine> {
    for (let i = 0; i < IMPORTED; i++) {
      const secret = secretAt(from + i);
      const credentials = [
        { id: secret.slice(4, 14), kind: 'secret', name: 'production', digest: secretDigest(secret) },
      ];
      const record = { name: `Imported ${i}`, scopes: ['campaigns:read'], credentials };
      yield { n: i + 1, text: JSON.stringify(record) };
    }
  }
  let startedAt = performance.now();
  for await (const line of importApiUsers({ store, actor: SYSTEM }, lines(), Date.now))
    if ('refused' in line) throw line.refused;
  const importSeconds = seconds(startedAt);
  const uses = Array.from({ length: USES }, () => Math.floor(Math.random() * API_USERS)).map((i) => ({
    credentialId: secretAt(i).slice(4, 14),
    lastUsedAt: Date.now(),
    lastUsedAddress: '192.0.2.7',
    count: 1,
    tokens: 1,
    of: { clientId: clientIdAt(i) },
  }));
  const minute = Math.floor(Date.now() / 60_000) * 60_000;
  const flushes: number[] = [];
  for (const [count, noteLastUse] of [
    [USES, false],
    [USES_NOTED, true],
  ] as const) {
    startedAt = performance.now();
    await store.recordUsage({ minute, uses: recordsOf(uses.slice(0, count)), refusals: [], noteLastUse });
    flushes.push(count / seconds(startedAt));
  }
  startedAt = performance.now();
  for (let i = 0; i < POLLS; i++) await store.changes.position(i + 1);
  const pollMicros = (seconds(startedAt) * 1e6) / POLLS;
  return [
    say('import, API users a second', number(IMPORTED / importSeconds)),
    say('use written, API users a second', number(flushes[0] ?? 0)),
    say(`the same of ${USES_NOTED}, and last use noted with the API users`, number(flushes[1] ?? 0)),
    say('a poll of the change feed, one after the other', `${number(pollMicros)} µs`),
  ];
}

/** Tokens for API users in memory, beside a server with one API user. */
async function inMemory(url: string, one: Peer, many: Peer): Promise<Finding[]> {
  const startedAt = performance.now();
  for (let count = 0; count < Math.min(HELD, API_USERS);) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const { text } = await ask(many.options.port, 'GET', '/readyz', {});
    count = (JSON.parse(text) as { api_users_in_memory: number }).api_users_in_memory;
  }
  const loadSeconds = seconds(startedAt);
  // They are loaded in id order.
  const [last] = await sql<{ id: string }>(
    url,
    `select client_id as id from api_users order by client_id offset ${Math.floor(Math.min(HELD, API_USERS) * 0.99)} limit 1`,
  );
  many.options.below = last?.id ?? '';
  const [soon, later] = [await compare([one, many], ROUNDS), await compare([one, many], ROUNDS)];
  const [ofOne = Number.NaN, ofMany = Number.NaN] = later.map(({ cpuMicros }) => cpuMicros);
  const ratioOf = ([a, b]: Cost[]) => (b?.cpuMicros ?? Number.NaN) / (a?.cpuMicros ?? Number.NaN);
  const ratio = ratioOf(later);
  const bytes = (rss(many.process) - rss(one.process)) / Math.min(HELD, API_USERS);
  return [
    say('start until ready', `${number(many.readyMs)} ms`),
    say(`start until ${number(HELD)} are in memory, as many as by default`, `${number(loadSeconds)} s`),
    say('memory of that server', `${number(rss(many.process) / 2 ** 20)} MiB, ${number(bytes)} bytes each`),
    say('CPU per token, one API user', `${ofOne.toFixed(0)} µs`),
    say('CPU per token, one of those in memory at random', `${ofMany.toFixed(0)} µs`),
    say('the second to the first', ratio.toFixed(2), { most: String(RATIO_MAX), met: ratio <= RATIO_MAX }),
    say('the same in the first minute after they were taken into memory', ratioOf(soon).toFixed(2)),
  ];
}

const agent = new Agent({ keepAlive: true });

function ask(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string>,
  body = '',
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ agent, host: '127.0.0.1', port, path, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject).end(body);
  });
}

async function token(port: number, i: number): Promise<string> {
  const body = `client_id=${clientIdAt(i)}&client_secret=${secretAt(i)}`;
  const headers = {
    'Content-Type': 'application/x-www-form-urlencoded',
    'Content-Length': String(body.length),
  };
  const { status, text } = await ask(port, 'POST', '/marketing/oauth2/token', headers, body);
  if (status !== 200) throw new Error(`a token request got ${status}: ${text}`);
  return (JSON.parse(text) as { access_token: string }).access_token;
}

/** Tokens for API users that are not in memory, one after the other. */
async function lookedUp(port: number): Promise<Finding[]> {
  const times: number[] = [];
  while (times.length < MISSES) {
    const i = Math.floor(Math.random() * API_USERS * ENABLED);
    if (clientIdAt(i) < 'api_c') continue; // they are loaded in the order of their ids
    const startedAt = performance.now();
    await token(port, i);
    times.push(performance.now() - startedAt);
  }
  const [half, most] = [quantile(times, 0.5), quantile(times, 0.95)];
  return [
    say('a token for one that is looked up, p50', `${half.toFixed(1)} ms`, {
      most: `${MISS_MS_MAX} ms`,
      met: half <= MISS_MS_MAX,
    }),
    say('the same, p95', `${most.toFixed(1)} ms`),
  ];
}

/** Pages to the end of a list with few matches, or to the first match: number and time of requests. */
async function walks(port: number): Promise<string[][]> {
  const rows: string[][] = [];
  const bearer = { Authorization: `Bearer ${await token(port, 0)}` };
  for (const [what, path] of queries().filter(
    ([name]) => name.startsWith('search') || name.startsWith('few'),
  )) {
    const times: number[] = [];
    let items = 0;
    let next: string | null = '';
    const startedAt = performance.now();
    while (next !== null && items === 0 && seconds(startedAt) < WALK_SECONDS_MAX) {
      const pageAt = performance.now();
      const url = `/marketing/admin/v1${path}${next && `&after=${next}`}`;
      const { status, text } = await ask(port, 'GET', url, bearer);
      if (status !== 200) throw new Error(`${url} got ${status}: ${text}`);
      times.push(performance.now() - pageAt);
      const page = JSON.parse(text) as { items: unknown[]; next: string | null };
      items += page.items.length;
      ({ next } = page);
    }
    const end = items > 0 ? 'found' : next === null ? 'nothing, to the end' : 'given up';
    const took = `${seconds(startedAt).toFixed(1)} s`;
    rows.push([
      what,
      end,
      number(times.length),
      took,
      ...[0.5, 0.95, 1].map((q) => quantile(times, q).toFixed(1)),
    ]);
    console.error(rows.at(-1)?.join(' | '));
  }
  return rows;
}

function queries(): [what: string, path: string][] {
  const middle = Math.floor(API_USERS / 2);
  const list = (query: string) => `/api-users?${query}`;
  const after = (sort: string, value: string | number) =>
    `${list(`sort=${sort}`)}&after=${cursorOf(`api-users ${sort}`, [value, clientIdAt(middle)])}`;
  return [
    ['newest first', list('')],
    ['200 newest', list('limit=200')],
    ['by name', list('sort=name')],
    ['by last use', list('sort=-last_used_at')],
    ['in the middle, newest first', after('-created_at', 1_700_000_000_000 + middle * 1000)],
    ['in the middle, by name', after('name', nameAt(middle))],
    ['in the middle, by last use', after('last_used_at', 1_700_000_000_000 + 10_000_000 * 60_000)],
    ['disabled', list('state=disabled')],
    ['disabled, by name', list('state=disabled&sort=name')],
    ['with a scope that one has', list('scope=mintmark:admin')],
    ['one API user', `/api-users/${clientIdAt(middle)}`],
    ['its credentials', `/api-users/${clientIdAt(middle)}/credentials`],
    ['the overview', '/overview'],
    ['search: found often', list('search=newsletter')],
    ['search: found once', list(`search=customer%20${API_USERS - 12_345}`)],
    ['search: a username', list(`search=${encodeURIComponent(usernameAt(middle - (middle % 2)))}`)],
    ['search: found nowhere', list('search=nothing%20like%20this')],
    ['search: found nowhere, by name', list('search=nothing%20like%20this&sort=name')],
    ['few: enabled, newest first', list('state=enabled')],
  ];
}

async function timedLists(port: number): Promise<string[][]> {
  const rows: string[][] = [];
  const bearer = { Authorization: `Bearer ${await token(port, 0)}` };
  for (const [what, path] of queries()) {
    const times: number[] = [];
    let status = 0;
    // Slow requests are repeated less.
    while (times.length < LIST_ROUNDS && (times.length < 3 || times.reduce((a, b) => a + b) < 10_000)) {
      const startedAt = performance.now();
      ({ status } = await ask(port, 'GET', `/marketing/admin/v1${path}`, bearer));
      times.push(performance.now() - startedAt);
    }
    const slow = quantile(times, 0.95);
    const verdict = status !== 200 ? `status ${status}` : slow < LIST_MS_MAX ? 'met' : 'MISSED';
    rows.push([
      what,
      ...[times[0] ?? Number.NaN, quantile(times, 0.5), slow].map((ms) => ms.toFixed(1)),
      verdict,
    ]);
    console.error(rows.at(-1)?.join(' | '));
  }
  return rows;
}

function report(
  findings: readonly Finding[],
  lists: readonly string[][],
  walked: readonly string[][],
): boolean {
  const text = `# ${number(API_USERS)} API users in PostgreSQL

\`npm run bench -- ten-million\`; Node ${process.versions.node}, ${availableParallelism()} shared cores (${cpus()[0]?.model}), PostgreSQL with
shared_buffers = 1GB and fsync on, on the same machine; load average ${loadavg()[0]?.toFixed(1)}.

${table([['', 'measured', 'at most', ''], ...findings.map(({ what, measured, most = '', met }) => [what, measured, most, met === undefined ? '' : met ? 'met' : 'MISSED'])])}

Requests to the admin API, each of them at most ${LIST_MS_MAX} ms:

${table([['request', 'first ms', 'p50 ms', 'p95 ms', ''], ...lists])}

Until one is found, page by page (a page ends early where few are found):

${table([['list', 'end', 'pages', 'in all', 'p50 ms', 'p95 ms', 'slowest ms'], ...walked])}
`;
  console.log(text);
  writeFileSync(new URL('results/ten-million.md', import.meta.url), text);
  return findings.every(({ met }) => met !== false) && lists.every((row) => row.at(-1) === 'met');
}
