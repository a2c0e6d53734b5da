// Test setup: own store, own limits.
// The control API of a sandbox, as programs in any language use it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { createVerifier } from '../../../verifier/src/index.ts';
import { SANDBOX_FILE, sandboxDocument } from '../../../../scripts/openapi.ts';
import {
  startControlledSandbox,
  type ControlledSandboxOptions,
} from '../../src/server/sandbox/control/controlled-sandbox.ts';
import { checkAgainst, checked, type AdminDocument, type Check } from '@mintmark/test-support/described';
import { eventually } from '@mintmark/test-support/eventually';
import { exchange, rawExchange, type Reply } from '@mintmark/test-support/http';

interface Control {
  baseUrl: string;
  clientId: string;
  clientSecret: string;
  url: string;
  port: number;
  /** Sends a request, and checks its answer against the OpenAPI document. */
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
  /** The status of a token request. */
  token(user?: { id: string; secret: string }): Promise<Response>;
  [Symbol.asyncDispose](): Promise<void>;
}

async function startControl(options: Partial<ControlledSandboxOptions> = {}): Promise<Control> {
  const running = await startControlledSandbox({
    runs: true,
    scopes: ['campaigns:read'],
    controlPort: 0,
    ...options,
  });
  const { control_url: url, base_url: baseUrl, client_id: clientId, client_secret } = running.description();
  const port = Number(new URL(url).port);
  let check: Check | undefined;
  return {
    baseUrl,
    clientId,
    clientSecret: client_secret,
    url,
    port,
    async send(method, path, body, headers = {}) {
      check ??= checkAgainst((await sandboxDocument(url)) as AdminDocument, '/v1');
      const json = body === undefined ? {} : { 'Content-Type': 'application/json' };
      const text = body === undefined ? undefined : JSON.stringify(body);
      const reply = await exchange(port, {
        method,
        path: `/v1${path}`,
        headers: { ...json, ...headers },
        ...(text !== undefined && { body: text }),
      });
      check(method, `/v1${path}`, reply);
      return reply;
    },
    token: ({ id, secret } = { id: clientId, secret: client_secret }) =>
      fetch(`${baseUrl}/oauth2/token`, {
        method: 'POST',
        body: new URLSearchParams({ client_id: id, client_secret: secret }),
      }),
    [Symbol.asyncDispose]: () => running.stop(),
  };
}

async function statusOf(response: Promise<Response>): Promise<number> {
  const { status } = await response;
  return status;
}

interface Items {
  items: { number: number; endpoint: string; status: number | null; fault: string | null }[];
}

async function statuses(control: Control): Promise<(number | null)[]> {
  const { body } = await control.send('GET', '/requests');
  const { items } = body as unknown as Items;
  return items.filter(({ endpoint }) => endpoint === 'token').map(({ status }) => status);
}

test('every operation of the control API answers as described', async () => {
  await using control = await startControl();
  const { send } = control;
  const done: [string, string, object?][] = [
    ['GET', '/openapi.json'],
    ['GET', '/sandbox'],
    ['GET', '/api-users'],
    [
      'POST',
      '/api-users',
      { name: 'Second', scopes: ['a'], limit_per_minute: 5, secret_expires_in: '1 min' },
    ],
    ['POST', '/tokens', { client_id: control.clientId, scopes: ['b'], life: '1 min', audience: 'urn:api' }],
    ['GET', '/clock'],
    ['POST', '/clock/advance', { by: 1000 }],
    [
      'POST',
      '/faults/next',
      { faults: [{ endpoint: 'token', status: 503, retry_after: 2 }, { html: true }] },
    ],
    ['POST', '/faults/during', { for: '1 s', fault: { reset: 'before' } }],
    ['POST', '/faults/by-seed', { seed: 7, rate: 0.5, endpoint: 'token' }],
    ['DELETE', '/faults'],
    ['POST', '/faults/skew-clock', { seconds: 5 }],
    ['POST', '/faults/skew-clock', { seconds: 0 }],
    ['POST', '/faults/revoke-tokens', { client_id: control.clientId }],
    ['POST', '/faults/rotate-key', {}],
    ['POST', '/faults/withdraw-key'],
    ['POST', '/faults/store-away', { for: '1 min' }],
    ['GET', '/requests?after=1'],
    ['DELETE', '/requests'],
    ['POST', '/reset'],
  ];
  for (const [method, path, body] of done) {
    const reply = await send(method, path, body);
    assert.ok(reply.status < 300, `${path}: ${reply.text}`);
  }
  const document = (await sandboxDocument(control.url)) as AdminDocument;
  const described = Object.values(document.paths).flatMap((operations) =>
    Object.values(operations).map(({ operationId }) => operationId),
  );
  const answered = new Set(Array.from(checked, (what) => what.split(' ')[0]));
  assert.deepEqual(
    described.filter((id) => !answered.has(id)),
    [],
  );
  assert.equal(new Set(described).size, described.length, 'an operation id stands twice');
});

test('the golden document of the control API is that of a sandbox', async () => {
  await using control = await startControl();
  const document = await sandboxDocument(control.url);
  const golden: unknown = JSON.parse(readFileSync(SANDBOX_FILE, 'utf8'));
  assert.deepEqual(document, golden, 'run npm run openapi');
  const { valid, errors } = await new Validator().validate(document as Record<string, unknown>);
  assert.ok(valid, JSON.stringify(errors));
});

test('faults, clock and limits work over the control API', async () => {
  await using control = await startControl();
  const { send, token } = control;
  await send('POST', '/faults/next', { faults: [{ status: 429, retry_after: 7 }, { status: 503 }] });
  const first = await token();
  assert.deepEqual([first.status, first.headers.get('retry-after')], [429, '7']);
  assert.deepEqual([await statusOf(token()), await statusOf(token())], [503, 200]);
  await send('POST', '/faults/during', { for: '10 min', fault: { endpoint: 'token', status: 500 } });
  assert.equal(await statusOf(token()), 500);
  await send('POST', '/clock/advance', { by: '9 min' });
  assert.equal(await statusOf(token()), 500);
  await send('POST', '/clock/advance', { by: '61 s' });
  assert.equal(await statusOf(token()), 200);
  const { body } = await send('POST', '/api-users', { scopes: ['a'], limit_per_minute: 1 });
  const user = { id: String(body['client_id']), secret: String(body['client_secret']) };
  assert.deepEqual([await statusOf(token(user)), await statusOf(token(user))], [200, 429]);
  await send('POST', '/clock/advance', { by: '1 min' });
  assert.equal(await statusOf(token(user)), 200);
  assert.deepEqual(await statuses(control), [429, 503, 200, 500, 500, 200, 200, 429, 200]);
});

test('a delayed answer comes by the running clock, or after an advance', async () => {
  await using control = await startControl();
  const { send, token } = control;
  await send('POST', '/faults/next', { faults: [{ delay: 200 }, { delay: '30 days' }] });
  const startedAt = performance.now();
  assert.equal(await statusOf(token()), 200);
  assert.ok(performance.now() - startedAt >= 199);
  const late = statusOf(token());
  await eventually(async () => (await statuses(control)).length === 2);
  await send('POST', '/clock/advance', { by: '30 days' });
  assert.equal(await late, 200);
});

test('tokens of a sandbox live for seconds, and the verifier knows them', async () => {
  await using control = await startControl({ tokenLifeSeconds: 9 });
  const { access_token: token, expires_in: life } = (await (await control.token()).json()) as {
    access_token: string;
    expires_in: number;
  };
  assert.equal(life, 9, 'the setting has a minimum of ten');
  const options = { issuer: control.baseUrl, audience: control.baseUrl, clockSkewSeconds: 0 };
  assert.throws(() => createVerifier(options), /is a sandbox for tests/);
  let nowMs = Date.now();
  const verifier = createVerifier({ ...options, sandbox: true, clock: () => nowMs });
  assert.equal((await verifier.verify(token)).clientId, control.clientId);
  nowMs += 10_000;
  await assert.rejects(verifier.verify(token), { reason: 'expired' });
});

test('a token may be bad on purpose', async () => {
  await using control = await startControl();
  const options = { issuer: control.baseUrl, audience: control.baseUrl, sandbox: true };
  const verifier = createVerifier(options);
  for (const [request, reason] of [
    [{ expired: true }, 'expired'],
    [{ unknown_key: true }, 'unknown_key'],
    [{ audience: 'https://other.example' }, 'audience'],
  ] as const) {
    const { body } = await control.send('POST', '/tokens', { client_id: control.clientId, ...request });
    await assert.rejects(verifier.verify(String(body['access_token'])), { reason });
  }
});

test('a reset forgets everything and keeps the URLs, even without a store', async () => {
  await using control = await startControl();
  const { send, token } = control;
  await send('POST', '/api-users', {});
  await send('POST', '/clock/advance', { by: '2 days' });
  await send('POST', '/faults/during', { for: '30 days', fault: { status: 500 } });
  await send('POST', '/faults/store-away', { for: '30 days' });
  assert.equal(await statusOf(token()), 500);
  const { body } = await send('POST', '/reset');
  assert.equal(body['base_url'], control.baseUrl);
  assert.equal(body['control_url'], control.url);
  const user = { id: String(body['client_id']), secret: String(body['client_secret']) };
  assert.notEqual(user.id, control.clientId);
  assert.equal(await statusOf(token(user)), 200);
  assert.equal(await statusOf(token()), 403);
  assert.deepEqual(await statuses(control), [200, 403]);
  const { items } = (await send('GET', '/api-users')).body as unknown as { items: object[] };
  assert.equal(items.length, 1);
  const { now } = (await send('GET', '/clock')).body as { now: string };
  assert.ok(Math.abs(Date.parse(now) - Date.now()) < 60_000);
});

test('requests at the same time never meet a half-done reset', async () => {
  await using control = await startControl();
  const { send } = control;
  const paths = ['/reset', '/clock/advance', '/api-users', '/reset', '/faults/rotate-key', '/api-users'];
  const bodies: Record<string, object> = { '/clock/advance': { by: '1 day' } };
  const replies = await Promise.all(paths.map((path) => send('POST', path, bodies[path] ?? {})));
  assert.deepEqual(
    replies.map(({ status }) => status),
    [200, 200, 201, 200, 204, 201],
  );
});

test('numbers in the journal grow, through a clear too', async () => {
  await using control = await startControl();
  const { send, token } = control;
  await token();
  await token();
  const numbers = async (after: number) => {
    const { body, text } = await send('GET', `/requests?after=${after}`);
    assert.ok(!text.includes(control.clientSecret));
    return (body as unknown as Items).items.map(({ number }) => number);
  };
  assert.deepEqual([await numbers(0), await numbers(1), await numbers(2)], [[1, 2], [2], []]);
  await send('DELETE', '/requests');
  await token();
  assert.deepEqual([await numbers(0), await numbers(2)], [[3], [3]]);
});

test('pages in a browser cannot use the control API', async () => {
  await using control = await startControl();
  const { send, port } = control;
  const refused: Record<string, string>[] = [
    { Host: `evil.example:${port}` },
    { Host: 'evil.example' },
    { Host: `127.0.0.1:${port + 1}` },
    { Host: `127.0.0.1.evil.example:${port}` },
    { Origin: 'https://evil.example' },
    { Origin: `http://127.0.0.1:${port}` },
    { Origin: 'null' },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
    { 'Sec-Fetch-Site': 'same-origin' },
  ];
  for (const headers of refused) {
    for (const [method, path] of [
      ['POST', '/reset'],
      ['GET', '/sandbox'],
      ['OPTIONS', '/reset'],
      ['GET', '/nothing'],
    ] as const) {
      const reply = await send(method, path, undefined, headers).catch(() =>
        exchange(port, { method, path: `/v1${path}`, headers }),
      );
      assert.equal(reply.status, 403, JSON.stringify(headers));
      assert.equal(reply.body['code'], 'cross_site');
      assert.ok(!Object.keys(reply.headers).some((name) => name.startsWith('access-control')));
      assert.ok(!reply.text.includes(control.clientSecret));
    }
  }
  for (const headers of [{ Host: `localhost:${port}` }, { 'Sec-Fetch-Site': 'none' }])
    assert.equal((await send('GET', '/sandbox', undefined, headers)).status, 200);
  const old = await rawExchange(port, 'GET /v1/sandbox HTTP/1.0\r\n\r\n');
  assert.match(old, /^HTTP\/1\.1 403 /);
});

test('the control API and the sandbox listen on loopback alone', async () => {
  await using control = await startControl();
  const { networkInterfaces } = await import('node:os');
  const others = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4');
  for (const { address } of others) {
    for (const port of [control.port, new URL(control.baseUrl).port])
      await assert.rejects(fetch(`http://${address}:${port}/`), address);
  }
  assert.equal(new URL(control.url).hostname, '127.0.0.1');
});

test('wrong requests get a problem that says what is wrong', async () => {
  await using control = await startControl();
  const { send } = control;
  const wrong: [string, object, RegExp][] = [
    ['/faults/next', { faults: [{ status: 503 }, { endpoint: 'token' }] }, /nothing goes wrong/],
    ['/faults/next', { faults: [{ status: 503 }, { delay: 'soon' }] }, /"soon" is not a span of time/],
    ['/faults/next', { faults: [{ sttus: 503 }] }, /faults\/0\/sttus is not known/],
    ['/faults/next', { faults: [] }, /\/faults /],
    ['/faults/during', { for: -1, fault: { status: 500 } }, /\/for /],
    ['/faults/skew-clock', { seconds: 1e12 }, /at most ten years/],
    ['/faults/revoke-tokens', { client_id: 'api_nobody' }, /api_nobody/],
    ['/clock/advance', { by: 'a while' }, /is not a span of time/],
    ['/clock/advance', { by: '4000000 days' }, /the clock ends/],
    ['/clock/advance', {}, /\/by is missing/],
    ['/api-users', { scopes: ['a b'] }, /a b/],
    ['/api-users', { limit_per_minute: 0 }, /limit_per_minute/],
    ['/api-users', { secret: 'x' }, /secret is not known/],
    ['/tokens', { client_id: 'api_nobody' }, /api_nobody/],
  ];
  for (const [path, body, expected] of wrong) {
    const reply = await send('POST', path, body);
    assert.ok([400, 404].includes(reply.status), `${path} ${reply.text}`);
    assert.match(String(reply.body['detail']), expected, path);
  }
  assert.equal(await statusOf(control.token()), 200, 'a refused sequence leaves no fault behind');
});

test('bodies, faults, API users and requests have bounds', async () => {
  await using control = await startControl();
  const { send, port } = control;
  const body = JSON.stringify({ name: 'x'.repeat(70_000) });
  const headers = { 'Content-Type': 'application/json' };
  assert.equal((await exchange(port, { method: 'POST', path: '/v1/api-users', headers, body })).status, 413);
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const reset = await exchange(port, { method: 'POST', path: '/v1/reset', headers: form, body: 'a=b' });
  assert.equal(reset.status, 415);
  const hundred = { faults: Array.from({ length: 100 }, () => ({ endpoint: 'revocation', status: 500 })) };
  for (let i = 0; i < 10; i++) assert.equal((await send('POST', '/faults/next', hundred)).status, 204);
  assert.match((await send('POST', '/faults/next', hundred)).text, /1000 faults wait/);
  const during = { for: '1 h', fault: { status: 500 } };
  assert.match((await send('POST', '/faults/during', during)).text, /1000 faults wait/);
});

test('a sandbox has a bounded number of API users until a reset', async () => {
  await using control = await startControl({ apiUsersMax: 3 });
  const create = async () => (await control.send('POST', '/api-users', {})).status;
  assert.deepEqual([await create(), await create(), await create()], [201, 201, 409]);
  await control.send('POST', '/reset');
  assert.equal(await create(), 201);
});
