// What callers see when more requests come than one process can answer: tokens a second and the time of those that are
// accepted, at up to three times saturation, with the bound on work in progress and without it.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { OverloadOptions, Step, StepResult } from './overload-load.ts';
import { cpuSeconds, freePort, pinned, ready } from './peer.ts';
import { table } from './table.ts';

const CONNECTIONS = 3000;
const CLOSED_CONNECTIONS = 64;
const SECONDS = 3;
/** The first warm up; the best of them is the saturation. */
const SATURATION_ROUNDS = 4;
const LOADS = [0.5, 0.9, 1, 1.5, 2, 3] as const;
/** Accepted requests at twice saturation may take so long: what a person does not notice. */
const ACCEPTED_P99_MS_MAX = 150;
const TARGET_LOAD = 2;
const UNBOUNDED = 1_000_000;

interface Measured extends StepResult {
  /** In times of saturation. */
  load: number;
  /** CPU time of the server, of its core; with the second before, and the wait after, that do not count for the rest. */
  busy: number;
}

/** Prints a table for the default bound and one for none; false where accepted requests take longer than the target. */
export async function run(): Promise<boolean> {
  const bounded = await measure('');
  print('the default', bounded);
  print('none', await measure(String(UNBOUNDED)));
  const refusals = await refusalsPerSecond();
  const times = refusals / bounded.saturation;
  console.log(
    `\na bare node:http server that only refuses: ${refusals.toFixed(0)} a second over ${CONNECTIONS} connections, ${times.toFixed(2)} times saturation`,
  );
  const atTarget = bounded.results.find(({ load }) => load === TARGET_LOAD)?.acceptedP99Ms ?? null;
  const met = atTarget !== null && atTarget <= ACCEPTED_P99_MS_MAX;
  console.log(
    `\naccepted requests at ${TARGET_LOAD}×: p99 ${shown(atTarget)} ms, at most ${ACCEPTED_P99_MS_MAX}: ${met ? 'met' : 'MISSED'}`,
  );
  return met;
}

async function measure(bound: string): Promise<{ saturation: number; results: Measured[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-bench-'));
  const { child, options } = await startMintmark(folder, { MINTMARK_IN_FLIGHT_MAX: bound }, [
    'taskset',
    '-c',
    '0',
  ]);
  const load = startLoad(options);
  try {
    const saturation = await load.most(CLOSED_CONNECTIONS);
    const results: Measured[] = [];
    for (const times of LOADS) {
      const [before, startedAt] = [cpuSeconds(child), performance.now()];
      const result = await load.step({ perSecond: saturation * times, seconds: SECONDS });
      const busy = ((cpuSeconds(child) - before) * 1000) / (performance.now() - startedAt);
      results.push({ ...result, load: times, busy });
    }
    return { saturation, results };
  } finally {
    load.end();
    child.kill('SIGINT');
    await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** As fast as a bare node:http server refuses everything. Beyond that no server over it keeps its time. */
async function refusalsPerSecond(): Promise<number> {
  const port = await freePort();
  const server = pinned(['bench/refusing-server.ts', String(port)]);
  await ready(server, 'ready');
  const options: OverloadOptions = { port, connections: CONNECTIONS, clientId: '-', clientSecret: '-' };
  const load = startLoad(options);
  try {
    return await load.most(CONNECTIONS);
  } finally {
    load.end();
    server.kill('SIGKILL');
  }
}

interface Load {
  step(asked: Step): Promise<StepResult>;
  /** Answers in the best of some seconds, over connections that ask again as soon as they have their answer. */
  most(closedConnections: number): Promise<number>;
  end(): void;
}

function startLoad(options: OverloadOptions): Load {
  const child = pinned(['bench/overload-load.ts', JSON.stringify(options)], {}, 1);
  const answers = lines(child);
  async function step(asked: Step): Promise<StepResult> {
    child.stdin?.write(`${JSON.stringify(asked)}\n`);
    const { value } = (await answers.next()) as { value: string };
    return JSON.parse(value) as StepResult;
  }
  return {
    step,
    async most(closedConnections) {
      let most = 0;
      for (let round = 0; round < SATURATION_ROUNDS; round++) {
        const { perSecond } = await step({ perSecond: 0, closedConnections, seconds: 1 });
        most = Math.max(most, perSecond);
      }
      return most;
    },
    end: () => void child.kill(),
  };
}

function print(
  bound: string,
  { saturation, results }: { saturation: number; results: readonly Measured[] },
): void {
  const head = [
    'load',
    'tokens/s',
    'of saturation',
    'refused/s',
    'p50 ms',
    'p99 ms',
    'slowest ms',
    'refused: p99 ms',
    'its core',
  ];
  const rows = results.map(({ load, accepted, refused, busy, ...ms }) => {
    const tokens = accepted / SECONDS;
    return [
      `${load}×`,
      tokens.toFixed(0),
      `${((100 * tokens) / saturation).toFixed(0)} %`,
      (refused / SECONDS).toFixed(0),
      shown(ms.acceptedP50Ms),
      shown(ms.acceptedP99Ms),
      shown(ms.acceptedMaxMs),
      shown(ms.refusedP99Ms),
      `${(100 * busy).toFixed(0)} %`,
    ];
  });
  console.log(`\nbound: ${bound}; saturation: ${saturation.toFixed(0)} tokens a second\n`);
  console.log(table([head, ...rows]));
}

/** What nobody met has no time. */
function shown(ms: number | null): string {
  return ms === null ? '–' : ms.toFixed(1);
}

/** A server with an API user without limits; `before`: what is put before its command line. */
export async function startMintmark(
  dataDir: string,
  env: Record<string, string>,
  before: readonly string[],
): Promise<{ child: ChildProcess; options: OverloadOptions }> {
  const port = await freePort();
  const [command, ...rest] = [...before, process.execPath, 'packages/server/bin/mintmark.mjs', 'serve'];
  const child = spawn(command, rest, {
    env: {
      ...process.env,
      MINTMARK_PORT: String(port),
      MINTMARK_DATA_DIR: dataDir,
      MINTMARK_ADDRESS_LIMIT: '1000000000',
      MINTMARK_API_USER_LIMIT: '1000000',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  for await (const text of child.stdout) {
    printed += String(text);
    if (printed.includes('mintmark is ready')) break;
  }
  const clientId = /client_id +(\S+)/.exec(printed)?.[1] ?? '';
  const clientSecret = /client_secret +(\S+)/.exec(printed)?.[1] ?? '';
  return { child, options: { port, connections: CONNECTIONS, clientId, clientSecret } };
}

/** What a process prints, line by line. */
export function lines({ stdout }: ChildProcess): AsyncIterator<string> {
  if (stdout === null) throw new Error('Its output is not read.');
  return createInterface({ input: stdout })[Symbol.asyncIterator]();
}
