// A server that is away for a while, as in a restart: calls last until the deadline, on a clock that runs faster.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiException, AuthenticationApi, Configuration, TokenManager } from '../src/index.ts';
import type { ClientEvent, ConfigurationParameters } from '../src/index.ts';
import { fastClock } from './support/fast-clock.ts';
import type { Answer, FaultServer } from './support/fault-server.ts';
import { json, problem, reset, startFaultServer, token } from './support/fault-server.ts';

const SPEED = 10;
const RESTART_MS = 22_000;
const JOBS = 20;
const DEADLINE_MS = 120_000;
/** With no wait shorter than half of the longest on average, this many attempts fill the deadline. */
const ATTEMPTS_MAX = 80;

/** The retry policy that a program has without naming one. */
function configureFast(host: string, parameters: ConfigurationParameters = {}): Configuration {
  return new Configuration({
    host,
    clientId: 'a',
    clientSecret: 'mms_test',
    clock: fastClock(SPEED),
    ...parameters,
  });
}

const inRestart = () => new Promise<void>((resolve) => setTimeout(resolve, RESTART_MS / SPEED));

async function failureOf(call: Promise<unknown>): Promise<ApiException> {
  const error: unknown = await call.then(
    () => assert.fail('it succeeded'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ApiException, String(error));
  return error;
}

/** A port on which nothing listens, and the way to bring the server back there. */
async function stopped(answer?: Answer): Promise<{ host: string; start: () => Promise<FaultServer> }> {
  const gone = await startFaultServer();
  await gone.close();
  return { host: gone.host, start: () => startFaultServer(answer, Number(new URL(gone.origin).port)) };
}

test('20 jobs that start during a 22-second restart all get tokens', async () => {
  const { host, start } = await stopped();
  const jobs = Array.from({ length: JOBS }, () => new TokenManager(configureFast(host)).getToken());
  const settled = Promise.allSettled(jobs);
  await inRestart();
  await using server = await start();
  const failed = (await settled).filter(({ status }) => status === 'rejected');
  assert.deepEqual(failed, []);
  assert.equal(server.requests.length, JOBS);
});

for (const [name, answer] of [
  ['resets connections', reset],
  ['answers 502', problem(502, 'bad_gateway')],
  ['answers 503', problem(503, 'temporarily_unavailable')],
  ['answers 429 and names no time', problem(429, 'rate_limit_exceeded')],
] as const) {
  test(`a token request outlasts a server that ${name} for 22 seconds`, async () => {
    await using server = await startFaultServer(answer);
    const call = new AuthenticationApi(configureFast(server.host)).oAuth2TokenPostWithHttpInfo();
    const settled = Promise.allSettled([call]);
    await inRestart();
    server.fallback(token());
    const [outcome] = await settled;
    assert.equal(outcome.status, 'fulfilled', JSON.stringify(outcome));
  });
}

test('an API call outlasts a restart of 22 seconds', async () => {
  await using tokens = await startFaultServer();
  const { host, start } = await stopped(json(200, { ok: true }));
  const manager = new TokenManager(configureFast(tokens.host));
  const settled = Promise.allSettled([manager.fetch(host)]);
  await inRestart();
  await using api = await start();
  const [outcome] = await settled;
  assert.equal(outcome.status, 'fulfilled', JSON.stringify(outcome));
  assert.equal(api.requests.length, 1);
});

test('the deadline ends the retries, which come with growing, random waits', async () => {
  const { host } = await stopped();
  const delays: number[] = [];
  const onEvent = (event: ClientEvent) => {
    if (event.type === 'retry') delays.push(event.delayMs);
  };
  const clock = fastClock(SPEED);
  const startedAt = clock.now();
  const error = await failureOf(
    new AuthenticationApi(configureFast(host, { clock, onEvent })).oAuth2TokenPost(),
  );
  const tookMs = clock.now() - startedAt;
  assert.equal(error.code, 'connection_failed');
  assert.ok(tookMs > DEADLINE_MS / 2 && tookMs < DEADLINE_MS * 1.5, `${tookMs} ms`);
  assert.ok(error.attempts > 5 && error.attempts < ATTEMPTS_MAX, `${error.attempts} attempts`);
  delays.forEach((delayMs, index) => assert.ok(delayMs <= Math.min(10_000, 250 * 2 ** index)));
  assert.equal(new Set(delays).size, delays.length);
});

test('a server that says "Retry-After: 0" gets no tight loop of requests', async () => {
  await using server = await startFaultServer(problem(503, 'busy', { 'retry-after': '0' }));
  const error = await failureOf(new AuthenticationApi(configureFast(server.host)).oAuth2TokenPost());
  assert.ok(error.attempts > 5 && error.attempts < ATTEMPTS_MAX, `${error.attempts} attempts`);
});

test('lasting faults end after five attempts: 500, unknown host, bad certificate', async () => {
  await using server = await startFaultServer(problem(500, 'server_error'));
  assert.equal(
    (await failureOf(new AuthenticationApi(configureFast(server.host)).oAuth2TokenPost())).attempts,
    5,
  );
  const thrown = [
    { cause: { code: 'ENOTFOUND', message: 'getaddrinfo ENOTFOUND auth.exmaple' } },
    { cause: { code: 'CERT_HAS_EXPIRED', message: 'certificate has expired' } },
    { cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT', message: 'self-signed certificate' } },
    { cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', message: 'unable to verify' } },
    { cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID', message: 'altnames' } },
  ];
  for (const failure of thrown) {
    const fetch = () => Promise.reject(Object.assign(new TypeError('fetch failed'), failure));
    const error = await failureOf(
      new AuthenticationApi(configureFast(server.host, { fetch })).oAuth2TokenPost(),
    );
    assert.equal(error.attempts, 5, failure.cause.code);
    let calls = 0;
    const manager = new TokenManager(configureFast(server.host, { fetch: async () => json200() }));
    const call = manager.withToken(() => {
      calls += 1;
      return fetch();
    });
    await assert.rejects(call(server.origin), failure);
    assert.equal(calls, 5, failure.cause.code);
  }
});

const json200 = () =>
  new Response(JSON.stringify({ access_token: 'abc', token_type: 'Bearer', expires_in: 900 }));

test('a single 500 after many refusals does not end a call', async () => {
  await using server = await startFaultServer();
  const busy = problem(503, 'busy', { 'retry-after': '0' });
  server.next(...Array.from({ length: 7 }, () => busy), problem(500, 'server_error'));
  const { attempts } = await new AuthenticationApi(configureFast(server.host)).oAuth2TokenPostWithHttpInfo();
  assert.equal(attempts, 9);
});

test('a call that fetch itself refuses fails within a few attempts', async () => {
  await using server = await startFaultServer();
  const manager = new TokenManager(configureFast(server.host));
  const startedAt = performance.now();
  // GET with a body, and something that is no URL.
  await assert.rejects(manager.fetch(server.origin, { body: 'x' }), TypeError);
  await assert.rejects(manager.fetch('nonsense'), TypeError);
  assert.ok(performance.now() - startedAt < DEADLINE_MS / SPEED / 2);
});

test('attempts bounds the retries if a program sets it, Infinity included', async () => {
  const { host } = await stopped();
  const call = (retry: ConfigurationParameters['retry']) =>
    failureOf(new AuthenticationApi(configureFast(host, { retry })).oAuth2TokenPost());
  assert.equal((await call({ attempts: 2 })).attempts, 2);
  assert.ok((await call({ attempts: Infinity, deadlineMs: 10_000 })).attempts > 2);
  assert.throws(() => configureFast(host, { retry: { attempts: 0 } }), { option: 'retry.attempts' });
});

test('a refused connection says "check host" only of an unanswered host', async () => {
  const server = await startFaultServer(problem(400, 'invalid_request'));
  const call = () =>
    failureOf(new AuthenticationApi(configureFast(server.host, { retry: false })).oAuth2TokenPost());
  await call();
  await server.close();
  const error = await call();
  assert.match(error.message, /ECONNREFUSED.*answered before/);
  assert.doesNotMatch(error.message, /check host/i);
  const { host } = await stopped();
  const unknown = await failureOf(
    new AuthenticationApi(configureFast(host, { retry: false })).oAuth2TokenPost(),
  );
  assert.match(unknown.message, /Check host/);
});
