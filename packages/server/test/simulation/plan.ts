import { seededRandom } from '@mintmark/test-support/seeded-random';
import { NODES } from './template.ts';

/** What an API user or a verifier does. */
export type Call =
  | { does: 'token'; user: number; calls: number }
  | { does: 'revoke token'; user: number }
  | AssertionCall
  | { does: 'read revocation list' };

/** An API user or a thief sends one assertion to several nodes in turn. It expires after `validMs`. */
export interface AssertionCall {
  does: 'assertion';
  user: number;
  validMs: number;
  sends: number;
  everyMs: number;
  stride: number;
}

/** What an operator or maintenance does. */
export type AdminChange =
  | { does: 'enable' | 'disable' | 'revoke all'; user: number }
  | { does: 'rotate'; mode: 'scheduled' | 'now' | 'compromised' }
  | { does: 'prune changes' }
  | { does: 'maintain' };

export type Fault =
  | {
      does: 'cut store' | 'lose answers' | 'cut limits' | 'stop limits' | 'stop' | 'suspend' | 'crash';
      forMs: number;
    }
  | { does: 'slow store'; forMs: number; times: number }
  | { does: 'at next commit'; fault: 'lose its answer' | 'crash before it' | 'crash after it' }
  | { does: 'set clock' | 'set clock of store'; byMs: number }
  | { does: 'fail over' | 'restore'; commits: number };

export type Action =
  | ({ kind: 'call' } & Call)
  | ({ kind: 'change' } & AdminChange)
  | ({ kind: 'fault' } & Fault);

/** What happens at a node, and when. */
export type Step = { at: number; node: number } & Action;

/** Faults and calls happen until then. */
export const PLAN_ENDS_MS = 12_000;
const STARTED_MS = 600;
const USERS = 4;

type Chance = () => number;

/** Each kind with its weight. Faults are rarer than calls and changes. */
const KINDS: readonly [number, (chance: Chance) => Action][] = [
  [
    28,
    (chance) => ({
      kind: 'call',
      does: 'token',
      user: whole(chance, 0, USERS - 1),
      calls: whole(chance, 1, 2),
    }),
  ],
  [6, (chance) => ({ kind: 'call', does: 'token', user: 0, calls: whole(chance, 6, 14) })],
  [4, (chance) => ({ kind: 'call', does: 'revoke token', user: whole(chance, 1, USERS - 1) })],
  [
    5,
    (chance) => ({
      kind: 'call',
      does: 'assertion',
      user: whole(chance, 1, USERS - 1),
      validMs: whole(chance, 1000, 8000),
      sends: whole(chance, 2, 4),
      everyMs: duration(chance, 3000),
      stride: whole(chance, 0, NODES - 1),
    }),
  ],
  [10, (chance) => ({ kind: 'change', does: 'disable', user: whole(chance, 1, USERS - 1) })],
  [6, (chance) => ({ kind: 'change', does: 'enable', user: whole(chance, 1, USERS - 1) })],
  [2, (chance) => ({ kind: 'change', does: 'revoke all', user: whole(chance, 1, USERS - 1) })],
  [
    4,
    (chance) => ({
      kind: 'change',
      does: 'rotate',
      mode: one(chance, ['scheduled', 'now', 'compromised', 'compromised']),
    }),
  ],
  [1, () => ({ kind: 'change', does: 'prune changes' })],
  [2, () => ({ kind: 'change', does: 'maintain' })],
  [8, () => ({ kind: 'call', does: 'read revocation list' })],
  [5, (chance) => ({ kind: 'fault', does: 'cut store', forMs: duration(chance, 9000) })],
  [3, (chance) => ({ kind: 'fault', does: 'lose answers', forMs: duration(chance, 4000) })],
  [
    3,
    (chance) => ({
      kind: 'fault',
      does: 'slow store',
      forMs: duration(chance, 5000),
      times: whole(chance, 5, 60),
    }),
  ],
  [3, (chance) => ({ kind: 'fault', does: 'cut limits', forMs: duration(chance, 7000) })],
  [2, (chance) => ({ kind: 'fault', does: 'stop limits', forMs: duration(chance, 9000) })],
  [3, (chance) => ({ kind: 'fault', does: 'stop', forMs: duration(chance, 4000) })],
  [2, (chance) => ({ kind: 'fault', does: 'suspend', forMs: duration(chance, 4000) })],
  [
    5,
    (chance) => ({
      kind: 'fault',
      does: 'at next commit',
      fault: one(chance, ['lose its answer', 'lose its answer', 'crash before it', 'crash after it']),
    }),
  ],
  [2, (chance) => ({ kind: 'fault', does: 'crash', forMs: duration(chance, 3000) })],
  [3, (chance) => ({ kind: 'fault', does: 'set clock', byMs: clockJump(chance) })],
  [1, (chance) => ({ kind: 'fault', does: 'set clock of store', byMs: clockJump(chance) })],
  [1, (chance) => ({ kind: 'fault', does: 'fail over', commits: whole(chance, 1, 3) })],
  [1, (chance) => ({ kind: 'fault', does: 'restore', commits: whole(chance, 2, 12) })],
];

const LAST_KIND = KINDS.at(-1) as (typeof KINDS)[number];
const TOTAL = KINDS.reduce((sum, [weight]) => sum + weight, 0);

/** The steps of a seed, in the order of their times. */
export function planOf(seed: number): Step[] {
  const chance = seededRandom(seed);
  const steps = Array.from({ length: whole(chance, 15, 50) }, () => step(chance));
  return steps.toSorted((a, b) => a.at - b.at);
}

function step(chance: Chance): Step {
  let left = chance() * TOTAL;
  const [, action] = KINDS.find(([weight]) => (left -= weight) < 0) ?? LAST_KIND;
  const at = Math.round(STARTED_MS + chance() * (PLAN_ENDS_MS - STARTED_MS));
  return { at, node: whole(chance, 0, NODES - 1), ...action(chance) };
}

function whole(chance: Chance, from: number, to: number): number {
  return from + Math.floor(chance() * (to - from + 1));
}

function one<T>(chance: Chance, all: readonly T[]): T {
  return all[Math.floor(chance() * all.length)] as T;
}

/** Short ones are as likely as long ones: a fault of a few milliseconds hits between two statements. */
function duration(chance: Chance, max: number): number {
  return Math.round(max ** (0.3 + 0.7 * chance()));
}

function clockJump(chance: Chance): number {
  const size = one(chance, [400, 3000, 20_000, 600_000, 7_200_000, 7_200_000]);
  return Math.round((chance() - 0.5) * 2 * size);
}

export function stepText({ at, node, does, ...rest }: Step): string {
  const facts = Object.entries(rest)
    .filter(([name]) => name !== 'kind')
    .map(([name, value]) => `${name} ${value}`);
  return `${String(at).padStart(6)} ms  node ${node}  ${[does, ...facts].join(', ')}`;
}
