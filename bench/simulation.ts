// 100 nodes and 10 million API users, computed: how changes fan out, what limits let through while Redis is away, how long
// a revocation takes. No clock and no network: the same figures each time (docs/scale.md has them, and a test compares).
// What is taken from the product: the limits' arithmetic (domain/rate-limit.ts, shared-limits.ts) and every default of a
// setting. What is modelled after it: the change feed's timing (change-feed.ts, storage/postgres-listener.ts) and the
// verifier's polls (docs/decisions/012).
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BOUNDS } from '../packages/server/src/config/bounds.ts';
import { SETTINGS } from '../packages/server/src/config/config.ts';
import { takeCall, WINDOW_MS } from '../packages/server/src/domain/rate-limit.ts';
import { ownPart } from '../packages/server/src/domain/shared-limit.ts';
import { seededRandom } from '@mintmark/test-support/seeded-random';
import { table } from './table.ts';

const NODES = 100;
const API_USERS = 10_000_000;
const MINUTE_MS = 60_000;
const FAN_OUT_MS = 30_000;
/** Time from a poll's start until its changes are applied, or of a NOTIFY. Within one data centre. */
const POLL_TAKES_MS = { from: 1, to: 4 };
const NOTIFY_TAKES_MS = { from: 0.5, to: 5 };

const POLL_MS = Number(SETTINGS.changePollMs.default);
const WAKE_MS = BOUNDS.changeWakeMs;
const STALE_MAX_S = Number(SETTINGS.staleMaxSeconds.default);

function between({ from, to }: { from: number; to: number }, chance: () => number): number {
  return from + (to - from) * chance();
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

// ── Change fan-out

interface FanOut {
  polls: number;
  /** Milliseconds from a change's commit until a node applied it, for each change and node. */
  delays: number[];
}

/** A node polls `POLL_MS` after its last poll. When woken it polls at once, but at most every `WAKE_MS`. */
function followChanges(
  changes: readonly number[],
  notify: boolean,
  forMs: number,
  chance: () => number,
): FanOut {
  const told = notify
    ? changes.map((at) => at + between(NOTIFY_TAKES_MS, chance)).toSorted((a, b) => a - b)
    : [];
  const wakes: number[] = [];
  for (const at of told) {
    const free = (wakes.at(-1) ?? Number.NEGATIVE_INFINITY) + WAKE_MS;
    if (at >= free) wakes.push(at);
    else if ((wakes.at(-1) ?? 0) <= at) wakes.push(free);
  }
  let [polls, seen, wake] = [0, 0, 0];
  let next = Math.min(chance() * POLL_MS, wakes[0] ?? Infinity);
  const delays: number[] = [];
  while (next < forMs) {
    const startedAt = next;
    polls += 1;
    const endedAt = startedAt + between(POLL_TAKES_MS, chance);
    for (; (changes[seen] ?? Infinity) <= startedAt; seen++) delays.push(endedAt - (changes[seen] ?? 0));
    while ((wakes[wake] ?? Infinity) <= startedAt) wake += 1;
    // A wake-up during a poll causes another poll after it.
    next = Math.min(endedAt + POLL_MS, Math.max(endedAt, wakes[wake] ?? Infinity));
  }
  return { polls, delays };
}

/** Times of random events at this rate. */
function poisson(perSecond: number, forMs: number, chance: () => number): number[] {
  const times: number[] = [];
  const gap = () => (-Math.log(1 - chance()) / perSecond) * 1000;
  for (let at = gap(); at < forMs; at += gap()) times.push(at);
  return times;
}

function fanOut(): string[][] {
  const rows = [
    [
      'changes/s',
      'NOTIFY',
      'polls/s on the primary',
      'reads of API users/s',
      'p50 ms',
      'p99 ms',
      'slowest ms',
    ],
  ];
  for (const perSecond of [0, 1, 10, 100]) {
    for (const notify of [true, false]) {
      const chance = seededRandom(perSecond * 2 + Number(notify));
      const changes = perSecond === 0 ? [] : poisson(perSecond, FAN_OUT_MS - 1000, chance);
      let polls = 0;
      const delays: number[] = [];
      let reads = 0;
      for (let node = 0; node < NODES; node++) {
        const one = followChanges(changes, notify, FAN_OUT_MS, chance);
        polls += one.polls;
        delays.push(...one.delays);
        // Changes found by one poll are applied together, by one read.
        reads += new Set(one.delays.map((delay, i) => Math.round(((changes[i] ?? 0) + delay) * 1000))).size;
      }
      delays.sort((a, b) => a - b);
      const shown =
        delays.length === 0 ? ['–', '–', '–'] : [0.5, 0.99, 1].map((q) => quantile(delays, q).toFixed(0));
      rows.push([
        String(perSecond),
        notify ? 'yes' : 'no',
        ...[polls, reads].map((n) => ((n / FAN_OUT_MS) * 1000).toFixed(0)),
        ...shown,
      ]);
    }
  }
  return rows;
}

// ── Limits while Redis is away

interface Caller {
  perMinute: number;
  /** Calls as a multiple of the limit. */
  offered: number;
  /** Number of nodes with its connections. */
  nodes: number;
}

interface Passed {
  /** Share of the limit that passed, by minute: the last one with Redis and the two after its failure. */
  minutes: number[];
}

const REDIS_GONE_AT = 3 * MINUTE_MS;

/**
 * Evenly spaced calls, each on a random node of the caller. With Redis all nodes share one number, and a node
 * records it on each call; without Redis each continues from its record with its share of the limit.
 */
function limitedCalls({ perMinute, offered, nodes }: Caller, seed: number): Passed {
  const chance = seededRandom(seed);
  const own: (number | undefined)[] = Array.from({ length: nodes });
  let shared: number | undefined;
  const minutes = [0, 0, 0];
  const everyMs = WINDOW_MS / (perMinute * offered);
  for (let at = 0; at < REDIS_GONE_AT + 2 * MINUTE_MS; at += everyMs) {
    const node = Math.floor(chance() * nodes);
    const isShared = at < REDIS_GONE_AT;
    const limit = isShared ? perMinute : ownPart(perMinute, NODES);
    const { state, arrivalMs } = takeCall(isShared ? shared : own[node], limit, at);
    own[node] = arrivalMs;
    if (isShared) shared = arrivalMs;
    const minute = Math.floor((at - REDIS_GONE_AT) / MINUTE_MS) + 1;
    if (state.allowed && minute >= 0) minutes[minute] = (minutes[minute] ?? 0) + 1;
  }
  return { minutes: minutes.map((passed) => passed / perMinute) };
}

function limits(): string[][] {
  const rows = [['limit/min', 'offered', 'on nodes', 'with Redis', 'first minute without', 'second minute']];
  const callers: Caller[] = [
    { perMinute: 250, offered: 0.5, nodes: 100 },
    { perMinute: 250, offered: 1, nodes: 100 },
    { perMinute: 250, offered: 10, nodes: 100 },
    { perMinute: 250, offered: 0.5, nodes: 4 },
    { perMinute: 250, offered: 10, nodes: 4 },
    { perMinute: 30, offered: 10, nodes: 100 },
    { perMinute: 6000, offered: 0.5, nodes: 100 },
    { perMinute: 6000, offered: 1, nodes: 100 },
    { perMinute: 6000, offered: 10, nodes: 100 },
  ];
  for (const [i, caller] of callers.entries()) {
    const { minutes } = limitedCalls(caller, i + 1);
    const shown = minutes.map((part) => `${(part * 100).toFixed(0)} %`);
    rows.push([String(caller.perMinute), `${caller.offered * 100} %`, String(caller.nodes), ...shown]);
  }
  return rows;
}

// ── Revocation

const VERIFIERS = 1000;
const REVOCATIONS = 100;
const REVOKED_AT_MS = 1000;
const VERIFIER_POLL_MS = 5000;
/** How long a cache before the nodes may serve the same list. */
const LIST_MAX_AGE_MS = 1000;
const TO_FETCH_MS = { from: 2, to: 20 };

interface Fleet {
  notify: boolean;
  cache: boolean;
  /** Nodes without access to the store, which keep serving their list. */
  cutOff: number;
}

/** Time from commit until a verifier under traffic refuses the token, for each verifier and revocation. */
function revocationDelays({ notify, cache, cutOff }: Fleet, seed: number): number[] {
  const chance = seededRandom(seed);
  const delays: number[] = [];
  for (let i = 0; i < REVOCATIONS; i++) {
    const nodes = Array.from({ length: NODES }, (_, node) => {
      if (node < cutOff) return Infinity;
      return followChanges([REVOKED_AT_MS], notify, 2 * REVOKED_AT_MS, chance).delays[0] ?? Infinity;
    });
    for (let verifier = 0; verifier < VERIFIERS; verifier++) {
      let at = chance() * VERIFIER_POLL_MS;
      // A cache's response was read from a node up to a second before.
      while ((nodes[Math.floor(chance() * NODES)] ?? 0) > at - (cache ? chance() * LIST_MAX_AGE_MS : 0))
        at += VERIFIER_POLL_MS;
      delays.push(at + between(TO_FETCH_MS, chance));
    }
  }
  return delays.toSorted((a, b) => a - b);
}

function revocations(): string[][] {
  const rows = [['fleet', 'p50 s', 'p99 s', 'p99.9 s', 'slowest s']];
  const fleets: [string, Fleet][] = [
    ['NOTIFY', { notify: true, cache: false, cutOff: 0 }],
    ['poll alone', { notify: false, cache: false, cutOff: 0 }],
    ['NOTIFY, behind a cache', { notify: true, cache: true, cutOff: 0 }],
    ['NOTIFY, 1 node cut off', { notify: true, cache: false, cutOff: 1 }],
    ['NOTIFY, 10 nodes cut off', { notify: true, cache: false, cutOff: 10 }],
  ];
  for (const [i, [name, fleet]] of fleets.entries()) {
    const delays = revocationDelays(fleet, i + 1);
    rows.push([name, ...[0.5, 0.99, 0.999, 1].map((q) => (quantile(delays, q) / 1000).toFixed(1))]);
  }
  return rows;
}

// ── What the fleet asks for

/**
 * Each API user requests a token when the last one expires; verifiers cache key set and list for the maximum
 * time.
 */
function traffic(): string[][] {
  const tokens = API_USERS / Number(SETTINGS.tokenLifeSeconds.default);
  const flushSeconds = Number(SETTINGS.usageFlushMs.default) / 1000;
  const verifiers = 10_000;
  const rows: [string, number][] = [
    ['tokens, each API user one in a token life', tokens],
    ['of these on each node', tokens / NODES],
    ['rows of last use and counts that all nodes write', tokens * 2],
    [`transactions for that, each node one in ${flushSeconds} s`, NODES / flushSeconds],
    ['polls of the change feed, when nothing happens', NODES / (POLL_MS / 1000)],
    [
      `key sets, to ${verifiers.toLocaleString('en')} verifiers`,
      verifiers / Number(SETTINGS.jwksMaxAgeSeconds.default),
    ],
    [
      `revocation lists (304), to ${verifiers.toLocaleString('en')} verifiers`,
      verifiers / (VERIFIER_POLL_MS / 1000),
    ],
  ];
  return [
    ['asked for', 'per second'],
    ...rows.map(([what, n]) => [what, Math.round(n).toLocaleString('en')]),
  ];
}

/** The complete result in Markdown, formatted as by oxfmt. */
export function simulate(): string {
  const parts: [string, string[][]][] = [
    [`What ${NODES} nodes with ${API_USERS.toLocaleString('en')} API users have to do:`, traffic()],
    [
      `Changes on ${NODES} nodes, over half a minute; times from the commit until a node has applied it, every node and every change:`,
      fanOut(),
    ],
    [
      `What passes of one API user's limit on ${NODES} nodes before and after Redis goes away (MINTMARK_PROCESSES=${NODES}):`,
      limits(),
    ],
    [
      `From the commit of a revocation until a verifier under traffic refuses the token (${VERIFIERS} verifiers, ${REVOCATIONS} revocations):`,
      revocations(),
    ],
  ];
  const end = `A node that is cut off issues tokens to API users in memory for ${STALE_MAX_S} s, then none.`;
  return `${parts.map(([title, rows]) => `${title}\n\n${table(rows)}`).join('\n\n')}\n\n${end}\n`;
}

export const SCALE_FILE: URL = new URL('../docs/scale.md', import.meta.url);
const [BEGIN, END] = [
  '<!-- simulation: written by npm run bench -- simulation -->',
  '<!-- end of simulation -->',
];

/** Replaces the simulation's result in the document. */
export function withSimulation(document: string): string {
  const [begin, end] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error('docs/scale.md has no place for the simulation.');
  return `${document.slice(0, begin + BEGIN.length)}\n\n${simulate()}\n${document.slice(end)}`;
}

/** Prints the result and writes it into docs/scale.md. */
export async function run(): Promise<boolean> {
  const document = withSimulation(readFileSync(SCALE_FILE, 'utf8'));
  writeFileSync(SCALE_FILE, document);
  console.log(document.slice(document.indexOf(BEGIN) + BEGIN.length, document.indexOf(END)));
  return true;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await run();
