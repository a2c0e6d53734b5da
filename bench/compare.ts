// npm run bench -- compare <commit> <commit>: what a token costs after against before, in pairs of slices and
// counted. Both commits are checked out into temporary folders and use the packages of this checkout. It
// needs wrk, valgrind and faketime.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stop } from './peer.ts';
import { checkWork } from './peers/checks.ts';
import { startSeededMintmark, type RunningServer } from './peers/servers.ts';
import { measure, PLACES, writeBodies } from './peers/slices.ts';
import { COUNT_HEAD, countMintmark, countRow } from './instructions.ts';
import { ratioRow, RATIO_HEAD } from './ratios.ts';
import { table } from './table.ts';

/** Servers are started this many times: two processes of the same code differ, too. */
const STARTS = 3;
const ROUNDS = Number(process.env['MINTMARK_BENCH_ROUNDS'] ?? 8);
const SLICE = { seconds: 2, settleMs: 0 };

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Prints tables. There is no target. */
export async function run([before, after]: readonly string[]): Promise<boolean> {
  if (before === undefined || after === undefined)
    throw new Error('Name two commits: compare <before> <after>.');
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-compare-'));
  try {
    const checkouts = [
      checkOut(before, join(folder, 'before')),
      checkOut(after, join(folder, 'after')),
    ] as const;
    const ratios = { own: [] as number[], shared: [] as number[] };
    for (let start = 0; start < STARTS; start++) {
      const servers: RunningServer[] = [];
      try {
        for (const [i, checkout] of checkouts.entries()) {
          const server = await startSeededMintmark(1, join(folder, `${start} ${i}`), {}, checkout);
          servers.push(server);
          await checkWork(server, 1);
        }
        await pairs(servers, join(folder, 'bodies'), ratios);
      } finally {
        for (const server of servers) await stop(server.process);
      }
    }
    const rows = [
      ratioRow('CPU, load on another core', ratios.own),
      ratioRow("CPU, load on the server's core", ratios.shared),
    ];
    console.log(`\n${table([RATIO_HEAD, ...rows])}`);
    const [old, now] = [await countMintmark(checkouts[0]), await countMintmark(checkouts[1])];
    console.log(`\n${table([COUNT_HEAD, countRow(before, old, old), countRow(after, now, old)])}`);
    return true;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** After against before, in each place, in turns. The first round only warms up. */
async function pairs(
  servers: readonly RunningServer[],
  bodies: string,
  ratios: Record<(typeof PLACES)[number], number[]>,
): Promise<void> {
  writeBodies(bodies, 1);
  for (let round = -1; round < ROUNDS; round++) {
    for (const place of PLACES) {
      const micros = [0, 0];
      for (const i of round % 2 === 0 ? [0, 1] : [1, 0]) {
        micros[i] = (await measure(servers[i]!, place, bodies, SLICE)).micros;
      }
      if (round >= 0) ratios[place].push(micros[1]! / micros[0]!);
    }
  }
}

function checkOut(commit: string, folder: string): string {
  mkdirSync(folder);
  const archive = `${folder}.tar`;
  execFileSync('git', ['archive', '--output', archive, commit], { cwd: ROOT });
  execFileSync('tar', ['-xf', archive, '-C', folder]);
  rmSync(archive);
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}
