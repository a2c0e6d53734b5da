import type { Mintmark } from '../sandbox/sandbox.ts';
import {
  judgeCache,
  judgeForbidden,
  judgeParallel,
  judgeRenewal,
  judgeRetryAfter,
  judgeRotation,
  judgeUnauthorized,
  type Judge,
} from './judgement.ts';

/** One run of the program: what it is asked to do, what the server does, and what is judged. */
export interface Scenario {
  name: string;
  /** What a good program does, as the heading of the verdict. */
  rule: string;
  /** The program is asked for this many calls of the API. */
  calls: number;
  /** This many of them at a time. */
  parallel: number;
  /** Wait of the API before each answer, in milliseconds. */
  holdMs: number;
  tokenLifeSeconds: number;
  /** The program gets a secret that the server does not know. */
  wrongSecret: boolean;
  prepare?: (faults: Mintmark['faults']) => void;
  event?: ScenarioEvent;
  /** The check ends the program after this time. */
  limitMs: number;
  judge: Judge;
}

export interface ScenarioEvent {
  /** See `ApiEvent`. */
  atCall: number;
  gatherMs: number;
  change: 'revoke the token' | 'withdraw the signing key';
}

const USUAL = { parallel: 1, holdMs: 0, tokenLifeSeconds: 900, wrongSecret: false, limitMs: 30_000 };

const CACHE_CALLS = 20;
const PARALLEL_CALLS = 50;
/** Calls, and requests of a first token, overlap during this time. */
const OVERLAP_MS = 300;

/** Longer than the margin of 10 seconds that some clients have before the end of a token. */
const SHORT_LIFE_SECONDS = 12;
const RENEWAL_CALLS = 16;
const RENEWAL_HOLD_MS = 1000;
const RENEWAL_LIMIT_MS = 60_000;

const UNAUTHORIZED_CALLS = 8;
const REVOKED_AT_CALL = 4;
const ROTATION_CALLS = 30;
const ROTATION_PARALLEL = 10;

const RETRY_CALLS = 3;
const RETRY_AFTER_SECONDS = 2;
const FORBIDDEN_CALLS = 5;

export const SCENARIOS: readonly Scenario[] = [
  {
    ...USUAL,
    name: 'cache',
    rule: 'One token for many calls',
    calls: CACHE_CALLS,
    judge: judgeCache(CACHE_CALLS),
  },
  {
    ...USUAL,
    name: 'parallel',
    rule: `One token request for ${PARALLEL_CALLS} parallel calls`,
    calls: PARALLEL_CALLS,
    parallel: PARALLEL_CALLS,
    holdMs: OVERLAP_MS,
    prepare: (faults) => faults.during(USUAL.limitMs, { endpoint: 'token', delay: OVERLAP_MS }),
    judge: judgeParallel(PARALLEL_CALLS),
  },
  {
    ...USUAL,
    name: 'renewal',
    rule: 'A new token before the old one expires',
    calls: RENEWAL_CALLS,
    holdMs: RENEWAL_HOLD_MS,
    tokenLifeSeconds: SHORT_LIFE_SECONDS,
    limitMs: RENEWAL_LIMIT_MS,
    judge: judgeRenewal(RENEWAL_CALLS, SHORT_LIFE_SECONDS * 1000),
  },
  {
    ...USUAL,
    name: 'unauthorized',
    rule: 'After a 401, a new token and the call again',
    calls: UNAUTHORIZED_CALLS,
    event: { atCall: REVOKED_AT_CALL, gatherMs: 0, change: 'revoke the token' },
    judge: judgeUnauthorized(UNAUTHORIZED_CALLS),
  },
  {
    ...USUAL,
    name: 'rotation',
    rule: 'After a key rotation, one new token for all calls',
    calls: ROTATION_CALLS,
    parallel: ROTATION_PARALLEL,
    holdMs: OVERLAP_MS,
    event: { atCall: ROTATION_PARALLEL + 1, gatherMs: OVERLAP_MS, change: 'withdraw the signing key' },
    judge: judgeRotation(ROTATION_CALLS),
  },
  retryAfter(429),
  retryAfter(503),
  {
    ...USUAL,
    name: 'forbidden',
    rule: 'A wrong secret: it stops, and reports a failure',
    calls: FORBIDDEN_CALLS,
    wrongSecret: true,
    judge: judgeForbidden,
  },
];

export const LEAKS_RULE = 'No secret and no token on stdout and stderr';

function retryAfter(status: number): Scenario {
  return {
    ...USUAL,
    name: `retry-after-${status}`,
    rule: `After ${status}, a new try when Retry-After says`,
    calls: RETRY_CALLS,
    prepare: (faults) => void faults.next({ endpoint: 'token', status, retryAfter: RETRY_AFTER_SECONDS }),
    judge: judgeRetryAfter(RETRY_CALLS, status, RETRY_AFTER_SECONDS * 1000),
  };
}
