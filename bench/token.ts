// CPU of a token in pairs of slices that take turns: Mintmark against the limit with the same load, and one
// server with many callers against the same server with one. On SQLite and PostgreSQL, with the load on
// another core and on the server's own. It needs wrk. MINTMARK_BENCH_ROUNDS and MINTMARK_BENCH_API_USERS make
// a trial shorter, MINTMARK_BENCH_STORES names one store.
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '@mintmark/test-support/postgres';
import { rss, stop } from './peer.ts';
import { checkWork } from './peers/checks.ts';
import {
  LIMIT,
  MINTMARK,
  startLimit,
  startMintmarkOnPostgres,
  startSeededMintmark,
  type RunningServer,
} from './peers/servers.ts';
import {
  measure,
  PLACES,
  THREADS,
  writeBodies,
  type Place,
  type Slice,
  type SliceTimes,
} from './peers/slices.ts';
import { quantile, ratioRow, RATIO_HEAD, verdicts, type Target } from './ratios.ts';
import { table } from './table.ts';

const ROUNDS = Number(process.env['MINTMARK_BENCH_ROUNDS'] ?? 20);
const API_USERS = Number(process.env['MINTMARK_BENCH_API_USERS'] ?? 1_000_000);
const STORES = (process.env['MINTMARK_BENCH_STORES'] ?? 'SQLite PostgreSQL').split(' ');
const FEW_API_USERS = 10_000;

const FEW_TIMES: SliceTimes = { seconds: 2, settleMs: 0 };
/** Usage is written every ten seconds: a slice of many callers has the tokens of one write, then the write. */
const MANY_TIMES: SliceTimes = { seconds: 10, settleMs: 10_500 };
/** Of the rounds with few callers, because a slice takes ten times as long. */
const MANY_ROUNDS = Math.ceil(ROUNDS / 4);

const PLACE_NAMES: Readonly<Record<Place, string>> = {
  own: 'load on another core',
  shared: "load on the server's core",
};

/** A server, and how many of its API users call. */
interface Side {
  name: string;
  server: RunningServer;
  callers: number;
}

interface Cell {
  store: string;
  place: Place;
  side: Side;
  slices: Slice[];
  /** The first side, with which the others are compared. */
  base: Cell | null;
}

interface Ratios {
  name: string;
  values: number[];
}

/** Prints tables; resolves to false if a target is missed. */
export async function run(): Promise<boolean> {
  if (process.platform !== 'linux')
    throw new Error('This benchmark reads CPU time and memory from /proc: run it on Linux.');
  console.log(
    `Node ${process.versions.node}, ${availableParallelism()} cores (${cpus()[0]?.model}), ` +
      `load average ${loadavg()[0]?.toFixed(1)} before the run; pairs of ${FEW_TIMES.seconds} s, of ` +
      `${MANY_TIMES.seconds} s with many callers`,
  );
  const cells: Cell[] = [];
  const targets: Target[] = [];
  for (const store of STORES) {
    const few = await withServer(store, 1, async (server, folder) => {
      const limit = await startLimit(1);
      try {
        const sides = [
          { name: LIMIT, server: limit, callers: 1 },
          { name: `${MINTMARK}, 1 of 1`, server, callers: 1 },
        ];
        cells.push(...(await pairs(store, sides, folder)));
      } finally {
        await stop(limit.process);
      }
      return rss(server.process);
    });
    const many = await withServer(store, API_USERS, async (server, folder) => {
      const counts = [1, ...(FEW_API_USERS < API_USERS ? [FEW_API_USERS] : []), API_USERS];
      const sides = counts.map((callers) => ({
        name: `${MINTMARK}, ${callers} of ${API_USERS}`,
        server,
        callers,
      }));
      cells.push(...(await pairs(store, sides, folder)));
      targets.push([`ms from start to ready with ${API_USERS} API users, ${store}`, server.readyMs, 2000]);
      return rss(server.process);
    });
    targets.push([`bytes of memory per API user, ${store}`, (many - few) / API_USERS, 400]);
  }
  console.log(`\n${table([COST_HEAD, ...cells.map(costRow)])}`);
  const ratios = cells.flatMap(ratiosOf);
  console.log(`\n${table([RATIO_HEAD, ...ratios.map(({ name, values }) => ratioRow(name, values))])}`);
  return verdicts([
    ...ratios.map(({ name, values }): Target => [name, quantile(values, 0.5), 1.1]),
    ...targets,
  ]);
}

async function withServer<T>(
  store: string,
  apiUsers: number,
  use: (server: RunningServer, folder: string) => Promise<T>,
): Promise<T> {
  console.error(`${store}: starting with ${apiUsers} API users …`);
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-bench-'));
  await using postgres =
    store === 'PostgreSQL'
      ? await startPostgres({ settings: { shared_buffers: '1GB' }, durable: true })
      : null;
  let server: RunningServer | undefined;
  try {
    const dataDir = join(folder, 'data');
    server =
      postgres === null
        ? await startSeededMintmark(apiUsers, dataDir)
        : await startMintmarkOnPostgres(apiUsers, postgres, dataDir);
    await checkWork(server, apiUsers);
    const result = await use(server, folder);
    await checkWork(server, apiUsers);
    return result;
  } finally {
    if (server !== undefined) await stop(server.process);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Each round measures all sides, in reverse order every second time. The first round only warms up. */
async function pairs(store: string, sides: readonly Side[], folder: string): Promise<Cell[]> {
  // The usage of many callers is work that a slice must count. With one it is a row, and the rest would be idle time.
  const isMany = sides.some(({ callers }) => callers > 1);
  const [times, rounds] = isMany ? [MANY_TIMES, MANY_ROUNDS] : [FEW_TIMES, ROUNDS];
  const cells = PLACES.flatMap((place) => {
    const [first, ...others] = sides.map((side): Cell => ({ store, place, side, slices: [], base: null }));
    return [first!, ...others.map((cell): Cell => ({ ...cell, base: first! }))];
  });
  for (let round = -1; round < rounds; round++) {
    console.error(round < 0 ? 'warming up …' : `round ${round + 1} of ${rounds} …`);
    for (const cell of round % 2 === 0 ? cells : cells.toReversed()) {
      const bodies = join(folder, 'bodies');
      writeBodies(bodies, cell.side.callers, times.seconds);
      const slice = await measure(cell.side.server, cell.place, bodies, times);
      if (round >= 0) cell.slices.push(slice);
    }
  }
  return cells;
}

const COST_HEAD = ['server', 'store', 'CPU µs/token', ...THREADS, 'database', 'tokens/s', 'p50 ms', 'p99 ms'];

/** Medians. */
function costRow({ store, place, side, slices }: Cell): string[] {
  const median = (value: (slice: Slice) => number, digits = 1): string =>
    quantile(slices.map(value), 0.5).toFixed(digits);
  return [
    `${side.name}, ${PLACE_NAMES[place]}`,
    side.name === LIMIT ? '' : store,
    median(({ micros }) => micros),
    ...THREADS.map((thread) => median(({ microsByThread }) => microsByThread[thread])),
    median(({ databaseMicros }) => databaseMicros),
    median(({ perSecond }) => perSecond, 0),
    median(({ p50Ms }) => p50Ms, 2),
    median(({ p99Ms }) => p99Ms, 2),
  ];
}

/** Of each slice against that of the first side in the same round. */
function ratiosOf({ store, place, side, slices, base }: Cell): Ratios[] {
  if (base === null) return [];
  const name = `${side.name}, against ${base.side.name.replace(`${MINTMARK}, `, '')}; ${store}, ${PLACE_NAMES[place]}`;
  return [
    { name, values: slices.map(({ micros }, round) => micros / (base.slices[round]?.micros ?? Number.NaN)) },
  ];
}
