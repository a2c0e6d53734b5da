// From the start of a server to its first token, and what it holds at rest: on an existing SQLite store with one
// API user and with a million, beside a bare node:http server.
// MINTMARK_BEFORE=<checkout> measures another checkout in the same run, in turn.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, freePort, median, pinned, ready, rss, startMintmark, stop, type Peer } from './peer.ts';
import { clientIdAt, secretAt, seed } from './population.ts';
import { verdicts, type Target } from './ratios.ts';
import { table } from './table.ts';

const ROUNDS = 11;
const REST_MS = 60_000;
const API_USERS = 1_000_000;
const LOADED_MS_MAX = 120_000;
const MIB = 2 ** 20;

interface Start {
  firstTokenMs: number;
  /** CPU time of all threads until the first token. */
  cpuMs: number;
}

/** Prints tables; resolves to false if a target is missed. */
export async function run(): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-bench-'));
  const before = process.env['MINTMARK_BEFORE'];
  const checkouts = before === undefined ? [''] : ['', before];
  try {
    const caller = await newStore(join(folder, 'one'), 1);
    const many = { dataDir: join(folder, 'many'), clientId: clientIdAt(0), clientSecret: secretAt(0) };
    await newStore(many.dataDir, 0);
    console.error(`seeding ${API_USERS} API users …`);
    seed(join(many.dataDir, 'mintmark.db'), API_USERS);
    const starts = checkouts.map((): Start[] => []);
    for (let round = -1; round < ROUNDS; round++) {
      for (const [i, checkout] of checkouts.entries()) {
        const { peer, ...start } = await startOf(caller, checkout);
        if (round >= 0) starts[i]?.push(start); // the first one fills the compile cache
        await stop(peer.process);
      }
    }
    const targets: Target[] = [];
    const rows: string[][] = [];
    for (const [i, checkout] of checkouts.entries()) {
      const measured = await atRest(caller, many, checkout);
      const firstTokenMs = (starts[i] ?? []).map((one) => one.firstTokenMs);
      const cpuMs = (starts[i] ?? []).map((one) => one.cpuMs);
      rows.push([
        checkout === '' ? 'mintmark' : 'before',
        spread(firstTokenMs),
        spread(cpuMs),
        ...figures(measured),
      ]);
      if (i > 0) continue;
      targets.push(
        ['ms from start to the first token', median(firstTokenMs), 400],
        ['MiB resident, a minute at rest', measured.restBytes / MIB, 100],
        [`MB resident with ${API_USERS} API users`, measured.manyBytes / 1e6, 480],
        ['bytes for each of them', (measured.manyBytes - measured.restBytes) / API_USERS, 380],
        ['s from ready until all are in memory, one core', measured.loadedMs / 1000, 10],
      );
    }
    console.log(`\n${table([HEAD, ...rows])}`);
    console.log(`\nA bare node:http server: ${mebibytes(await bareBytes())} MiB.`);
    return verdicts(targets);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const HEAD = [
  'server',
  'first token after ms',
  'CPU ms until then',
  'MiB at rest',
  'MiB after the console',
  'first page of the console ms',
  'MiB with a million',
  'all in memory after s',
  'CPU s for that',
];

const mebibytes = (bytes: number): string => (bytes / MIB).toFixed(0);

function spread(values: readonly number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return `${median([...values]).toFixed(0)} (${low.toFixed(0)} to ${high.toFixed(0)})`;
}

interface Caller {
  dataDir: string;
  clientId: string;
  clientSecret: string;
}

/** A store that a server has made; with `apiUsers` 1, it has an API user. */
async function newStore(dataDir: string, apiUsers: 0 | 1): Promise<Caller> {
  const { process: server, options } = await startMintmark('', dataDir, apiUsers);
  await stop(server);
  return { dataDir, clientId: options.clientId, clientSecret: options.clientSecret };
}

async function startOf(caller: Caller, checkout: string): Promise<Start & { peer: Peer }> {
  const startedAt = performance.now();
  const peer = await startMintmark('', caller.dataDir, 0, {}, checkout);
  const response = await fetch(`http://localhost:${peer.options.port}/marketing/oauth2/token`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: caller.clientId, client_secret: caller.clientSecret }),
  });
  if (response.status !== 200) throw new Error(`There was no token: ${await response.text()}`);
  const firstTokenMs = performance.now() - startedAt;
  return { peer, firstTokenMs, cpuMs: cpuSeconds(peer.process) * 1000 };
}

interface AtRest {
  restBytes: number;
  consoleBytes: number;
  consoleMs: number;
  manyBytes: number;
  loadedMs: number;
  loadingCpuSeconds: number;
}

async function atRest(one: Caller, many: Caller, checkout: string): Promise<AtRest> {
  const { peer } = await startOf(one, checkout);
  await sleep(REST_MS);
  const restBytes = rss(peer.process);
  const startedAt = performance.now();
  await (await fetch(`http://localhost:${peer.options.port}/console`)).text();
  const consoleMs = performance.now() - startedAt;
  const consoleBytes = rss(peer.process);
  await stop(peer.process);
  const { peer: full } = await startOf(many, checkout);
  const cpuBefore = cpuSeconds(full.process);
  const readyAt = performance.now();
  await untilLoaded(full);
  const loadedMs = performance.now() - readyAt;
  const loadingCpuSeconds = cpuSeconds(full.process) - cpuBefore;
  await sleep(REST_MS);
  const manyBytes = rss(full.process);
  await stop(full.process);
  return { restBytes, consoleBytes, consoleMs, manyBytes, loadedMs, loadingCpuSeconds };
}

function figures(measured: AtRest): string[] {
  return [
    mebibytes(measured.restBytes),
    mebibytes(measured.consoleBytes),
    measured.consoleMs.toFixed(0),
    mebibytes(measured.manyBytes),
    (measured.loadedMs / 1000).toFixed(1),
    measured.loadingCpuSeconds.toFixed(1),
  ];
}

async function untilLoaded({ options }: Peer): Promise<void> {
  const until = performance.now() + LOADED_MS_MAX;
  for (;;) {
    const response = await fetch(`http://localhost:${options.port}/readyz`);
    if (((await response.json()) as { all_in_memory: boolean }).all_in_memory) return;
    if (performance.now() > until) throw new Error('The API users were not all in memory in time.');
    await sleep(50);
  }
}

/** The hand-written server of the token benchmark, at rest after one request. */
async function bareBytes(): Promise<number> {
  const port = await freePort();
  const child = pinned(['bench/limit-server.ts', String(port), '1']);
  await ready(child, 'ready');
  await (await fetch(`http://localhost:${port}/`, { method: 'POST', body: 'a=b' })).text();
  await sleep(REST_MS / 6);
  const bytes = rss(child);
  child.kill('SIGKILL');
  await once(child, 'exit');
  return bytes;
}
