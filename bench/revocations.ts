// A verifier's cost for a revocation list of 100,000 entries: time from request to effect, over loopback from
// another thread; longest block of the event loop; memory; bytes sent.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { AccessTokenError, createVerifier, type Verifier } from '../packages/verifier/src/index.ts';
import { API } from '../packages/verifier/test/support/issuer.ts';
import { settledHeap } from './settled-heap.ts';

const ENTRIES = 100_000;
const ROUNDS = 31;
/** More than two polls, after which the verifier waits for the list before it answers. */
const STEP_MS = 11_000;

interface Published {
  url: string;
  bytes: number;
  revoked: string;
  cutOff: string;
  good: string;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

async function issuerWith(entries: number): Promise<{ worker: Worker; published: Published }> {
  const worker = new Worker(new URL('./revocation-issuer.ts', import.meta.url), { workerData: entries });
  const [published] = (await once(worker, 'message')) as [Published];
  return { worker, published };
}

/** Milliseconds until the list takes effect, and the longest turn of the event loop until then. */
async function apply(verifier: Verifier): Promise<{ took: number; blocked: number }> {
  let last = performance.now();
  let blocked = 0;
  const look = () => {
    const now = performance.now();
    blocked = Math.max(blocked, now - last);
    last = now;
    turn = setImmediate(look);
  };
  let turn = setImmediate(look);
  const started = performance.now();
  await verifier.ready();
  const took = performance.now() - started;
  blocked = Math.max(blocked, performance.now() - last);
  clearImmediate(turn);
  return { took, blocked };
}

async function bytesHeld(url: string): Promise<number> {
  const verifier = createVerifier({ issuer: url, audience: API });
  const without = createVerifier({ issuer: url, audience: API, revocations: false });
  await without.ready();
  const before = await settledHeap();
  await verifier.ready();
  const held = (await settledHeap()) - before;
  await Promise.all([verifier.ready(), without.ready()]);
  return held;
}

async function refusedAsRevoked(check: Promise<unknown>): Promise<void> {
  const error = await check.catch((reason: unknown) => reason);
  if (!(error instanceof AccessTokenError) || error.reason !== 'revoked') {
    throw new Error('A token on the list was not refused.', { cause: error });
  }
}

export async function run(): Promise<boolean> {
  const { worker, published } = await issuerWith(ENTRIES);
  const { url, bytes, revoked, cutOff, good } = published;
  let nowMs = Date.now();
  const verifier = createVerifier({ issuer: url, audience: API, clock: () => nowMs });
  await verifier.verify(good);
  await refusedAsRevoked(verifier.verify(revoked));
  await refusedAsRevoked(verifier.verify(cutOff));

  const rounds: { took: number; blocked: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    worker.postMessage('next');
    await once(worker, 'message');
    nowMs += STEP_MS;
    rounds.push(await apply(verifier));
  }
  // Lists in between have other entries: each time it was a new list.
  await verifier.verify(revoked);
  const held = await bytesHeld(url);
  await worker.terminate();

  const took = rounds.map((round) => round.took);
  const blocked = rounds.map((round) => round.blocked);
  console.log(`\nA list of ${ENTRIES} entries, half of them tokens, is ${bytes} bytes on the wire.`);
  const targets: [string, number, number][] = [
    ['fetched, checked and applied, ms (median)', median(took), 50],
    ['the same, slowest of all rounds, ms', Math.max(...took), 50],
    ['longest block of the event loop, ms (median)', median(blocked), 10],
    ['the same, slowest of all rounds, ms', Math.max(...blocked), 10],
    ['memory held, bytes', held, 10_000_000],
  ];
  console.log('\n| target | measured | at most | |\n|---|---|---|---|');
  for (const [name, measured, most] of targets) {
    console.log(`| ${name} | ${measured.toFixed(1)} | ${most} | ${measured <= most ? 'met' : 'MISSED'} |`);
  }
  return targets.every(([, measured, most]) => measured <= most);
}
