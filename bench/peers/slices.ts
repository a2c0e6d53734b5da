// A slice: wrk loads one server for some seconds, while the CPU time of each of the server's threads is counted.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { CONNECTIONS, cpuNanos, familyOf } from '../peer.ts';
import { bodyAt } from './checks.ts';
import type { RunningServer } from './servers.ts';

/** The core of the load: a second one, or the server's. */
export const PLACES = ['own', 'shared'] as const;
export type Place = (typeof PLACES)[number];

/** Groups of a server's threads. */
export const THREADS = ['main', 'V8', 'SQLite', 'libuv', 'other'] as const;
export type Thread = (typeof THREADS)[number];

export interface Slice {
  /** CPU microseconds for each token. */
  micros: number;
  microsByThread: Record<Thread, number>;
  /** CPU microseconds of the database's own processes for each token. */
  databaseMicros: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

interface WrkResult {
  requests: number;
  seconds: number;
  /** Failed requests by kind. */
  failures: Record<string, number>;
  p50Ms: number;
  p99Ms: number;
}

const SCRIPT = new URL('token-requests.lua', import.meta.url).pathname;
/** About as many as the fastest server answers in a second. */
const RANDOM_BODIES = 20_000;

/** Writes the bodies of the slices of a round: a random API user each. */
export function writeBodies(file: string, apiUsers: number, seconds = 1): void {
  const count = apiUsers === 1 ? 1 : RANDOM_BODIES * seconds;
  const bodies = Array.from({ length: count }, () => bodyAt(Math.floor(Math.random() * apiUsers)));
  writeFileSync(file, `${bodies.join('\n')}\n`);
}

export interface SliceTimes {
  seconds: number;
  /** How long the server may work after the load, which counts as well. */
  settleMs: number;
}

/** A slice in which the whole machine stood still for this long is measured again: requests timed out. */
const STALLED_MS = 1000;
const TICK_MS = 50;

/** Throws if a single request failed. */
export async function measure(
  server: RunningServer,
  place: Place,
  bodies: string,
  times: SliceTimes = { seconds: 1, settleMs: 0 },
): Promise<Slice> {
  for (;;) {
    const stall = watchForStalls();
    const { slice, failures } = await loadOnce(server, place, bodies, times).finally(() => stall.stop());
    if (failures === '') return slice;
    if (stall.longestMs() < STALLED_MS) throw new Error(`${server.name}: requests failed: ${failures}.`);
    console.error(`the machine stood still for ${stall.longestMs().toFixed(0)} ms: once more …`);
  }
}

/** This process idles during a slice, so a late timer means that the machine did not run. */
function watchForStalls(): { longestMs(): number; stop(): void } {
  let [longest, before] = [0, performance.now()];
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - before - TICK_MS);
    before = now;
  }, TICK_MS);
  return { longestMs: () => longest, stop: () => clearInterval(timer) };
}

async function loadOnce(
  server: RunningServer,
  place: Place,
  bodies: string,
  { seconds: loadSeconds, settleMs }: SliceTimes,
): Promise<{ slice: Slice; failures: string }> {
  const core = place === 'shared' ? 0 : Math.min(1, availableParallelism() - 1);
  const wrk = [
    'wrk',
    '-t1',
    `-c${CONNECTIONS}`,
    `-d${loadSeconds}s`,
    '-s',
    SCRIPT,
    server.tokenUrl,
    '--',
    bodies,
  ];
  const [before, databaseBefore] = [threadNanos(server), databaseNanos(server)];
  const { stdout } = await promisify(execFile)('taskset', ['-c', String(core), ...wrk]).catch(
    (error: Error) => {
      throw new Error(`wrk failed; it comes with \`apt-get install wrk\`. ${error.message}`);
    },
  );
  await sleep(settleMs);
  const [after, databaseAfter] = [threadNanos(server), databaseNanos(server)];
  const line = stdout.split('\n').find((text) => text.startsWith('{')) ?? '{}';
  const { requests, seconds, failures, p50Ms, p99Ms } = JSON.parse(line) as WrkResult;
  if (!(requests > 0)) throw new Error(`${server.name}: no request succeeded.`);
  const microsByThread: Slice['microsByThread'] = { main: 0, V8: 0, SQLite: 0, libuv: 0, other: 0 };
  for (const [id, { group, nanos }] of after) {
    microsByThread[group] += (nanos - (before.get(id)?.nanos ?? 0)) / 1000 / requests;
  }
  const micros = THREADS.reduce((sum, thread) => sum + microsByThread[thread], 0);
  let databaseMicros = 0; // without processes that ended in between
  for (const [pid, nanos] of databaseAfter) {
    databaseMicros += (nanos - (databaseBefore.get(pid) ?? 0)) / 1000 / requests;
  }
  const failed = Object.entries(failures).filter(([, count]) => count > 0);
  return {
    slice: { micros, microsByThread, databaseMicros, perSecond: requests / seconds, p50Ms, p99Ms },
    failures: failed.map(([kind, count]) => `${count} ${kind}`).join(', '),
  };
}

/** CPU time of each process of a PostgreSQL server. */
function databaseNanos({ database }: RunningServer): Map<number, number> {
  if (database === undefined) return new Map();
  return new Map(familyOf(database).map((pid) => [pid, cpuNanos({ pid })]));
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
  if (name === 'WorkerThread\n') return 'SQLite';
  if (name.includes('V8Worker')) return 'V8';
  return name.includes('libuv') ? 'libuv' : 'other';
}
