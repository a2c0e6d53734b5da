// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  judgeCache,
  judgeForbidden,
  judgeLeaks,
  judgeParallel,
  judgeRenewal,
  judgeRetryAfter,
  judgeRotation,
  judgeUnauthorized,
  type Judge,
} from '../../src/server/check-client/judgement.ts';
import type {
  ApiCall,
  Observation,
  ProgramEnd,
  TokenRequest,
} from '../../src/server/check-client/observation.ts';

const START_MS = 1_000_000;
const END: ProgramEnd = { exitCode: 0, timedOut: false, leaks: [], lastLine: '' };

const calls = (number: number, answer: ApiCall['answer'] = 'accepted'): ApiCall[] =>
  Array.from({ length: number }, (_, i) => ({ atMs: START_MS + i * 1000, answer }));

const requests = (...times: number[]): TokenRequest[] =>
  times.map((atMs) => ({ atMs: START_MS + atMs, status: 200 }));

function observation(changes: Partial<Observation>): Observation {
  return { calls: [], tokenRequests: [], callsAtOnceMax: 1, eventAtMs: null, program: END, ...changes };
}

function judged(judge: Judge, changes: Partial<Observation>): string {
  const { verdict, detail } = judge(observation(changes));
  return `${verdict}: ${detail}`;
}

test('a cache is judged from the second successful call on', () => {
  const judge = judgeCache(20);
  const one = { tokenRequests: requests(0) };
  assert.match(judged(judge, { ...one, calls: calls(1) }), /^not judged: .*1 of 20 calls/);
  assert.match(judged(judge, { ...one, calls: calls(2) }), /^yes/);
  assert.match(judged(judge, { tokenRequests: requests(0, 9), calls: calls(20) }), /^no: 2 token requests/);
});

test('shared requests are judged only if calls overlapped', () => {
  const judge = judgeParallel(50);
  const fifty = { calls: calls(50) };
  assert.match(judged(judge, { ...fifty, tokenRequests: requests(0) }), /^not judged: .*one after the other/);
  assert.match(judged(judge, { ...fifty, tokenRequests: requests(0), callsAtOnceMax: 2 }), /^yes/);
  assert.match(judged(judge, { ...fifty, tokenRequests: requests(0, 1), callsAtOnceMax: 2 }), /^no/);
});

test('renewal is judged only after the first token has expired', () => {
  const judge = judgeRenewal(16, 12_000);
  const renewed = { tokenRequests: requests(0, 9000), calls: calls(16) };
  assert.equal(
    judged(judge, renewed),
    'yes: It requested the second token 3.0 s before the first token expired.',
  );
  const late = { ...renewed, tokenRequests: requests(0, 12_500) };
  assert.match(judged(judge, late), /^yes: .*when the first token had expired/);
  assert.match(judged(judge, { ...renewed, calls: calls(12) }), /^not judged: .*12 of 16/);
  assert.match(judged(judge, { ...renewed, calls: calls(14) }), /^no: 14 of 16/);
  const expired = [...calls(13), ...calls(1, 'refused'), ...calls(3)];
  assert.match(judged(judge, { ...renewed, calls: expired }), /^no: 1 call came with an expired token/);
  assert.match(judged(judge, { calls: calls(16, 'refused') }), /^not judged/);
});

test('a refused call must succeed once with a new token', () => {
  const judge = judgeUnauthorized(8);
  const event = { eventAtMs: START_MS + 3000 };
  const refused = calls(1, 'refused');
  const good = { ...event, calls: [...calls(8), ...refused], tokenRequests: requests(0, 3001) };
  assert.match(judged(judge, good), /^yes/);
  assert.match(judged(judge, { ...good, calls: [...good.calls, ...refused] }), /^no: It sent 2 calls/);
  assert.match(
    judged(judge, { ...good, calls: [...calls(7), ...refused] }),
    /^no: .*did not repeat the call/,
  );
  const unrenewed = { ...good, calls: [...calls(3), ...refused], tokenRequests: requests(0) };
  assert.match(judged(judge, unrenewed), /^no: It requested no new token/);
  assert.match(judged(judge, { calls: calls(3), tokenRequests: requests(0) }), /^not judged/);
  assert.match(judged(judge, { ...event, calls: refused, tokenRequests: requests(0) }), /^not judged/);
});

test('parallel refused calls must share one new token', () => {
  const judge = judgeRotation(30);
  const event = { eventAtMs: START_MS + 3000, calls: [...calls(30), ...calls(10, 'refused')] };
  const together = { ...event, callsAtOnceMax: 10 };
  assert.match(judged(judge, { ...together, tokenRequests: requests(0, 3001) }), /^yes/);
  assert.match(
    judged(judge, { ...together, tokenRequests: requests(0, 3001, 3002) }),
    /^no: 2 token requests/,
  );
  assert.match(judged(judge, { ...event, tokenRequests: requests(0, 3001, 3002) }), /^yes/);
});

test('a new try must come after Retry-After and succeed', () => {
  const judge = judgeRetryAfter(3, 429, 2000);
  assert.match(judged(judge, { tokenRequests: requests(0, 2000), calls: calls(3) }), /^yes/);
  assert.match(judged(judge, { tokenRequests: requests(0, 1900), calls: calls(3) }), /^no: .* after 1\.9 s/);
  assert.match(judged(judge, { tokenRequests: requests(0, 2000), calls: calls(2) }), /^no: 2 of 3 calls/);
  assert.match(judged(judge, { tokenRequests: requests(0) }), /^no: It gave up after the 429/);
  assert.match(judged(judge, {}), /^not judged: It requested no token/);
});

test('with a wrong secret a program stops and fails', () => {
  const failed = { ...END, exitCode: 1 };
  const two = { tokenRequests: requests(0, 1), program: failed };
  assert.match(judged(judgeForbidden, two), /^yes: 2 token requests, then exit code 1/);
  assert.match(judged(judgeForbidden, { ...two, tokenRequests: requests(0, 1, 2) }), /^no: It sent 3 token/);
  assert.match(judged(judgeForbidden, { ...two, calls: calls(1, 'refused') }), /^no: It called the API once/);
  assert.match(judged(judgeForbidden, { ...two, program: END }), /^no: It ended with exit code 0/);
  const endless = { ...failed, exitCode: null, timedOut: true };
  assert.match(judged(judgeForbidden, { ...two, program: endless }), /^no: It did not end/);
  assert.match(judged(judgeForbidden, { program: failed }), /^not judged/);
});

test('leaks are judged once a token was used, and named by run', () => {
  const used = observation({ calls: calls(1) });
  const leak = { what: 'an access token', stream: 'stderr' } as const;
  const leaking = observation({ program: { ...END, leaks: [leak] } });
  assert.equal(judgeLeaks([{ name: 'cache', observation: used }]).verdict, 'yes');
  assert.equal(judgeLeaks([{ name: 'cache', observation: observation({}) }]).verdict, 'not judged');
  const runs = ['cache', 'renewal'].map((name) => ({ name, observation: leaking }));
  assert.deepEqual(judgeLeaks(runs), {
    verdict: 'no',
    detail: 'It printed an access token on stderr (cache, renewal).',
  });
});
