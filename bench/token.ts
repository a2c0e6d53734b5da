// CPU per token of the real server against the limit, and at a million API users: ratios of one run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  allInMemory,
  CONNECTIONS,
  freePort,
  load,
  median,
  pinned,
  ready,
  rss,
  startMintmark,
  stop,
  type Peer,
  type Sample,
} from './peer.ts';
import { seed } from './population.ts';

const WARM_UP = 8000;
const REQUESTS = 20_000;
const ROUNDS = 5;
const API_USERS = 1_000_000;

/** Prints a table; resolves to false where a target of the issue is missed. */
export async function run(): Promise<boolean> {
  if (process.platform !== 'linux')
    throw new Error('This benchmark reads CPU time and memory from /proc: run it on Linux.');
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-bench-'));
  const peers: Peer[] = [];
  try {
    peers.push(await startLimit());
    peers.push(await startMintmark('mintmark, 1 API user', join(folder, 'one'), 1));
    console.error(`seeding ${API_USERS} API users …`);
    const many = join(folder, 'many');
    const empty = await startMintmark('', many, 0);
    await stop(empty.process);
    seed(join(many, 'mintmark.db'), API_USERS);
    peers.push(await startMintmark(`mintmark, ${API_USERS} API users`, many, API_USERS));
    await allInMemory(peers[2] as Peer);
    return report(peers, await measure(peers));
  } finally {
    for (const peer of peers) peer.process.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(peers: Peer[]): Promise<Sample[][]> {
  const samples: Sample[][] = peers.map(() => []);
  for (const peer of peers) await load(peer, WARM_UP);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, peer] of peers.entries()) {
      console.error(`round ${round + 1} of ${ROUNDS}: ${peer.name}`);
      samples[i]?.push(await load(peer, REQUESTS));
    }
  }
  return samples;
}

function report(peers: Peer[], samples: Sample[][]): boolean {
  const cpu = samples.map((of) => median(of.map((sample) => sample.cpuMicros)));
  const ratios = samples.map((of) =>
    median(of.map((s, round) => s.cpuMicros / (samples[0]?.[round]?.cpuMicros ?? 1))),
  );
  console.log(
    '\n| server | CPU µs/token | ratio to the limit | tokens/s | p50 ms | p99 ms | RSS MiB | ready ms |',
  );
  console.log('|---|---|---|---|---|---|---|---|');
  for (const [i, peer] of peers.entries()) {
    const of = samples[i] ?? [];
    const mid = (pick: (sample: Sample) => number, digits: number) => median(of.map(pick)).toFixed(digits);
    console.log(
      `| ${peer.name} | ${cpu[i]?.toFixed(1)} | ${ratios[i]?.toFixed(3)} | ${mid((s) => s.perSecond, 0)} | ` +
        `${mid((s) => s.p50Ms, 2)} | ${mid((s) => s.p99Ms, 2)} | ${(rss(peer.process) / 2 ** 20).toFixed(0)} | ${peer.readyMs.toFixed(0)} |`,
    );
  }
  const many = median(
    (samples[2] ?? []).map((s, round) => s.cpuMicros / (samples[1]?.[round]?.cpuMicros ?? 1)),
  );
  const bytes = (rss(peers[2]!.process) - rss(peers[1]!.process)) / API_USERS;
  const targets: [string, number, number][] = [
    ['CPU per token, against the limit', ratios[1] ?? 0, 1.25],
    [`CPU per token with ${API_USERS} API users, against one`, many, 1.1],
    ['bytes of memory per API user', bytes, 400],
    [`ms from start to ready with ${API_USERS} API users`, peers[2]?.readyMs ?? 0, 2000],
  ];
  console.log('\n| target | measured | at most | |\n|---|---|---|---|');
  for (const [name, measured, most] of targets) {
    console.log(
      `| ${name} | ${measured.toFixed(measured < 10 ? 3 : 0)} | ${most} | ${measured <= most ? 'met' : 'MISSED'} |`,
    );
  }
  console.log(
    `\nEvery one of the ${peers.length * ROUNDS * REQUESTS} tokens measured differs from the others and verifies.`,
  );
  return targets.every(([, measured, most]) => measured <= most);
}

async function startLimit(): Promise<Peer> {
  const port = await freePort();
  const [clientId, clientSecret] = [
    'api_limit',
    'mms_0000000000_0000000000000000000000000000000000000000000000000',
  ];
  const child = pinned(['bench/limit-server.ts', String(port), clientId, clientSecret]);
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
