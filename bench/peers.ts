// The cost of a token beside servers by other authors, in turns: CPU time by thread, with the load on another core and on the
// same one, for one API user and for a million. Writes bench/results/peers.md, its chart, and the lines of the README.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { rss } from './peer.ts';
import { chart } from './peers/chart.ts';
import { checkWork } from './peers/checks.ts';
import { peersPage, withReadmeLines, type Run } from './peers/page.ts';
import { MINTMARK, peerVersions, startServers, type RunningServer } from './peers/servers.ts';
import { measure, PLACES, writeBodies, type Place, type Slice } from './peers/slices.ts';
import { summariesOf, type Population } from './peers/summary.ts';

const FULL_ROUNDS = 12;
const FULL_USERS = 1_000_000;
const ROUNDS = Number(process.env['MINTMARK_BENCH_ROUNDS'] ?? FULL_ROUNDS);
const API_USERS = Number(process.env['MINTMARK_BENCH_API_USERS'] ?? FULL_USERS);

/** Other work on the machine makes figures worthless: then they do not go into the repository. */
const IDLE_SHARE_MIN = 0.95;
const IDLE_SAMPLE_MS = 3000;

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Prints the page. There is no target. */
export async function run(): Promise<boolean> {
  if (process.platform !== 'linux')
    throw new Error('This benchmark reads CPU time and memory from /proc: run it on Linux.');
  const before = cpuTicks();
  await sleep(IDLE_SAMPLE_MS);
  const idleShare = shareSince(before, 'idle');
  const load = loadavg()[0] ?? NaN;
  const started = cpuTicks();
  const populations = [await measurePopulation(1), await measurePopulation(API_USERS)] as const;
  const stolen = shareSince(started, 'steal');
  const { model } = cpus()[0] ?? { model: 'unknown' };
  const result: Run = {
    populations: [...populations],
    rounds: ROUNDS,
    machine:
      `Node ${process.versions.node}, ${availableParallelism()} cores (${model}), ${percent(idleShare)} of them idle before the run ` +
      `(load average ${load.toFixed(1)}), ${percent(stolen)} of their time taken by other machines during it`,
    versions: peerVersions(),
  };
  const isFull = ROUNDS >= FULL_ROUNDS && API_USERS === FULL_USERS;
  const isQuiet = idleShare >= IDLE_SHARE_MIN;
  const target = isFull && isQuiet ? ROOT : mkdtempSync(join(tmpdir(), 'mintmark-peers-'));
  write(target, result);
  if (!isFull) console.error('This was a trial: the results of the repository are as they were.');
  else if (!isQuiet)
    console.error(
      `Other programs were running (${percent(1 - idleShare)}): the results of the repository are as they were.`,
    );
  return true;
}

async function measurePopulation(apiUsers: number): Promise<Population> {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-bench-'));
  const servers: RunningServer[] = [];
  try {
    console.error(`starting the servers with ${apiUsers} API users …`);
    await startServers(apiUsers, folder, servers);
    for (const server of servers) await checkWork(server, apiUsers);
    const bodies = join(folder, 'bodies');
    const slices = servers.map((): Record<Place, Slice[]> => ({ own: [], shared: [] }));
    for (let round = -1; round < ROUNDS; round++) {
      console.error(round < 0 ? 'warming up …' : `round ${round + 1} of ${ROUNDS} …`);
      writeBodies(bodies, apiUsers);
      for (const place of PLACES) {
        for (const i of round % 2 === 0 ? servers.keys() : [...servers.keys()].toReversed()) {
          const slice = await measure(servers[i]!, place, bodies);
          if (round >= 0) slices[i]![place].push(slice);
        }
      }
    }
    for (const server of servers) await checkWork(server, apiUsers);
    return {
      apiUsers,
      servers: servers.map(({ name, readyMs, process: child }, i) => ({
        name,
        readyMs,
        residentBytes: rss(child),
        slices: slices[i]!,
      })),
    };
  } finally {
    for (const { process: child } of servers) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes the results below a folder, formatted as the repository is. */
function write(target: string, result: Run): void {
  const [one, many] = result.populations;
  const data = { few: summariesOf(one), many: summariesOf(many), manyUsers: many.apiUsers };
  const page = peersPage(result);
  const files = {
    'bench/results/peers.md': page,
    'bench/results/peers.svg': chart(data, MINTMARK),
    'README.md': withReadmeLines(readFileSync(join(ROOT, 'README.md'), 'utf8'), result),
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(target, name)), { recursive: true });
    writeFileSync(join(target, name), text);
  }
  const documents = ['bench/results/peers.md', 'README.md'].map((name) => join(target, name));
  execFileSync(process.execPath, [join(ROOT, 'node_modules/oxfmt/bin/oxfmt'), ...documents], { cwd: ROOT });
  console.log(`\n${page}`);
  console.error(
    `Written: ${Object.keys(files)
      .map((name) => join(target, name))
      .join(', ')}`,
  );
}

type CpuTicks = Readonly<Record<'idle' | 'steal' | 'all', number>>;

/** Time of all cores since the start of the machine. */
function cpuTicks(): CpuTicks {
  const [first = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const ticks = first.trim().split(/ +/).slice(1, 9).map(Number);
  const all = ticks.reduce((sum, each) => sum + each, 0);
  return { idle: (ticks[3] ?? 0) + (ticks[4] ?? 0), steal: ticks[7] ?? 0, all };
}

function shareSince(before: CpuTicks, kind: 'idle' | 'steal'): number {
  const now = cpuTicks();
  return (now[kind] - before[kind]) / (now.all - before.all);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
