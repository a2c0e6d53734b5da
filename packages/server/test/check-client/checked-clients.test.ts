// Test setup: own store, own limits, first.
// `mintmark check-client` on our SDK, on curl, and on programs with a planted fault for each verdict.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { join } from 'node:path';
import { checkClient, type ClientCheck } from '../../src/server/check-client/check-client.ts';
import { SCENARIOS, type Scenario } from '../../src/server/check-client/scenarios.ts';
import { CURL, nodeCommand, OUR_CLIENT, skipReason } from './subjects.ts';

const RUNS_AT_ONCE = 3;

const CLIENTS = join(import.meta.dirname, 'clients');
const planted = (fault: string) => [...nodeCommand(join(CLIENTS, 'planted.ts')), fault];

const named = (...names: string[]) => SCENARIOS.filter(({ name }) => names.includes(name));

async function checked(
  command: readonly string[],
  scenarios: readonly Scenario[] = SCENARIOS,
): Promise<ClientCheck[]> {
  const signal = new AbortController().signal;
  return await checkClient(
    { command, env: process.env, scopes: ['campaigns:read'], audiences: [], signal },
    scenarios,
  );
}

function verdicts(checks: readonly ClientCheck[]): Record<string, string> {
  return Object.fromEntries(checks.map(({ name, verdict }) => [name, verdict]));
}

/** Each fault, the check that must find it, and what that reports. */
const PLANTED: [fault: string, check: string, detail: RegExp][] = [
  ['no cache', 'cache', /^20 token requests for 20 calls\.$/],
  ['no shared request', 'parallel', /^50 token requests for 50 calls\.$/],
  ['ignores the expiry', 'renewal', /came with an expired token/],
  ['ignores the 401', 'unauthorized', /^It requested no new token: 1 call got 401\. 3 of 8 calls succeeded/],
  ['does not repeat the call', 'unauthorized', /did not repeat the call: 1 call got 401\. 7 of 8/],
  ['repeats with the old token', 'unauthorized', /2 calls got 401/],
  ['ignores the 401', 'rotation', /^It requested no new token: 10 calls got 401/],
  ['renews for each call', 'rotation', /^10 token requests for 10 refused calls\.$/],
  ['ignores Retry-After', 'retry-after-429', /^It tried again after [01]\.\d s instead of 2\.0 s\.$/],
  ['ignores Retry-After', 'retry-after-503', /^It tried again after [01]\.\d s instead of 2\.0 s\.$/],
  ['gives up', 'retry-after-429', /^It gave up after the 429\. It ended with exit code 1\.$/],
  ['gives up', 'retry-after-503', /^It gave up after the 503\. It ended with exit code 1\.$/],
  ['ignores the status', 'forbidden', /^It called the API (once|\d+ times) without a token/],
  ['hides the failure', 'forbidden', /exit code 0, as after a success/],
  ['prints the answer', 'leaks', /^It printed an access token on stdout \(cache\)\.$/],
  ['prints the secret', 'leaks', /^It printed the client secret on stderr \(cache\)\.$/],
  ['prints the Basic header', 'leaks', /^It printed the client secret on stdout \(cache\)\.$/],
];

describe('mintmark check-client', { concurrency: RUNS_AT_ONCE }, () => {
  test('our SDK passes every check', async () => {
    const checks = await checked(OUR_CLIENT.command(''));
    assert.deepEqual(
      checks.filter(({ verdict }) => verdict !== 'yes'),
      [],
    );
    assert.equal(checks.length, SCENARIOS.length + 1);
  });

  test('the planted program without a fault passes every check', async () => {
    const checks = await checked(planted('none'));
    assert.deepEqual(
      checks.filter(({ verdict }) => verdict !== 'yes'),
      [],
    );
  });

  test('every check has a planted fault', () => {
    const found = new Set(PLANTED.map(([, check]) => check));
    assert.deepEqual(Array.from(found), [...SCENARIOS.map(({ name }) => name), 'leaks']);
  });

  for (const [fault, name, detail] of PLANTED) {
    test(`${name} finds: ${fault}`, async () => {
      const checks = await checked(planted(fault), named(name === 'leaks' ? 'cache' : name));
      const check = checks.find((each) => each.name === name);
      assert.equal(check?.verdict, 'no', JSON.stringify(checks));
      assert.match(check.detail, detail);
    });
  }

  test('a program that insists on a wrong secret is ended and reported', async () => {
    const [forbidden] = named('forbidden');
    assert.ok(forbidden !== undefined);
    const [check] = await checked(planted('insists'), [{ ...forbidden, limitMs: 2000 }]);
    assert.equal(check?.verdict, 'no');
    assert.match(
      check.detail,
      /^It sent \d+ token requests with the wrong secret\. It did not end in time\.$/,
    );
  });

  test('a program that never ends is judged by what it did', async () => {
    const [cache] = named('cache');
    assert.ok(cache !== undefined);
    const [check] = await checked(planted('never ends'), [{ ...cache, limitMs: 8000 }]);
    assert.equal(check?.verdict, 'yes');
    assert.match(check.detail, /^1 token request for \d+ calls\.$/);
  });

  test('a program that makes no call is not judged', async () => {
    const checks = await checked(
      planted('never calls'),
      SCENARIOS.filter(({ name }) => name !== 'renewal'),
    );
    const others = checks.filter(({ verdict }) => verdict !== 'not judged');
    assert.deepEqual(others, []);
  });

  test('an uncaught error of simple-oauth2 prints the secret', async () => {
    const program = nodeCommand(join(CLIENTS, 'simple-oauth2-uncaught.ts'));
    const [, leaks] = await checked(program, named('forbidden'));
    assert.deepEqual(
      [leaks?.verdict, leaks?.detail],
      ['no', 'It printed the client secret on stderr (forbidden).'],
    );
  });

  test('curl in a loop keeps its token and survives no refusal', { skip: skipReason(CURL) }, async () => {
    const checks = await checked(
      CURL.command(''),
      SCENARIOS.filter(({ name }) => name !== 'renewal'),
    );
    assert.deepEqual(verdicts(checks), {
      cache: 'yes',
      parallel: 'yes',
      unauthorized: 'no',
      rotation: 'no',
      'retry-after-429': 'yes',
      'retry-after-503': 'yes',
      forbidden: 'yes',
      leaks: 'yes',
    });
  });
});
