// Servers under load from another process, on one core of their own: what the benchmarks of tokens have in common.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import type { LoadOptions, LoadResult } from './load.ts';

export const CONNECTIONS = 32;
const LOADED_MS_MAX = 1_200_000;
const TICKS_PER_SECOND = 100; // USER_HZ, which every Linux reports to user space

export interface Peer {
  name: string;
  process: ChildProcess;
  options: Omit<LoadOptions, 'requests'>;
  readyMs: number;
}

export interface Sample extends LoadResult {
  cpuMicros: number;
}

/** One load; the server's CPU time from /proc covers all its threads. */
export async function load(peer: Peer, requests: number): Promise<Sample> {
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

export async function startMintmark(
  name: string,
  dataDir: string,
  apiUsers: number,
  settings: Record<string, string> = {},
): Promise<Peer> {
  const port = await freePort();
  const child = pinned(['packages/server/bin/mintmark.mjs', 'serve'], {
    MINTMARK_PORT: String(port),
    MINTMARK_DATA_DIR: dataDir,
    MINTMARK_ADDRESS_LIMIT: '1000000000',
    MINTMARK_API_USER_LIMIT: '1000000',
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

/** Server and load share one core: waking a second one would cost the server time that is not its own. */
export function pinned(args: string[], env: Record<string, string> = {}): ChildProcess {
  return spawn('taskset', ['-c', '0', process.execPath, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
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

export function rss(child: ChildProcess): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024;
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
