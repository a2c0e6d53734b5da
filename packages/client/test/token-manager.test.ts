import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AuthenticationApi, TokenManager, TokenManagerPool } from '../src/index.ts';
import type { ClientEvent } from '../src/index.ts';
import { heldToken } from '../src/held-token.ts';
import { configure } from './support/credentials.ts';
import type { FaultServer } from './support/fault-server.ts';
import { freshToken, problem, reset, silence, startFaultServer, token } from './support/fault-server.ts';
import { virtualClock } from './support/virtual-clock.ts';
import { eventually } from '@mintmark/test-support/eventually';

let server: FaultServer;
before(async () => (server = await startFaultServer()));
after(() => server.close());
beforeEach(() => {
  server.requests.length = 0;
  server.fallback(token());
});

test('1,000 parallel first calls cause one request and share the token', async () => {
  const manager = new TokenManager(configure(server.host));
  const tokens = await Promise.all(Array.from({ length: 1000 }, () => manager.getToken()));
  assert.equal(new Set(tokens).size, 1);
  assert.equal(server.requests.length, 1);
  await manager.getToken();
  assert.equal(server.requests.length, 1);
});

test('1,000 parallel failing first calls cause one request and 1,000 rejections', async () => {
  server.fallback(problem(403, 'invalid_client'));
  const manager = new TokenManager(configure(server.host));
  const results = await Promise.allSettled(Array.from({ length: 1000 }, () => manager.getToken()));
  assert.equal(results.filter(({ status }) => status === 'rejected').length, 1000);
  assert.equal(server.requests.length, 1);
  server.fallback(token());
  await manager.getToken();
  assert.equal(server.requests.length, 2);
});

test('a token is cached, renewed in the background, then waited for', async () => {
  const clock = virtualClock();
  const manager = new TokenManager(configure(server.host, { clock }));
  const first = await manager.getToken();
  // Life 900 s: advisory between 180 and 270 s before the end, mandatory 30 s before.
  await clock.advance(620_000);
  assert.equal(await manager.getToken(), first);
  assert.equal(server.requests.length, 1);

  await clock.advance(105_000);
  assert.equal(await manager.getToken(), first, 'the old token is served while the new one is fetched');
  assert.equal(await manager.getToken(), first);
  await eventually(() => server.requests.length === 2);
  const second = await eventually(async () => {
    const renewed = await manager.getToken();
    assert.notEqual(renewed, first);
    return renewed;
  }, 2500);
  assert.equal(server.requests.length, 2);

  await clock.advance(871_000);
  const third = await manager.getToken();
  assert.notEqual(third, second, 'with 29 s left the caller waits for a new token');
  assert.equal(server.requests.length, 3);
});

test('tokens of 30 seconds and of one second are cached too', async () => {
  const clock = virtualClock();
  for (const life of [30, 1]) {
    server.requests.length = 0;
    server.fallback(token({ expires_in: life }));
    const manager = new TokenManager(configure(server.host, { clock }));
    const first = await manager.getToken();
    await clock.advance(life * 690);
    assert.equal(await manager.getToken(), first);
    assert.equal(server.requests.length, 1);
    await clock.advance(life * 215);
    assert.notEqual(await manager.getToken(), first, 'below a tenth of its life it is not handed out');
  }
});

test('no token is returned with less than its mandatory window left', async () => {
  const clock = virtualClock();
  const ends = new Map<string, number>();
  server.fallback((response, request, raw) => {
    const accessToken = freshToken();
    ends.set(accessToken, clock.now() + 60_000);
    token({ access_token: accessToken, expires_in: 60 })(response, request, raw);
  });
  const manager = new TokenManager(configure(server.host, { clock }));
  for (let i = 0; i < 200; i++) {
    const handedOut = await manager.getToken();
    const left = (ends.get(handedOut) ?? 0) - clock.now();
    assert.ok(left >= 6000, `${left} ms left`);
    await clock.advance(Math.random() * 20_000);
  }
});

test('the windows shrink with the token’s life; the advisory one is jittered', () => {
  const windows = { advisoryWindowMs: 300_000, mandatoryWindowMs: 30_000 };
  const all = Array.from({ length: 500 }, () => heldToken('t', 3_600_000, 3_600_000, windows));
  const left = all.map(({ renewFrom }) => 3_600_000 - renewFrom);
  assert.ok(Math.min(...left) >= 240_000 && Math.max(...left) <= 360_000);
  assert.ok(Math.max(...left) - Math.min(...left) > 60_000, 'a fleet would renew at the same moment');
  assert.ok(all.every(({ waitFrom }) => waitFrom === 3_570_000));
  const short = heldToken('t', 2000, 2000, windows);
  assert.equal(short.waitFrom, 1800);
  assert.ok(short.renewFrom >= 1400 && short.renewFrom <= 1600);
  const none = heldToken('t', 1000, 1000, { advisoryWindowMs: 0, mandatoryWindowMs: 50 });
  assert.ok(none.renewFrom <= none.waitFrom);
});

/** Counts token requests. Answers take real time: a test waits for them before its clock moves on. */
function requestCounter() {
  let [sent, ended] = [0, 0];
  return {
    sent: () => sent,
    onEvent({ type }: ClientEvent) {
      if (type === 'request') sent++;
      if (type === 'renewal' || type === 'failure') ended++;
    },
    async allEnded() {
      await new Promise((resolve) => setImmediate(resolve));
      await eventually(() => sent === ended);
    },
  };
}

test('failing background renewals back off, then callers see the failure', async () => {
  const clock = virtualClock();
  const { sent, onEvent, allEnded } = requestCounter();
  const manager = new TokenManager(configure(server.host, { clock, onEvent, retry: { attempts: 1 } }));
  const first = await manager.getToken();
  server.fallback(problem(500, 'server_error'));
  await clock.advance(725_000);
  for (let calls = 0; calls < 140; calls++) {
    assert.equal(await manager.getToken(), first);
    await allEnded();
    await clock.advance(1000);
  }
  const attempts = sent() - 1;
  assert.ok(attempts >= 3 && attempts <= 9, `${attempts} background attempts in 140 s`);
  await clock.advance(10_000);
  await assert.rejects(manager.getToken(), { status: 500 });
});

test('a background renewal waits as long as the server says', async () => {
  const clock = virtualClock();
  const { sent, onEvent, allEnded } = requestCounter();
  const manager = new TokenManager(configure(server.host, { clock, onEvent, retry: { attempts: 1 } }));
  await manager.getToken();
  server.fallback(problem(429, 'rate_limit_exceeded', { 'retry-after': '60' }));
  await clock.advance(725_000);
  for (let calls = 0; calls < 60; calls++) {
    await manager.getToken();
    await allEnded();
    assert.equal(sent(), 2, `after ${calls} s`);
    await clock.advance(1000);
  }
  await manager.getToken();
  await allEnded();
  assert.equal(sent(), 3);
});

test('a waiting caller retries when a background renewal fails', async () => {
  const clock = virtualClock();
  const manager = new TokenManager(configure(server.host, { clock }));
  await manager.getToken();
  await clock.advance(725_000);
  let fail: (() => void) | undefined;
  server.next((response, request, raw) => (fail = () => problem(503, 'busy')(response, request, raw)));
  await manager.getToken();
  await eventually(() => fail !== undefined);
  await clock.advance(150_000);
  const waiting = manager.getToken();
  fail?.();
  assert.match(await waiting, /^eyJ/);
  assert.equal(server.requests.length, 3);
});

test('invalidate discards that very token and no other', async () => {
  const manager = new TokenManager(configure(server.host));
  const first = await manager.getToken();
  manager.invalidate('another token');
  assert.equal(await manager.getToken(), first);
  manager.invalidate(first);
  const second = await manager.getToken();
  assert.notEqual(second, first);
  manager.invalidate(first);
  assert.equal(await manager.getToken(), second);
  assert.equal(server.requests.length, 2);
});

test('100 callers reporting the same refused token cause one new request', async () => {
  const manager = new TokenManager(configure(server.host));
  const first = await manager.getToken();
  const tokens = await Promise.all(
    Array.from({ length: 100 }, () => {
      manager.invalidate(first);
      return manager.getToken();
    }),
  );
  assert.equal(new Set(tokens).size, 1);
  assert.equal(server.requests.length, 2);
});

test('an aborting caller gets its reason while the request serves the others', async () => {
  const manager = new TokenManager(configure(server.host));
  let answer: (() => void) | undefined;
  server.next((response, request, raw) => (answer = () => token()(response, request, raw)));
  const controller = new AbortController();
  const reason = new Error('enough');
  const aborted = manager.getToken({ signal: controller.signal });
  const patient = manager.getToken();
  await eventually(() => answer !== undefined);
  controller.abort(reason);
  await assert.rejects(aborted, (error) => error === reason);
  answer?.();
  const got = await patient;
  assert.equal(await manager.getToken({ signal: new AbortController().signal }), got);
  await assert.rejects(manager.getToken({ signal: controller.signal }), (error) => error === reason);
  assert.equal(server.requests.length, 1);
});

test('a clock set back by an hour makes no token live longer', async (t) => {
  server.fallback(token({ expires_in: 1 }));
  const manager = new TokenManager(configure(server.host));
  const first = await manager.getToken();
  const realNow = Date.now;
  t.after(() => (Date.now = realNow));
  Date.now = () => realNow() - 3_600_000;
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.notEqual(await manager.getToken(), first);
});

test('a clock that jumps ahead, as after sleep, makes the token renewed', async (t) => {
  const manager = new TokenManager(configure(server.host));
  const first = await manager.getToken();
  const realNow = Date.now;
  t.after(() => (Date.now = realNow));
  Date.now = () => realNow() + 1_000_000;
  assert.notEqual(await manager.getToken(), first);
});

test('the life of a token counts from the sending of its request', async () => {
  const clock = virtualClock();
  const manager = new TokenManager(configure(server.host, { clock }));
  server.next((response, request, raw) => {
    clock.set(clock.now() + 600_000);
    token({ expires_in: 601 })(response, request, raw);
  });
  const first = await manager.getToken();
  assert.notEqual(await manager.getToken(), first, 'one second of its life is left');
});

test('each tenant of a pool has its own token, requested once', async () => {
  const pool = new TokenManagerPool((tenant) =>
    configure(server.host, { clientId: tenant, clientSecret: `s-${tenant}` }),
  );
  const tokens = await Promise.all(
    Array.from({ length: 300 }, (_, i) => pool.for(`tenant-${i % 3}`).getToken()),
  );
  assert.equal(new Set(tokens).size, 3);
  assert.deepEqual(
    server.requests.map(({ form }) => `${form.get('client_id')} ${form.get('client_secret')}`).sort(),
    ['tenant-0 s-tenant-0', 'tenant-1 s-tenant-1', 'tenant-2 s-tenant-2'],
  );
});

test('a pool drops the least recently used tenant and a deleted one', () => {
  const pool = new TokenManagerPool((tenant) => configure(server.host, { clientId: tenant }), {
    managersMax: 2,
  });
  const [a, b] = [pool.for('a'), pool.for('b')];
  assert.equal(pool.for('a'), a);
  pool.for('c');
  assert.equal(pool.for('a'), a);
  assert.notEqual(pool.for('b'), b);
  const again = pool.for('b');
  pool.delete('b');
  assert.notEqual(pool.for('b'), again);
});

/** Runs a script in a Node of its own; resolves to its exit code, and its output. */
async function runScript(script: string): Promise<{ code: unknown; output: string }> {
  const sources = new URL('../src/index.ts', import.meta.url).href;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, HOST: server.host, SOURCES: sources },
    cwd: fileURLToPath(new URL('..', import.meta.url)),
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  const [code]: unknown[] = await once(child, 'close');
  return { code, output };
}

test('an unawaited failing renewal neither ends the process nor stays unhandled', async () => {
  server.fallback(token({ expires_in: 2 }));
  server.next(token({ expires_in: 2 }), problem(403, 'invalid_client'), reset, problem(500, 'server_error'));
  const { code, output } = await runScript(`
    const { Configuration, TokenManager } = await import(process.env.SOURCES);
    const manager = new TokenManager(new Configuration({ host: process.env.HOST, clientId: 'a', clientSecret: 'b' }));
    await manager.getToken();
    const end = Date.now() + 1700;
    while (Date.now() < end) { await manager.getToken(); await new Promise((r) => setTimeout(r, 20)); }
    console.log('alive');
  `);
  assert.equal(output.trim(), 'alive');
  assert.equal(code, 0);
  assert.ok(server.requests.length >= 3, `${server.requests.length} requests`);
});

test('a process with a token in back-off ends: no timer holds it', async () => {
  server.fallback(token({ expires_in: 1 }));
  const { code, output } = await runScript(`
    const { Configuration, TokenManager } = await import(process.env.SOURCES);
    const manager = new TokenManager(new Configuration({ host: process.env.HOST, clientId: 'a', clientSecret: 'b' }));
    await manager.getToken();
    const begun = Date.now();
    process.on('exit', () => console.log(Date.now() - begun));
    await new Promise((r) => setTimeout(r, 800));
    await manager.getToken();
  `);
  assert.equal(code, 0);
  assert.ok(Number(output) < 3000, `it lived on for ${output} ms`);
});

test('events cover requests, retries, renewals and failures, without a secret', async () => {
  const events: ClientEvent[] = [];
  const onEvent = (event: ClientEvent) => void events.push(event);
  server.next(problem(503, 'busy'), reset, token({ access_token: 'the-token' }, { 'x-request-id': 'r-1' }));
  const manager = new TokenManager(configure(server.host, { onEvent, clientSecret: 'the-secret' }));
  await manager.getToken();
  assert.deepEqual(
    events.map(({ type }) => type),
    ['request', 'response', 'retry', 'request', 'retry', 'request', 'response', 'renewal'],
  );
  assert.equal(new Set(events.flatMap((event) => ('id' in event ? [event.id] : []))).size, 1);
  const renewal = events.at(-1)!;
  assert.ok(renewal.type === 'renewal' && renewal.source === 'server' && !renewal.background);
  assert.ok(renewal.durationMs > 0 && renewal.expiresInMs > 899_000 && renewal.expiresInMs <= 900_000);
  const response = events.at(-2)!;
  assert.ok(response.type === 'response' && response.requestId === 'r-1' && response.attempt === 3);
  assert.ok(events.every(({ clientId }) => clientId === 'api_test'));

  events.length = 0;
  server.next(problem(403, 'invalid_client'));
  await assert.rejects(new AuthenticationApi(configure(server.host, { onEvent })).oAuth2TokenPost());
  const failure = events.at(-1)!;
  assert.ok(failure.type === 'failure' && failure.code === 'forbidden' && failure.requestId === 'request-1');
  assert.doesNotMatch(JSON.stringify(events), /the-secret|the-token/);
});

test('a listener that throws costs nobody a token', async () => {
  const onEvent = () => {
    throw new Error('broken listener');
  };
  assert.match(await new TokenManager(configure(server.host, { onEvent })).getToken(), /^eyJ/);
});

test('subscribers of node:diagnostics_channel are told the same, per type', async (t) => {
  const { subscribe, unsubscribe } = process.getBuiltinModule('node:diagnostics_channel');
  const told: unknown[] = [];
  const types = ['request', 'response', 'retry', 'renewal', 'failure'];
  const listener = (message: unknown, name: string | symbol) =>
    void told.push([name, Reflect.get(Object(message), 'type')]);
  for (const type of types) subscribe(`mintmark:client:${type}`, listener);
  t.after(() => types.forEach((type) => unsubscribe(`mintmark:client:${type}`, listener)));
  server.next(problem(500, 'server_error'));
  await new TokenManager(configure(server.host)).getToken();
  server.next(silence);
  const api = new AuthenticationApi(configure(server.host, { timeoutMs: 50, retry: false }));
  await assert.rejects(api.oAuth2TokenPost());
  assert.deepEqual(
    told,
    ['request', 'response', 'retry', 'request', 'response', 'renewal', 'request', 'failure'].map((type) => [
      `mintmark:client:${type}`,
      type,
    ]),
  );
});
