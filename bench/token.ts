// CPU per token of the real server against the limit, and at a million API users: ratios of one run.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoadOptions, LoadResult } from './load.ts';
import { seed } from './population.ts';

const CONNECTIONS = 32;
const WARM_UP = 8000;
const REQUESTS = 20_000;
const ROUNDS = 5;
const API_USERS = 1_000_000;
const LOADED_MS_MAX = 120_000;
const TICKS_PER_SECOND = 100; // USER_HZ, which every Linux reports to user space

interface Peer {
  name: string;
  process: ChildProcess;
  options: Omit<LoadOptions, 'requests'>;
  readyMs: number;
}

interface Sample extends LoadResult {
  cpuMicros: number;
}

/** Prints a table; resolves to false where a target of the issue is missed. */
export async function run(): Promise<boolean> {
  if (process.platform !== 'linux')
    throw new Error('This benchmark reads CPU time and memory from /proc: run it on Linux.');
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-bench-'));
  const peers: Peer[] = [];
  try {
    peers.push(await startLimit());
    peers.push(await startMintmark('mintmark, 1 API user', join(folder, 'one'), 1));
    console.error(`seeding ${API_USERS} API users …`);
    const many = join(folder, 'many');
    const empty = await startMintmark('', many, 0);
    await stop(empty.process);
    seed(join(many, 'mintmark.db'), API_USERS);
    peers.push(await startMintmark(`mintmark, ${API_USERS} API users`, many, API_USERS));
    await allInMemory(peers[2] as Peer);
    return report(peers, await measure(peers));
  } finally {
    for (const peer of peers) peer.process.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(peers: Peer[]): Promise<Sample[][]> {
  const samples: Sample[][] = peers.map(() => []);
  for (const peer of peers) await load(peer, WARM_UP);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, peer] of peers.entries()) {
      console.error(`round ${round + 1} of ${ROUNDS}: ${peer.name}`);
      samples[i]?.push(await load(peer, REQUESTS));
    }
  }
  return samples;
}

/** One load; the server's CPU time from /proc covers all its threads. */
async function load(peer: Peer, requests: number): Promise<Sample> {
  const before = cpuSeconds(peer.process);
  const options: LoadOptions = { ...peer.options, requests };
  const child = pinned(['bench/load.ts', JSON.stringify(options)]);
  let printed = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const afterLoad = once(child, 'exit');
  const [code] = (await afterLoad) as [number];
  if (code !== 0) throw new Error(`The load on ${peer.name} failed.`);
  const cpuMicros = ((cpuSeconds(peer.process) - before) * 1e6) / requests;
  const result = JSON.parse(printed) as LoadResult;
  if (result.distinct !== requests || result.verified !== requests) {
    throw new Error(
      `${peer.name}: of ${requests} tokens ${result.distinct} differ and ${result.verified} verify.`,
    );
  }
  return { ...result, cpuMicros };
}

function report(peers: Peer[], samples: Sample[][]): boolean {
  const cpu = samples.map((of) => median(of.map((sample) => sample.cpuMicros)));
  const ratios = samples.map((of) =>
    median(of.map((s, round) => s.cpuMicros / (samples[0]?.[round]?.cpuMicros ?? 1))),
  );
  console.log(
    '\n| server | CPU µs/token | ratio to the limit | tokens/s | p50 ms | p99 ms | RSS MiB | ready ms |',
  );
  console.log('|---|---|---|---|---|---|---|---|');
  for (const [i, peer] of peers.entries()) {
    const of = samples[i] ?? [];
    const mid = (pick: (sample: Sample) => number, digits: number) => median(of.map(pick)).toFixed(digits);
    console.log(
      `| ${peer.name} | ${cpu[i]?.toFixed(1)} | ${ratios[i]?.toFixed(3)} | ${mid((s) => s.perSecond, 0)} | ` +
        `${mid((s) => s.p50Ms, 2)} | ${mid((s) => s.p99Ms, 2)} | ${(rss(peer.process) / 2 ** 20).toFixed(0)} | ${peer.readyMs.toFixed(0)} |`,
    );
  }
  const many = median(
    (samples[2] ?? []).map((s, round) => s.cpuMicros / (samples[1]?.[round]?.cpuMicros ?? 1)),
  );
  const bytes = (rss(peers[2]!.process) - rss(peers[1]!.process)) / API_USERS;
  const targets: [string, number, number][] = [
    ['CPU per token, against the limit', ratios[1] ?? 0, 1.25],
    [`CPU per token with ${API_USERS} API users, against one`, many, 1.1],
    ['bytes of memory per API user', bytes, 400],
    [`ms from start to ready with ${API_USERS} API users`, peers[2]?.readyMs ?? 0, 2000],
  ];
  console.log('\n| target | measured | at most | |\n|---|---|---|---|');
  for (const [name, measured, most] of targets) {
    console.log(
      `| ${name} | ${measured.toFixed(measured < 10 ? 3 : 0)} | ${most} | ${measured <= most ? 'met' : 'MISSED'} |`,
    );
  }
  console.log(
    `\nEvery one of the ${peers.length * ROUNDS * REQUESTS} tokens measured differs from the others and verifies.`,
  );
  return targets.every(([, measured, most]) => measured <= most);
}

async function startLimit(): Promise<Peer> {
  const port = await freePort();
  const [clientId, clientSecret] = [
    'api_limit',
    'mms_0000000000_0000000000000000000000000000000000000000000000000',
  ];
  const child = pinned(['bench/limit-server.ts', String(port), clientId, clientSecret]);
  const readyMs = await ready(child, 'ready');
  const options = {
    port,
    connections: CONNECTIONS,
    apiUsers: 1,
    clientId,
    clientSecret,
    jwksUrl: `http://localhost:${port}/`,
  };
  return { name: 'limit (bare node:http)', process: child, options, readyMs };
}

async function startMintmark(name: string, dataDir: string, apiUsers: number): Promise<Peer> {
  const port = await freePort();
  const child = pinned(['packages/server/bin/mintmark.mjs', 'serve'], {
    MINTMARK_PORT: String(port),
    MINTMARK_DATA_DIR: dataDir,
    MINTMARK_ADDRESS_LIMIT: '1000000000',
    MINTMARK_API_USER_LIMIT: '1000000',
    MINTMARK_FIRST_API_USER: String(apiUsers === 1),
  });
  let printed = '';
  child.stdout?.on('data', (text) => (printed += String(text)));
  const readyMs = await ready(child, 'mintmark is ready');
  const clientId = /client_id +(\S+)/.exec(printed)?.[1] ?? '';
  const clientSecret = /client_secret +(\S+)/.exec(printed)?.[1] ?? '';
  const jwksUrl = `http://localhost:${port}/marketing/.well-known/jwks.json`;
  return {
    name,
    process: child,
    options: { port, connections: CONNECTIONS, apiUsers, clientId, clientSecret, jwksUrl },
    readyMs,
  };
}

async function allInMemory({ options }: Peer): Promise<void> {
  const startedAt = performance.now();
  for (;;) {
    const health = (await (await fetch(`http://localhost:${options.port}/readyz`)).json()) as {
      all_in_memory: boolean;
    };
    if (health.all_in_memory) break;
    if (performance.now() - startedAt > LOADED_MS_MAX)
      throw new Error('The API users were not all in memory in time.');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  console.error(`all in memory ${((performance.now() - startedAt) / 1000).toFixed(1)} s after ready`);
}

/** Server and load share one core: waking a second one would cost the server time that is not its own. */
function pinned(args: string[], env: Record<string, string> = {}): ChildProcess {
  return spawn('taskset', ['-c', '0', process.execPath, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function ready(child: ChildProcess, line: string): Promise<number> {
  const startedAt = performance.now();
  await new Promise<void>((resolve, reject) => {
    let printed = '';
    child.stdout?.on('data', (text) => {
      printed += String(text);
      if (printed.includes(line)) resolve();
    });
    child.on('exit', (code) => reject(new Error(`It ended with ${code} before it was ready.`)));
  });
  return performance.now() - startedAt;
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGINT');
  await once(child, 'exit');
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}

function cpuSeconds(child: ChildProcess): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function rss(child: ChildProcess): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024;
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
