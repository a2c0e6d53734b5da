// Servers under load from another process, each on one core: the shared part of the token benchmarks.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { BurstResult, LoadOptions, LoadResult } from './load.ts';

export const CONNECTIONS = 32;
const WARM_UP_BURSTS = 20;
const REQUESTS_PER_BURST = 1000;
const LOADED_MS_MAX = 1_200_000;
const TICKS_PER_SECOND = 100; // USER_HZ, which every Linux reports to user space

export interface Peer {
  name: string;
  process: ChildProcess;
  options: Omit<LoadOptions, 'requests'>;
  readyMs: number;
}

/** The cost of a token over all bursts, background work included. */
export interface Cost {
  requests: number;
  cpuMicros: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

/**
 * Compares servers in short alternating bursts, each round in reverse order, so that other load affects all
 * of them. Each load process is warm as well.
 */
export async function compare(peers: readonly Peer[], rounds: number): Promise<Cost[]> {
  const runs = peers.map((peer) => startRun(peer, (WARM_UP_BURSTS + rounds) * REQUESTS_PER_BURST));
  for (let round = -WARM_UP_BURSTS; round < rounds; round++) {
    for (const run of round % 2 === 0 ? runs : runs.toReversed()) {
      const burst = await run.burst();
      if (round >= 0) run.bursts.push(burst);
    }
  }
  const costs: Cost[] = [];
  for (const run of runs) {
    await run.end();
    costs.push(costOf(run.bursts));
  }
  return costs;
}

interface Burst extends BurstResult {
  cpuNanos: number;
}

interface Run {
  bursts: Burst[];
  burst(): Promise<Burst>;
  /** Throws if two tokens are equal or one does not verify. */
  end(): Promise<void>;
}

function startRun(peer: Peer, requests: number): Run {
  const options: LoadOptions = { ...peer.options, requests };
  const child = pinned(['bench/load.ts', JSON.stringify(options)], {}, 1);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const answer = async <T>(): Promise<T> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`The load on ${peer.name} ended.`);
    return JSON.parse(value) as T;
  };
  return {
    bursts: [],
    async burst() {
      const before = cpuNanos(peer.process);
      child.stdin?.write(`${REQUESTS_PER_BURST}\n`);
      const result = await answer<BurstResult>();
      return { ...result, cpuNanos: cpuNanos(peer.process) - before };
    },
    async end() {
      child.stdin?.end();
      const { distinct, verified } = await answer<LoadResult>();
      if (distinct === requests && verified === requests) return;
      throw new Error(`${peer.name}: of ${requests} tokens ${distinct} differ and ${verified} verify.`);
    },
  };
}

function costOf(bursts: readonly Burst[]): Cost {
  const latencies = bursts.flatMap(({ latenciesMs }) => latenciesMs).toSorted((a, b) => a - b);
  const requests = latencies.length;
  const total = (pick: (burst: Burst) => number): number => bursts.reduce((sum, one) => sum + pick(one), 0);
  return {
    requests,
    cpuMicros: total(({ cpuNanos: nanos }) => nanos) / 1000 / requests,
    perSecond: requests / total(({ seconds }) => seconds),
    p50Ms: latencies[Math.floor(requests * 0.5)] ?? Number.NaN,
    p99Ms: latencies[Math.floor(requests * 0.99)] ?? Number.NaN,
  };
}

/** `checkout`: the folder of another checkout of Mintmark; empty: this one. */
export async function startMintmark(
  name: string,
  dataDir: string,
  apiUsers: number,
  settings: Record<string, string> = {},
  checkout: string = '',
): Promise<Peer> {
  const port = await freePort();
  const child = pinned([join(checkout, 'packages/server/bin/mintmark.mjs'), 'serve'], {
    ...mintmarkSettings(port, dataDir),
    MINTMARK_FIRST_API_USER: String(apiUsers === 1),
    ...settings,
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

export function mintmarkSettings(port: number, dataDir: string): Record<string, string> {
  return {
    MINTMARK_PORT: String(port),
    MINTMARK_DATA_DIR: dataDir,
    MINTMARK_ADDRESS_LIMIT: '1000000000',
    MINTMARK_API_USER_LIMIT: '1000000',
  };
}

export async function allInMemory({ options }: Peer): Promise<void> {
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

/**
 * Servers run on the first core and the load on the second, because callers have their own machines: on one
 * core the load would evict the server's code and data from the caches. A machine with one core has no
 * choice.
 */
export function pinned(args: string[], env: Record<string, string> = {}, core: 0 | 1 = 0): ChildProcess {
  return spawn(
    'taskset',
    ['-c', String(Math.min(core, availableParallelism() - 1)), process.execPath, ...args],
    {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
}

export async function ready(child: ChildProcess, line: string): Promise<number> {
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

export async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGINT');
  await once(child, 'exit');
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}

export function cpuSeconds(child: ChildProcess): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** CPU time of all threads by the scheduler's count: bursts are shorter than the ticks of `cpuSeconds`. */
export function cpuNanos({ pid }: Pick<ChildProcess, 'pid'>): number {
  return readdirSync(`/proc/${pid}/task`)
    .map((id) => Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ')[0]))
    .reduce((sum, nanos) => sum + nanos, 0);
}

/** A process and those that it started. */
export function familyOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return [pid, ...children.flatMap((child) => familyOf(Number(child)))];
}

export function rss(child: ChildProcess): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024;
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
