// CPU per token of the real server against the limit, and with a million API users: ratios of one run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  allInMemory,
  compare,
  CONNECTIONS,
  freePort,
  pinned,
  ready,
  rss,
  startMintmark,
  stop,
  type Cost,
  type Peer,
} from './peer.ts';
import { clientIdAt, secretAt, seed } from './population.ts';
import { table } from './table.ts';

const ROUNDS = 100;
const API_USERS = 1_000_000;

/** Prints a table; resolves to false if a target is missed. */
export async function run(): Promise<boolean> {
  if (process.platform !== 'linux')
    throw new Error('This benchmark reads CPU time and memory from /proc: run it on Linux.');
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-bench-'));
  const running: Peer[] = [];
  const started = async (starting: Promise<Peer>): Promise<Peer> => {
    const peer = await starting;
    running.push(peer);
    return peer;
  };
  try {
    const limit = await started(startLimit());
    const one = await started(startMintmark('mintmark, 1 API user', join(folder, 'one'), 1));
    // Two at a time, because a third server on the core would evict the others' caches.
    const [ofLimit, ofOne] = await compare([limit, one], ROUNDS);
    limit.process.kill('SIGKILL');
    console.error(`seeding ${API_USERS} API users …`);
    const dataDir = join(folder, 'many');
    const empty = await startMintmark('', dataDir, 0);
    await stop(empty.process);
    seed(join(dataDir, 'mintmark.db'), API_USERS);
    const many = await started(startMintmark(`mintmark, ${API_USERS} API users`, dataDir, API_USERS));
    await allInMemory(many);
    const [ofOneAgain, ofMany] = await compare([one, many], ROUNDS);
    const rows = [
      [limit.name, ...figures(ofLimit!, ofLimit!)],
      [one.name, ...figures(ofOne!, ofLimit!)],
      ['the same, beside the next', ...figures(ofOneAgain!, ofOneAgain!)],
      [many.name, ...figures(ofMany!, ofOneAgain!)],
    ];
    console.log(`\n${table([HEAD, ...rows])}`);
    const [ofAll, ofSingle] = [rss(many.process), rss(one.process)];
    console.log(
      `\nResident memory: ${mebibytes(ofSingle)} MiB with 1 API user, ${mebibytes(ofAll)} MiB with ${API_USERS}.`,
    );
    const bytes = (ofAll - ofSingle) / API_USERS;
    return report([
      ['CPU per token, against the limit', ofOne!.cpuMicros / ofLimit!.cpuMicros, 1.25],
      [
        `CPU per token with ${API_USERS} API users, against one`,
        ofMany!.cpuMicros / ofOneAgain!.cpuMicros,
        1.1,
      ],
      ['bytes of memory per API user', bytes, 400],
      [`ms from start to ready with ${API_USERS} API users`, many.readyMs, 2000],
    ]);
  } finally {
    for (const peer of running) peer.process.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

const HEAD = ['server', 'CPU µs/token', 'ratio', 'tokens/s', 'p50 ms', 'p99 ms'];

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);

function figures({ cpuMicros, perSecond, p50Ms, p99Ms }: Cost, to: Cost): string[] {
  const ratio = cpuMicros / to.cpuMicros;
  return [cpuMicros.toFixed(1), ratio.toFixed(3), perSecond.toFixed(0), p50Ms.toFixed(2), p99Ms.toFixed(2)];
}

function report(targets: [name: string, measured: number, most: number][]): boolean {
  const verdicts = targets.map(([name, measured, most]) => [
    name,
    measured.toFixed(measured < 10 ? 3 : 0),
    String(most),
    measured <= most ? 'met' : 'MISSED',
  ]);
  console.log(`\n${table([['target', 'measured', 'at most', ''], ...verdicts])}`);
  console.log('\nEvery token measured differs from the others and verifies.');
  return targets.every(([, measured, most]) => measured <= most);
}

async function startLimit(): Promise<Peer> {
  const port = await freePort();
  const [clientId, clientSecret] = [clientIdAt(0), secretAt(0)];
  const child = pinned(['bench/limit-server.ts', String(port), '1']);
  const readyMs = await ready(child, 'ready');
  const options = {
    port,
    connections: CONNECTIONS,
    apiUsers: 1,
    clientId,
    clientSecret,
    jwksUrl: `http://localhost:${port}/`,
  };
  return { name: 'limit (bare node:http)', process: child, options, readyMs };
}
