// A slice: wrk loads one server for a second, while the CPU time of each of the server's threads is counted.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { CONNECTIONS } from '../peer.ts';
import { bodyAt } from './checks.ts';
import type { RunningServer } from './servers.ts';

/** The core of the load: a second one, or the server's. */
export const PLACES = ['own', 'shared'] as const;
export type Place = (typeof PLACES)[number];

/** Groups of a server's threads. */
export const THREADS = ['main', 'V8', 'libuv', 'other'] as const;
export type Thread = (typeof THREADS)[number];

export interface Slice {
  /** CPU microseconds for each token. */
  micros: number;
  microsByThread: Record<Thread, number>;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

interface WrkResult {
  requests: number;
  seconds: number;
  failures: number;
  p50Ms: number;
  p99Ms: number;
}

const SECONDS = 1;
const SCRIPT = new URL('token-requests.lua', import.meta.url).pathname;
/** About as many as the fastest server answers in a slice. */
const RANDOM_BODIES = 10_000;

/** Writes the bodies of the slices of a round: a random API user each. */
export function writeBodies(file: string, apiUsers: number): void {
  const count = apiUsers === 1 ? 1 : RANDOM_BODIES;
  const bodies = Array.from({ length: count }, () => bodyAt(Math.floor(Math.random() * apiUsers)));
  writeFileSync(file, `${bodies.join('\n')}\n`);
}

/** Throws if a single request failed. */
export async function measure(server: RunningServer, place: Place, bodies: string): Promise<Slice> {
  const core = place === 'shared' ? 0 : Math.min(1, availableParallelism() - 1);
  const wrk = [
    'wrk',
    '-t1',
    `-c${CONNECTIONS}`,
    `-d${SECONDS}s`,
    '-s',
    SCRIPT,
    server.tokenUrl,
    '--',
    bodies,
  ];
  const before = threadNanos(server);
  const { stdout } = await promisify(execFile)('taskset', ['-c', String(core), ...wrk]).catch(
    (error: Error) => {
      throw new Error(`wrk failed; it comes with \`apt-get install wrk\`. ${error.message}`);
    },
  );
  const after = threadNanos(server);
  const line = stdout.split('\n').find((text) => text.startsWith('{')) ?? '{}';
  const { requests, seconds, failures, p50Ms, p99Ms } = JSON.parse(line) as WrkResult;
  if (failures > 0 || !(requests > 0)) throw new Error(`${server.name}: ${failures} requests failed.`);
  const microsByThread: Slice['microsByThread'] = { main: 0, V8: 0, libuv: 0, other: 0 };
  for (const [id, { group, nanos }] of after) {
    microsByThread[group] += (nanos - (before.get(id)?.nanos ?? 0)) / 1000 / requests;
  }
  const micros = THREADS.reduce((sum, thread) => sum + microsByThread[thread], 0);
  return { micros, microsByThread, perSecond: requests / seconds, p50Ms, p99Ms };
}

/** CPU time of each thread by the scheduler's count, which is finer than the ticks of `stat`. */
function threadNanos({ process: { pid } }: RunningServer): Map<string, { group: Thread; nanos: number }> {
  return new Map(
    readdirSync(`/proc/${pid}/task`).map((id) => {
      const folder = `/proc/${pid}/task/${id}`;
      const nanos = Number(readFileSync(`${folder}/schedstat`, 'utf8').split(' ')[0]);
      return [id, { group: groupOf(Number(id) === pid, readFileSync(`${folder}/comm`, 'utf8')), nanos }];
    }),
  );
}

function groupOf(isMain: boolean, name: string): Thread {
  if (isMain) return 'main';
  if (name.includes('V8Worker')) return 'V8';
  return name.includes('libuv') ? 'libuv' : 'other';
}
