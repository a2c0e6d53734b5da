// CPU of a token by how the caller proves who it is, against its parts; and of a token for a secret against
// another checkout of Mintmark, which MINTMARK_BENCH_BEFORE names.
import { join } from 'node:path';
import {
  addAssertionCredentials,
  CALLERS,
  newKeys,
  type BenchKeys,
  type CallerKind,
} from './assertion-callers.ts';
import type { AssertionLoadOptions, Slice, SliceResult } from './assertion-load.ts';
import { lines } from './overload.ts';
import { cpuNanos, pinned, startMintmark, stop, type Peer } from './peer.ts';
import { seed } from './population.ts';
import { quantile, ratioRow, RATIO_HEAD, verdicts } from './ratios.ts';
import { table } from './table.ts';

const CONNECTIONS = 32;
const REQUESTS = 300;
const WARM_UP_ROUNDS = 5;
const ROUNDS = 25;
/** Servers are started this many times for a comparison: two processes of the same code differ, too. */
const STARTS = 3;
const KINDS = ['secret', 'own', 'foreign', 'inline'] as const;

/** CPU microseconds of each in one round. */
type Costs = Record<(typeof KINDS)[number] | 'ES256' | 'RS256', number>;

/** Tokens by the proof of the caller, against their parts. */
export async function costsByProof(dataDir: string): Promise<boolean> {
  const keys = newKeys();
  const server = await seededServer('', dataDir, keys);
  const load = startLoad(server, keys);
  const parts = startVerifications();
  try {
    const rounds: Costs[] = [];
    for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
      const costs: Costs = { secret: 0, own: 0, foreign: 0, inline: 0, ES256: 0, RS256: 0 };
      for (const kind of round % 2 === 0 ? KINDS : KINDS.toReversed()) costs[kind] = await load.micros(kind);
      for (const algorithm of ['ES256', 'RS256'] as const) costs[algorithm] = await parts.micros(algorithm);
      if (round >= 0) rounds.push(costs);
    }
    const names = [...KINDS, 'ES256', 'RS256'] as const;
    const medians = names.map((name) => {
      const micros = rounds.map((costs) => costs[name]);
      return [name, ...[0.25, 0.5, 0.75].map((part) => quantile(micros, part).toFixed(1))];
    });
    console.log(table([['CPU µs', '1st quartile', 'median', '3rd quartile'], ...medians]));
    const own = rounds.map((cost) => cost.own / (cost.secret + cost.ES256));
    const foreign = rounds.map((cost) => cost.foreign / (cost.secret + cost.RS256));
    const inline = rounds.map((cost) => cost.inline / (cost.secret + cost.RS256));
    const rows = [
      ratioRow('token for an own key, against token for a secret + ES256 verification', own),
      ratioRow('token for a foreign token, against token for a secret + RS256 verification', foreign),
      ratioRow('the same, with the keys in the trust rule', inline),
    ];
    console.log(`\n${table([RATIO_HEAD, ...rows])}`);
    return verdicts([
      ['token for an own key, against its parts', quantile(own, 0.5), 1.25],
      ['token for a foreign RS256 token, against its parts', quantile(foreign, 0.5), 1.25],
    ]);
  } finally {
    load.end();
    parts.end();
    server.process.kill('SIGKILL');
  }
}

/** Tokens for secrets, against those of the checkout that MINTMARK_BENCH_BEFORE names. */
export async function costsBefore(folder: string): Promise<boolean> {
  const before = process.env['MINTMARK_BENCH_BEFORE'];
  if (before === undefined) return true;
  const ratios: number[] = [];
  const keys = newKeys();
  for (let start = 0; start < STARTS; start++) {
    const [now, then] = [
      await seededServer('', join(folder, `now${start}`), keys),
      await seededServer(before, join(folder, `then${start}`), null),
    ];
    const loads = [startLoad(now, keys), startLoad(then, keys)] as const;
    for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
      const order = round % 2 === 0 ? [0, 1] : [1, 0];
      const costs = [0, 0];
      for (const i of order) costs[i] = await loads[i === 0 ? 0 : 1].micros('secret');
      if (round >= 0) ratios.push((costs[0] ?? 0) / (costs[1] ?? 0));
    }
    for (const load of loads) load.end();
    for (const server of [now, then]) server.process.kill('SIGKILL');
  }
  console.log(`\n${table([RATIO_HEAD, ratioRow('token for a secret, against before', ratios)])}`);
  return verdicts([['token for a secret, against before', quantile(ratios, 0.5), 1.02]]);
}

/** `checkout`: another one than this; `keys`: null without assertions. */
export async function seededServer(
  checkout: string,
  dataDir: string,
  keys: BenchKeys | null,
  settings: Record<string, string> = {},
): Promise<Peer> {
  const empty = await startMintmark('', dataDir, 0, {}, checkout);
  await stop(empty.process);
  seed(join(dataDir, 'mintmark.db'), CALLERS);
  if (keys !== null) addAssertionCredentials(join(dataDir, 'mintmark.db'), keys);
  return await startMintmark('', dataDir, 0, settings, checkout);
}

interface Load {
  /** CPU microseconds of the server for each request of a slice. */
  micros(kind: CallerKind): Promise<number>;
  end(): void;
}

function startLoad({ process: server, options: { port } }: Peer, keys: BenchKeys): Load {
  const options: AssertionLoadOptions = { port, connections: CONNECTIONS, keys };
  const child = pinned(['bench/assertion-load.ts', JSON.stringify(options)], {}, 1);
  const answers = lines(child);
  return {
    async micros(kind) {
      const slice: Slice = { kind, requests: REQUESTS };
      child.stdin?.write(`${JSON.stringify(slice)}\n`);
      await answers.next();
      const before = cpuNanos(server);
      child.stdin?.write('start\n');
      const { value } = (await answers.next()) as { value: string };
      const nanos = cpuNanos(server) - before;
      const { statuses } = JSON.parse(value) as SliceResult;
      if (statuses['200'] !== REQUESTS) throw new Error(`${kind}: ${JSON.stringify(statuses)}`);
      return nanos / 1000 / REQUESTS;
    },
    end: () => void child.kill(),
  };
}

function startVerifications(): { micros(algorithm: string): Promise<number>; end(): void } {
  const child = pinned(['bench/signature-verifications.ts']);
  const answers = lines(child);
  return {
    async micros(algorithm) {
      child.stdin?.write(`${algorithm}\n`);
      return Number((await answers.next()).value);
    },
    end: () => void child.kill(),
  };
}
