// The cost of a token with limits in Redis and in memory, and of the bound on concurrent work: ratios of one
// run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { SETTINGS } from '../packages/server/src/config/config.ts';
import { createAdmission } from '../packages/server/src/http/oauth/admission.ts';
import { startRedis, type TestRedis } from '@mintmark/test-support/redis';
import { compare, CONNECTIONS, startMintmark, stop, type Peer } from './peer.ts';
import { table } from './table.ts';

const ROUNDS = 100;
const TURNS = 200_000;

/** Prints a table; there is no target. */
export async function run(): Promise<boolean> {
  await using redis = await startRedis();
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-bench-'));
  const peers: Peer[] = [];
  try {
    peers.push(await startMintmark('in its memory', join(folder, 'own'), 1));
    peers.push(await startMintmark('in Redis', join(folder, 'shared'), 1, { REDIS_URL: redis.url }));
    const before = await workOf(redis);
    const costs = await compare(peers, ROUNDS);
    const after = await workOf(redis);
    const redisMicros = (after.micros - before.micros) / (after.calls - before.calls);
    const rows = costs.map(({ cpuMicros, p50Ms, p99Ms }, i) => [
      peers[i]?.name ?? '',
      cpuMicros.toFixed(1),
      (cpuMicros / (costs[0]?.cpuMicros ?? Number.NaN)).toFixed(3),
      p50Ms.toFixed(2),
      p99Ms.toFixed(2),
    ]);
    console.log(`\n${table([['limits are counted', 'CPU µs/token', 'ratio', 'p50 ms', 'p99 ms'], ...rows])}`);
    console.log(`\nRedis itself: ${redisMicros.toFixed(1)} µs a token.`);
    console.log(`The bound on work in progress: ${(await admissionNanos()).toFixed(0)} ns a request.`);
    return true;
  } finally {
    for (const peer of peers) await stop(peer.process);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Redis's work: CPU time, and calls of the script. */
async function workOf(redis: TestRedis): Promise<{ micros: number; calls: number }> {
  const told = `${String(await redis.command('INFO', 'cpu'))}${String(await redis.command('INFO', 'commandstats'))}`;
  const of = (name: string): number => Number(new RegExp(`${name}([\\d.]+)`).exec(told)?.[1] ?? 0);
  const micros = (of('used_cpu_user:') + of('used_cpu_sys:')) * 1e6;
  return { micros, calls: of('cmdstat_evalsha:calls=') };
}

/** One turn has as many requests as the load has connections. */
async function admissionNanos(): Promise<number> {
  const admission = createAdmission(Number(SETTINGS.inFlightMax.default));
  const timed = async (work: () => void): Promise<number> => {
    const startedAt = performance.now();
    for (let turns = 0; turns < TURNS; turns++) {
      for (let i = 0; i < CONNECTIONS; i++) work();
      await turn();
    }
    return performance.now() - startedAt;
  };
  const nothing = () => undefined;
  await timed(nothing);
  const without = await timed(nothing);
  const withIt = await timed(() => void admission.admits());
  return ((withIt - without) * 1e6) / (TURNS * CONNECTIONS);
}
