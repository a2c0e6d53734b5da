import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { after, before, beforeEach, test } from 'node:test';
import { TokenManager } from '../src/index.ts';
import type { ClientEvent, ConfigurationParameters } from '../src/index.ts';
import { configure } from './support/credentials.ts';
import type { Answer, FaultServer } from './support/fault-server.ts';
import { json, plain, problem, reset, startFaultServer } from './support/fault-server.ts';

let tokens: FaultServer;
let api: FaultServer;
before(async () => {
  tokens = await startFaultServer();
  api = await startFaultServer(json(200, { ok: true }));
});
after(async () => {
  await tokens.close();
  await api.close();
});
beforeEach(() => {
  tokens.requests.length = 0;
  api.requests.length = 0;
});

function managerWith(parameters: ConfigurationParameters = {}): TokenManager {
  return new TokenManager(configure(tokens.host, parameters));
}

const refused: Answer = plain(401, '{"errors":[]}', {
  'www-authenticate': 'Bearer realm="api", error="invalid_token", error_description="expired"',
});

test('fetch of a manager sends the token as Bearer, keeping the rest', async () => {
  const manager = managerWith();
  const response = await manager.fetch(`${api.origin}/campaigns?id=1`, {
    headers: { authorization: 'Bearer undefined', 'x-own': '1' },
  });
  assert.deepEqual(await response.json(), { ok: true });
  const [request] = api.requests;
  assert.equal(request?.url, '/campaigns?id=1');
  assert.equal(request?.headers.authorization, `Bearer ${await manager.getToken()}`);
  assert.equal(request?.headers['x-own'], '1');
  assert.equal(tokens.requests.length, 1);
});

test('URL, Request, and Request with options are sent as fetch does', async () => {
  const { fetch } = managerWith();
  await fetch(new URL('/a', api.origin));
  await fetch(new Request(`${api.origin}/b`, { method: 'PUT', body: 'text', headers: { 'x-own': '2' } }));
  await fetch(new Request(`${api.origin}/c`, { method: 'POST', body: 'old' }), {
    body: 'new',
    method: 'PATCH',
  });
  assert.deepEqual(
    api.requests.map(({ method, url, body, headers }) => [method, url, body, headers['x-own']]),
    [
      ['GET', '/a', '', undefined],
      ['PUT', '/b', 'text', '2'],
      ['PATCH', '/c', 'new', undefined],
    ],
  );
  assert.ok(api.requests.every(({ headers }) => headers.authorization?.startsWith('Bearer eyJ')));
});

test('a 401 invalid_token is answered with one replay and a fresh token', async () => {
  const manager = managerWith();
  const old = await manager.getToken();
  api.next(refused);
  const response = await manager.fetch(`${api.origin}/x`, { method: 'POST', body: 'once' });
  assert.equal(response.status, 200);
  assert.deepEqual(
    api.requests.map(({ body }) => body),
    ['once', 'once'],
  );
  const sent = api.requests.map(({ headers }) => headers.authorization);
  assert.equal(sent[0], `Bearer ${old}`);
  assert.notEqual(sent[1], sent[0]);
  assert.equal(tokens.requests.length, 2);
});

test('a second 401 in a row is returned and its token dropped', async () => {
  const manager = managerWith();
  api.next(refused, refused);
  const response = await manager.fetch(`${api.origin}/x`);
  assert.equal(response.status, 401);
  assert.equal(await response.text(), '{"errors":[]}');
  assert.equal(api.requests.length, 2);
  const sent = api.requests.map(({ headers }) => headers.authorization);
  assert.ok(!sent.includes(`Bearer ${await manager.getToken()}`));
});

test('a 401 for another reason and a 403 are returned at once', async () => {
  const manager = managerWith();
  const challenges = ['', 'Bearer', 'Basic realm="invalid_token"', 'Bearer error="insufficient_scope"'];
  for (const challenge of challenges) {
    api.requests.length = 0;
    api.next(plain(401, 'no', challenge === '' ? {} : { 'www-authenticate': challenge }));
    assert.equal((await manager.fetch(`${api.origin}/x`)).status, 401);
    assert.equal(api.requests.length, 1, challenge);
  }
  api.next(problem(403, 'insufficient_scope'));
  assert.equal((await manager.fetch(`${api.origin}/x`)).status, 403);
  assert.equal(tokens.requests.length, 1);
});

test('100 parallel refused calls get one new token and all succeed', async () => {
  const manager = managerWith();
  const old = await manager.getToken();
  api.fallback((response, request, raw) =>
    (request.headers.authorization === `Bearer ${old}` ? refused : json(200, {}))(response, request, raw),
  );
  const responses = await Promise.all(
    Array.from({ length: 100 }, (_, i) => manager.fetch(`${api.origin}/${i}`, { method: 'POST', body: 'b' })),
  );
  api.fallback(json(200, { ok: true }));
  assert.ok(responses.every(({ status }) => status === 200));
  assert.equal(tokens.requests.length, 2);
});

const repeatable: [string, () => NonNullable<RequestInit['body']>, string | RegExp][] = [
  ['a string', () => 'text', 'text'],
  ['bytes', () => new TextEncoder().encode('bytes'), 'bytes'],
  ['a Blob', () => new Blob(['blob']), 'blob'],
  ['URLSearchParams', () => new URLSearchParams({ a: '1 2' }), 'a=1+2'],
  [
    'FormData',
    () => {
      const form = new FormData();
      form.set('field', 'value');
      return form;
    },
    /name="field"\r\n\r\nvalue/,
  ],
];

for (const [name, body, expected] of repeatable) {
  test(`a body (${name}) is resent after a 401 and a 429`, async () => {
    const { fetch } = managerWith();
    for (const answer of [refused, problem(429, 'rate_limit_exceeded', { 'retry-after': '0' })]) {
      api.requests.length = 0;
      api.next(answer);
      assert.equal((await fetch(`${api.origin}/x`, { method: 'POST', body: body() })).status, 200);
      assert.equal(api.requests.length, 2);
      for (const request of api.requests) {
        if (typeof expected === 'string') assert.equal(request.body, expected);
        else assert.match(request.body, expected);
      }
    }
  });
}

test('a stream body is sent once, and a refused token is dropped', async () => {
  const manager = managerWith();
  const bodies = [
    () => new Blob(['web stream']).stream(),
    // What undici takes beyond the standard.
    () => Readable.from(['node ', 'stream']),
  ];
  for (const body of bodies) {
    for (const answer of [
      refused,
      problem(429, 'rate_limit_exceeded', { 'retry-after': '0' }),
      problem(503, 'busy'),
    ]) {
      api.requests.length = 0;
      api.next(answer);
      const before401 = await manager.getToken();
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
      const init = { method: 'PUT', body: body(), duplex: 'half' } as RequestInit;
      const response = await manager.fetch(`${api.origin}/x`, init);
      assert.ok(response.status >= 400);
      assert.equal(api.requests.length, 1);
      assert.match(api.requests[0]!.body, /stream$/);
      if (response.status === 401) assert.notEqual(await manager.getToken(), before401);
    }
  }
});

test('a small Request body is resent, a larger one is streamed once', async () => {
  const manager = managerWith();
  const small = 'small'.repeat(1000);
  api.next(refused);
  assert.equal(
    (await manager.fetch(new Request(`${api.origin}/s`, { method: 'POST', body: small }))).status,
    200,
  );
  assert.deepEqual(
    api.requests.map(({ body }) => body === small),
    [true, true],
  );

  api.requests.length = 0;
  api.next(refused);
  const large = 'large'.repeat(400_000);
  const response = await manager.fetch(new Request(`${api.origin}/l`, { method: 'POST', body: large }));
  assert.equal(response.status, 401);
  assert.equal(api.requests.length, 1);
  assert.equal(api.requests[0]?.body, large);
});

test('a 429 waits for Retry-After and is tried again, for every method', async () => {
  const { fetch } = managerWith();
  const begun = performance.now();
  api.next(problem(429, 'rate_limit_exceeded', { 'retry-after': '1' }));
  const response = await fetch(`${api.origin}/x`, { method: 'POST', body: '{}' });
  assert.equal(response.status, 200);
  const waited = performance.now() - begun;
  assert.ok(waited >= 990 && waited < 2500, `${waited} ms`);
});

test('a lasting 429 is returned with its body after the policy’s attempts', async () => {
  const { fetch } = managerWith({ retry: { attempts: 3 } });
  api.fallback(problem(429, 'rate_limit_exceeded', { 'retry-after': '0' }));
  const response = await fetch(`${api.origin}/x`);
  api.fallback(json(200, { ok: true }));
  assert.equal(response.status, 429);
  assert.match(await response.text(), /rate_limit_exceeded/);
  assert.equal(api.requests.length, 3);
});

test('repeatable methods and calls with an Idempotency-Key retry 5xx and resets', async () => {
  const { fetch } = managerWith();
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']) {
    for (const answer of [problem(500, 'server_error'), problem(503, 'busy'), reset]) {
      api.requests.length = 0;
      api.next(answer, answer);
      assert.equal((await fetch(`${api.origin}/x`, { method })).status, 200);
      assert.equal(api.requests.length, 3, method);
    }
  }
  api.requests.length = 0;
  api.next(reset);
  await fetch(`${api.origin}/x`, { method: 'POST', body: 'b', headers: { 'idempotency-key': 'k' } });
  assert.equal(api.requests.length, 2);
});

test('a POST that may have had an effect is not resent automatically', async () => {
  const { fetch } = managerWith();
  api.next(problem(500, 'server_error'));
  assert.equal((await fetch(`${api.origin}/x`, { method: 'POST', body: 'b' })).status, 500);
  api.next(reset);
  await assert.rejects(fetch(`${api.origin}/x`, { method: 'POST', body: 'b' }), TypeError);
  assert.equal(api.requests.length, 2);
});

test('withToken wraps any fetch; retry: false leaves only the token replay', async () => {
  const seen: string[] = [];
  const own: typeof globalThis.fetch = (input, init) => {
    seen.push(`${init?.method ?? 'GET'} ${input instanceof Request ? input.url : input.toString()}`);
    return globalThis.fetch(input, init);
  };
  const wrapped = managerWith().withToken(own, { retry: false });
  api.next(refused, problem(429, 'rate_limit_exceeded', { 'retry-after': '0' }));
  assert.equal((await wrapped(`${api.origin}/x`)).status, 429);
  assert.equal(seen.length, 2);
});

test('an aborted signal ends the call, its waits included, with its reason', async () => {
  const { fetch } = managerWith();
  const reason = new Error('no longer wanted');
  const controller = new AbortController();
  api.next(problem(429, 'rate_limit_exceeded', { 'retry-after': '30' }));
  const call = fetch(`${api.origin}/x`, { signal: controller.signal });
  setTimeout(() => controller.abort(reason), 60);
  await assert.rejects(call, (error) => error === reason);
  const request = new Request(`${api.origin}/x`, { signal: AbortSignal.abort(reason) });
  await assert.rejects(fetch(request), (error) => error === reason);
  assert.equal(api.requests.length, 1);
});

test('a redirect keeps the token within the origin only', async () => {
  const { fetch } = managerWith();
  await using elsewhere = await startFaultServer(json(200, {}));
  api.next(plain(302, '', { location: `${elsewhere.origin}/x` }), plain(302, '', { location: '/here' }));
  await fetch(`${api.origin}/a`);
  assert.equal(elsewhere.requests.length, 1);
  assert.equal(elsewhere.requests[0]?.headers.authorization, undefined);
  await fetch(`${api.origin}/b`);
  assert.equal(api.requests.at(-1)?.url, '/here');
  assert.match(api.requests.at(-1)?.headers.authorization ?? '', /^Bearer eyJ/);
});

test('a failed token request throws, and `Bearer undefined` is never sent', async () => {
  tokens.next(problem(403, 'invalid_client'));
  await assert.rejects(managerWith().fetch(`${api.origin}/x`), { name: 'ApiException', status: 403 });
  tokens.next(plain(200, '{"access_token":null}'));
  await assert.rejects(managerWith().fetch(`${api.origin}/x`), { code: 'malformed_response' });
  assert.equal(api.requests.length, 0);
});

test('events of a call have method, URL without query, attempts and durations', async () => {
  const events: ClientEvent[] = [];
  const { fetch } = managerWith({ onEvent: (event) => events.push(event) });
  api.next(problem(500, 'server_error', { 'x-request-id': 'a' }), reset);
  await fetch(`${api.origin}/path?key=private#part`);
  const calls = events.filter(({ operation, type }) => operation === 'call' && type !== 'renewal');
  assert.deepEqual(
    calls.map(({ type }) => type),
    ['request', 'response', 'retry', 'request', 'retry', 'request', 'response'],
  );
  const [request, response, retry] = calls;
  assert.ok(request?.type === 'request' && request.url === `${api.origin}/path` && request.method === 'GET');
  assert.ok(response?.type === 'response' && response.status === 500 && response.requestId === 'a');
  assert.ok(retry?.type === 'retry' && retry.reason === '500' && retry.delayMs >= 0);
  assert.doesNotMatch(JSON.stringify(events), /private|eyJ/);

  events.length = 0;
  api.next(reset);
  await assert.rejects(fetch(`${api.origin}/x`, { method: 'POST', body: 'b' }));
  const last = events.at(-1);
  assert.ok(last?.type === 'failure' && last.operation === 'call');
});
