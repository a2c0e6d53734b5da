// npm run soak [-- --minutes=20] [--postgres]: minutes are enough to find a leak that grows with each
// request. A real server runs at 70 % of its saturation, measured first: with wrong secrets, unknown ids,
// malformed requests, reconnects, an API user created, changed and deleted every second, and Prometheus.
// Samples memory, open files and responses, then prints a verdict. Passes REDIS_URL on, if set.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { SYSTEM } from '../packages/server/src/domain/actor.ts';
import { secretDigest } from '../packages/server/src/domain/secret.ts';
import { loadConfig } from '../packages/server/src/config/load-config.ts';
import { importApiUsers } from '../packages/server/src/admin/api-user-import.ts';
import { masterKeyOf, openStore } from '../packages/server/src/store-files/open.ts';
import { rotateSigningKey } from '../packages/server/src/admin/signing-key.ts';
import { startPostgres } from '@mintmark/test-support/postgres';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import type { TextLine } from '../packages/server/src/lib/text-lines.ts';
import type { PacedOptions, Second } from './paced-load.ts';
import { median } from './peer.ts';
import { clientIdAt, secretAt } from './population.ts';
import { table } from './table.ts';

const API_USERS = 2000;
const CONNECTIONS = 32;
const SATURATION_SECONDS = 15;
const PART = 0.7;
const SAMPLE_MS = 5000;
const CHANGE_MS = 1000;
/** Maximum growth from the second quarter to the last; the first quarter fills caches. */
const GROWTH_MAX = { rss: 0.05, heap: 0.1, files: 4 };

interface Sample {
  second: number;
  rssMiB: number;
  /** Minimum of the heap since the last sample: approximately the size after a collection. */
  heapMiB: number;
  externalMiB: number;
  files: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

const wide = {
  MINTMARK_MASTER_KEY: 'ab'.repeat(32),
  MINTMARK_FIRST_API_USER: 'false',
  MINTMARK_FIRST_ADMIN_LINK: '0',
  MINTMARK_ADDRESS_LIMIT: '1000000000',
  MINTMARK_FAILURE_LIMIT: '1000000000',
  MINTMARK_API_USER_LIMIT: '1000000',
  MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000000',
};

async function* lines(): AsyncGenerator<TextLine> {
  for (let i = 0; i < API_USERS; i++) {
    const secret = secretAt(i);
    const credentials = [
      { id: secret.slice(4, 14), kind: 'secret', name: 'soak', digest: secretDigest(secret) },
    ];
    const scopes = i === 0 ? ['mintmark:admin'] : ['campaigns:read'];
    yield {
      n: i + 1,
      text: JSON.stringify({ client_id: clientIdAt(i), name: `Soak ${i}`, scopes, credentials }),
    };
  }
}

async function populate(settings: Record<string, string>): Promise<void> {
  const config = loadConfig(settings);
  const { store } = await openStore(config, { watch: false });
  const rotation = { algorithm: config.signingAlgorithm, schedule: config, mode: 'now' } as const;
  await rotateSigningKey(
    { store, actor: SYSTEM, nowMs: Date.now() },
    await masterKeyOf(store, config),
    rotation,
  );
  for await (const line of importApiUsers({ store, actor: SYSTEM }, lines(), Date.now))
    if ('refused' in line) throw line.refused;
  await store.close();
}

/** A load process and its report for each second. */
function startLoad(options: PacedOptions): { seconds: Second[]; stop(): Promise<void> } {
  const child: ChildProcess = spawn(
    process.execPath,
    [new URL('paced-load.ts', import.meta.url).pathname, JSON.stringify(options)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const seconds: Second[] = [];
  if (child.stdout)
    createInterface(child.stdout).on('line', (line) => seconds.push(JSON.parse(line) as Second));
  return {
    seconds,
    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** Responses per second at full speed, without the first seconds, in which code is compiled. */
async function saturation(port: number): Promise<number> {
  const load = startLoad({ port, connections: CONNECTIONS, perSecond: 0, apiUsers: API_USERS });
  await sleep(SATURATION_SECONDS * 1000);
  await load.stop();
  return median(load.seconds.slice(5).map(({ answered }) => answered));
}

interface Changes {
  made: number;
  errors: Record<string, number>;
}

/** Repeatedly creates an API user, disables it, revokes its tokens and deletes it. */
async function keepChanging(server: TestServer, changes: Changes, state: { over: boolean }): Promise<void> {
  const admin = `${server.url}/admin/v1`;
  let bearer = '';
  const ask = async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
    const headers = {
      Authorization: `Bearer ${bearer}`,
      ...(body && { 'Content-Type': 'application/json' }),
    };
    const response = await fetch(admin + path, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method}: status ${response.status}`);
    return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  };
  for (let n = 0; !state.over; n++) {
    try {
      // A token is valid for 15 minutes.
      if (n % 300 === 0)
        bearer = String(
          (await server.post({ client_id: clientIdAt(0), client_secret: secretAt(0) })).body['access_token'],
        );
      const made = await ask('POST', '/api-users', { name: `Changing ${n}`, scopes: ['campaigns:read'] });
      const id = String(
        (made['api_user'] as { client_id?: string } | undefined)?.client_id ?? made['client_id'],
      );
      await ask('POST', `/api-users/${id}/disable`, { force: true, revoke_tokens: true });
      await ask('GET', '/api-users?search=changing');
      await ask('DELETE', `/api-users/${id}?force=true`);
      changes.made += 1;
    } catch (error) {
      const { message } = error as Error;
      changes.errors[message] = (changes.errors[message] ?? 0) + 1;
    }
    await sleep(CHANGE_MS);
  }
}

async function memoryOf(server: TestServer): Promise<{ heap: number; external: number }> {
  const text = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  return { heap: value('nodejs_heap_size_used_bytes'), external: value('nodejs_external_memory_bytes') };
}

const filesOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
const rssOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

async function sampled(server: TestServer, seconds: readonly Second[], forMs: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  const pid = server.process.pid ?? 0;
  const startedAt = performance.now();
  while (performance.now() - startedAt < forMs) {
    let heap = Number.POSITIVE_INFINITY;
    let external = 0;
    for (let part = 0; part < 5; part++) {
      await sleep(SAMPLE_MS / 5);
      const memory = await memoryOf(server);
      heap = Math.min(heap, memory.heap);
      external = memory.external;
    }
    const since = seconds.slice(-SAMPLE_MS / 1000);
    samples.push({
      second: Math.round((performance.now() - startedAt) / 1000),
      rssMiB: rssOf(pid),
      heapMiB: heap / 2 ** 20,
      externalMiB: external / 2 ** 20,
      files: filesOf(pid),
      perSecond: since.reduce((sum, { answered }) => sum + answered, 0) / Math.max(1, since.length),
      p50Ms: median(since.map(({ p50Ms }) => p50Ms)),
      p99Ms: median(since.map(({ p99Ms }) => p99Ms)),
    });
    if (samples.length % 12 === 0) console.error(JSON.stringify(samples.at(-1)));
  }
  return samples;
}

interface Judged {
  what: string;
  second: number;
  last: number;
  most: string;
  met: boolean;
}

/** Compares the second quarter with the last one. */
function judge(samples: readonly Sample[]): Judged[] {
  const quarter = Math.floor(samples.length / 4);
  const second = samples.slice(quarter, 2 * quarter);
  const last = samples.slice(-quarter);
  const grown = (what: string, of: (sample: Sample) => number, part: number): Judged => {
    const [a, b] = [median(second.map(of)), median(last.map(of))];
    return { what, second: a, last: b, most: `+${part * 100} %`, met: b <= a * (1 + part) };
  };
  const files = [second, last].map((some) => Math.max(...some.map((sample) => sample.files)));
  const [a = 0, b = 0] = files;
  return [
    grown('resident memory, MiB (median)', ({ rssMiB }) => rssMiB, GROWTH_MAX.rss),
    grown('heap in use, MiB (median of the least)', ({ heapMiB }) => heapMiB, GROWTH_MAX.heap),
    {
      what: 'open files (most)',
      second: a,
      last: b,
      most: `+${GROWTH_MAX.files}`,
      met: b <= a + GROWTH_MAX.files,
    },
  ];
}

function total(errors: readonly Record<string, number>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const [what, count] of errors.flatMap((one) => Object.entries(one)))
    sum[what] = (sum[what] ?? 0) + count;
  return sum;
}

async function soak(
  minutes: number,
  store: string,
  settings: Record<string, string>,
  dataDir: string,
): Promise<boolean> {
  await populate(settings);
  await using server = await startServer({ dataDir, env: settings });
  const saturated = await saturation(server.port);
  const perSecond = Math.floor(saturated * PART);
  console.error(`saturated at ${saturated}/s; ${perSecond}/s for ${minutes} minutes`);
  const load = startLoad({ port: server.port, connections: CONNECTIONS, perSecond, apiUsers: API_USERS });
  const changes: Changes = { made: 0, errors: {} };
  const state = { over: false };
  const changing = keepChanging(server, changes, state);
  const samples = await sampled(server, load.seconds, minutes * 60_000);
  state.over = true;
  await changing;
  await load.stop();
  const answered = load.seconds.reduce((sum, second) => sum + second.answered, 0);
  const errors = total([...load.seconds.map((second) => second.errors), changes.errors]);
  const judged = judge(samples);
  const flat = judged.every(({ met }) => met) && Object.keys(errors).length === 0;
  const result = {
    node: process.versions.node,
    machine: `${availableParallelism()} cores, ${cpus()[0]?.model}`,
    loadAverage: loadavg(),
    store,
    minutes,
    saturatedPerSecond: saturated,
    askedPerSecond: perSecond,
    answered,
    changes: changes.made,
    errors,
    judged,
    flat,
    samples,
  };
  writeFileSync(new URL('results/soak.json', import.meta.url), `${JSON.stringify(result)}\n`);
  const text = report(result);
  console.log(text);
  writeFileSync(new URL('results/soak.md', import.meta.url), text);
  return flat;
}

interface Result {
  node: string;
  machine: string;
  loadAverage: number[];
  store: string;
  minutes: number;
  saturatedPerSecond: number;
  askedPerSecond: number;
  answered: number;
  changes: number;
  errors: Record<string, number>;
  judged: Judged[];
  flat: boolean;
  samples: Sample[];
}

function report(result: Result): string {
  const { samples, minutes } = result;
  const quarter = Math.ceil(samples.length / 8);
  const shown = samples.filter((_, i) => i % quarter === quarter - 1 || i === samples.length - 1);
  const rows = shown.map((s) => [
    String(Math.round(s.second / 60)),
    s.rssMiB.toFixed(0),
    s.heapMiB.toFixed(0),
    s.externalMiB.toFixed(1),
    String(s.files),
    s.perSecond.toFixed(0),
    s.p50Ms.toFixed(1),
    s.p99Ms.toFixed(1),
  ]);
  const errors = Object.entries(result.errors).map(([what, count]) => `${count} × ${what}`);
  return `# A soak of ${minutes} minutes

\`npm run soak\`; Node ${result.node}, ${result.machine}, ${result.store}; load average at the end ${result.loadAverage.map((n) => n.toFixed(1)).join(', ')}.
Saturated at ${result.saturatedPerSecond.toLocaleString('en')} requests a second, server and load on the same cores; then ${result.askedPerSecond.toLocaleString('en')} asked for a second, over ${CONNECTIONS} connections
that come and go, 6 % of them wrong. ${result.answered.toLocaleString('en')} answered, ${result.changes.toLocaleString('en')} API users made, disabled and removed meanwhile.
Errors: ${errors.length === 0 ? 'none' : errors.join(', ')}.

${table([['', 'second quarter', 'last quarter', 'at most', ''], ...result.judged.map((j) => [j.what, j.second.toFixed(0), j.last.toFixed(0), j.most, j.met ? 'met' : 'MISSED'])])}

${table([['minute', 'RSS MiB', 'heap MiB', 'external MiB', 'open files', 'answers/s', 'p50 ms', 'p99 ms'], ...rows])}

**${result.flat ? 'Flat' : 'NOT flat'}.** Every sample is in soak.json.
`;
}

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '20' }, postgres: { type: 'boolean', default: false } },
});
if (process.platform !== 'linux')
  throw new Error('The soak reads memory and open files from /proc: run it on Linux.');
const dataDir = mkdtempSync(join(tmpdir(), 'mintmark-soak-'));
let flat: boolean;
try {
  const redis = process.env['REDIS_URL'];
  const settings = { ...wide, MINTMARK_DATA_DIR: dataDir, ...(redis !== undefined && { REDIS_URL: redis }) };
  const shared = redis === undefined ? '' : ', limits in Redis';
  if (values.postgres) {
    await using postgres = await startPostgres({ durable: true, settings: { autovacuum: 'on' } });
    const url = postgres.url(await postgres.newDatabase());
    flat = await soak(
      Number(values.minutes),
      `PostgreSQL${shared}`,
      { ...settings, DATABASE_URL: url },
      dataDir,
    );
  } else {
    flat = await soak(Number(values.minutes), `SQLite${shared}`, settings, dataDir);
  }
} finally {
  rmSync(dataDir, { recursive: true, force: true });
}
process.exitCode = flat ? 0 : 1;
