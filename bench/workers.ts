// The cost of a token with workers: CPU time of all processes, against a single process in the same run.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lines, startMintmark } from './overload.ts';
import type { StepResult } from './overload-load.ts';
import { table } from './table.ts';

const WORKERS = [0, 2] as const;
const CONNECTIONS = [8, 64] as const;
const ROUNDS = 3;
const SECONDS = 2;
const TICKS_PER_SECOND = 100; // USER_HZ, which every Linux reports to user space

interface Peer {
  workers: number;
  server: ChildProcess;
  load: ChildProcess;
  answers: AsyncIterator<string>;
}

interface Sample {
  cpuMicros: number;
  perSecond: number;
}

/** Prints a table; there is no target. */
export async function run(): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-bench-'));
  const peers: Peer[] = [];
  try {
    for (const workers of WORKERS) peers.push(await start(join(folder, String(workers)), workers));
    const samples = new Map<string, Sample[]>();
    for (let round = 0; round <= ROUNDS; round++) {
      for (const connections of CONNECTIONS) {
        for (const peer of peers) {
          const sample = await measure(peer, connections);
          const name = `${peer.workers} ${connections}`;
          if (round > 0) samples.set(name, [...(samples.get(name) ?? []), sample]); // the first warms up
        }
      }
    }
    print(samples);
    return true;
  } finally {
    for (const { server, load } of peers) {
      load.kill();
      server.kill('SIGINT');
      await once(server, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

async function start(dataDir: string, workers: number): Promise<Peer> {
  const env = { MINTMARK_WORKERS: String(workers) };
  const { child: server, options } = await startMintmark(dataDir, env, []);
  const given = JSON.stringify({ ...options, connections: Math.max(...CONNECTIONS) });
  const load = spawn(process.execPath, ['bench/overload-load.ts', given], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return { workers, server, load, answers: lines(load) };
}

async function measure({ server, load, answers }: Peer, connections: number): Promise<Sample> {
  const before = cpuSeconds(server);
  load.stdin?.write(
    `${JSON.stringify({ perSecond: 0, closedConnections: connections, seconds: SECONDS })}\n`,
  );
  const { all, perSecond } = JSON.parse((await answers.next()).value as string) as StepResult;
  return { cpuMicros: ((cpuSeconds(server) - before) * 1e6) / all, perSecond };
}

function print(samples: ReadonlyMap<string, readonly Sample[]>): void {
  const head = [
    'processes',
    'connections',
    'CPU µs/token',
    'of one process',
    'tokens/s, load on the same cores',
  ];
  const rows = Array.from(samples, ([name, of]) => {
    const [workers = '', connections = ''] = name.split(' ');
    const alone = samples.get(`0 ${connections}`) ?? [];
    const ratio = median(of.map(({ cpuMicros }, i) => cpuMicros / (alone[i]?.cpuMicros ?? Number.NaN)));
    return [
      workers === '0' ? '1, alone' : `${workers} workers and the primary`,
      connections,
      median(of.map(({ cpuMicros }) => cpuMicros)).toFixed(1),
      ratio.toFixed(2),
      median(of.map(({ perSecond }) => perSecond)).toFixed(0),
    ];
  });
  console.log(`\n${table([head, ...rows])}`);
}

/** CPU seconds of a process and its children. */
function cpuSeconds({ pid = 0 }: ChildProcess): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return [pid, ...children.map(Number)].map(ownSeconds).reduce((sum, seconds) => sum + seconds, 0);
}

function ownSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
