// What callers see above one process's capacity: tokens per second and the latency of accepted requests at up
// to three times saturation, with and without the bound on concurrent work.
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
/** The first rounds warm up; the best is the saturation. */
const SATURATION_ROUNDS = 4;
const LOADS = [0.5, 0.9, 1, 1.5, 2, 3] as const;
/** Target for accepted requests at twice saturation: below human perception. */
const ACCEPTED_P99_MS_MAX = 150;
const TARGET_LOAD = 2;
const UNBOUNDED = 1_000_000;

interface Measured extends StepResult {
  /** As a multiple of saturation. */
  load: number;
  /**
   * Share of the server's core. Includes the second before and the wait after, which other figures exclude.
   */
  busy: number;
}

/** Prints a table for the default bound and for none; false if accepted requests miss the target. */
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

/** The rate at which a bare node:http server refuses requests: the upper bound for servers on node:http. */
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
  /** Responses in the best second, over connections that send the next request when a response arrives. */
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

/** An empty cell without a measurement. */
function shown(ms: number | null): string {
  return ms === null ? '–' : ms.toFixed(1);
}

/** Starts a server with an API user without limits; `before` precedes its command line. */
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

/** A process's output, line by line. */
export function lines({ stdout }: ChildProcess): AsyncIterator<string> {
  if (stdout === null) throw new Error('Its output is not read.');
  return createInterface({ input: stdout })[Symbol.asyncIterator]();
}
