// How long callers with secrets wait while others flood the server with bad assertions, against the same flood
// of bad secrets. The server has one core, which the flood saturates.
import { join } from 'node:path';
import { newKeys, type CallerKind } from './assertion-callers.ts';
import { seededServer } from './assertion-costs.ts';
import type { FloodOptions, FloodResult, FloodStep } from './assertion-flood-load.ts';
import { lines } from './overload.ts';
import { cpuNanos, pinned } from './peer.ts';
import { quantile, ratioRow, RATIO_HEAD, verdicts } from './ratios.ts';
import { table } from './table.ts';

const ROUNDS = 12;
const WARM_UP_ROUNDS = 2;
const FLOODS = ['none', 'bad secret', 'bad assertion'] as const;
/** Connections that send the next request when an answer arrives: enough to saturate the core. */
const FLOOD_CONNECTIONS = 64;
const CALLS_PER_SECOND = 200;
const STEP_SECONDS = 2;

/** Prints the latencies without a flood and with each one. */
export async function floods(folder: string): Promise<boolean> {
  const keys = newKeys();
  const server = await seededServer('', join(folder, 'flood'), keys);
  const options: FloodOptions = { port: server.options.port, connections: FLOOD_CONNECTIONS, keys };
  const load = pinned(['bench/assertion-flood-load.ts', JSON.stringify(options)], {}, 1);
  const answers = lines(load);
  const rounds: Record<string, FloodResult & { busy: number }>[] = [];
  try {
    for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
      const results: (typeof rounds)[number] = {};
      for (const flood of round % 2 === 0 ? FLOODS : FLOODS.toReversed()) {
        const kind: CallerKind | null = flood === 'none' ? null : flood;
        const step: FloodStep = { flood: kind, callsPerSecond: CALLS_PER_SECOND, seconds: STEP_SECONDS };
        load.stdin?.write(`${JSON.stringify(step)}\n`);
        await answers.next();
        const before = cpuNanos(server.process);
        load.stdin?.write('start\n');
        const result = JSON.parse(((await answers.next()) as { value: string }).value) as FloodResult;
        results[flood] = { ...result, busy: (cpuNanos(server.process) - before) / 1e9 / result.seconds };
      }
      if (round >= 0) rounds.push(results);
    }
  } finally {
    load.kill();
    server.process.kill('SIGKILL');
  }
  return print(rounds);
}

function print(rounds: readonly Record<string, FloodResult & { busy: number }>[]): boolean {
  const middle = (flood: string, pick: (result: FloodResult & { busy: number }) => number): number =>
    quantile(
      rounds.map((results) => pick(results[flood]!)),
      0.5,
    );
  const head = ['flood', 'bad requests/s', 'its core', 'tokens/s', 'not tokens', 'p50 ms', 'p99 ms'];
  const rows = FLOODS.map((flood) => [
    flood,
    middle(flood, ({ floodAnswers, seconds }) => floodAnswers / seconds).toFixed(0),
    `${(100 * middle(flood, ({ busy }) => busy)).toFixed(0)} %`,
    middle(flood, ({ tokens, seconds }) => tokens / seconds).toFixed(0),
    middle(flood, ({ refused }) => refused).toFixed(0),
    middle(flood, ({ p50Ms }) => p50Ms).toFixed(1),
    middle(flood, ({ p99Ms }) => p99Ms).toFixed(1),
  ]);
  console.log(table([head, ...rows]));
  const ratios = rounds.map((round) => round['bad assertion']!.p99Ms / round['bad secret']!.p99Ms);
  console.log(
    `\n${table([RATIO_HEAD, ratioRow('p99 in a flood of bad assertions, against bad secrets', ratios)])}`,
  );
  return verdicts([['p99 in a flood of bad assertions, against bad secrets', quantile(ratios, 0.5), 2]]);
}
