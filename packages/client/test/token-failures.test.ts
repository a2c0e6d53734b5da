import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import {
  ApiException,
  AuthenticationApi,
  BadRequestException,
  ConnectionException,
  ForbiddenException,
  MalformedResponseException,
  RateLimitException,
  ServerException,
  TimeoutException,
} from '../src/index.ts';
import type { ConfigurationParameters } from '../src/index.ts';
import { configure } from './support/credentials.ts';
import type { Answer, FaultServer } from './support/fault-server.ts';
import * as faults from './support/fault-server.ts';

let server: FaultServer;
before(async () => (server = await faults.startFaultServer()));
after(() => server.close());
beforeEach(() => {
  server.requests.length = 0;
});

async function failureOf(answer: Answer, parameters: ConfigurationParameters = {}): Promise<ApiException> {
  server.fallback(answer);
  const api = new AuthenticationApi(configure(server.host, parameters));
  const error = await api.oAuth2TokenPost().then(
    () => assert.fail('it succeeded'),
    (thrown: unknown) => thrown,
  );
  server.fallback(faults.token());
  assert.ok(error instanceof ApiException, String(error));
  return error;
}

test('each status throws its exception with its fields after the right attempts', async () => {
  const cases = [
    [400, BadRequestException, 'bad_request', 1],
    [401, ForbiddenException, 'forbidden', 1],
    [403, ForbiddenException, 'forbidden', 1],
    [404, ApiException, 'unexpected_status', 1],
    [405, ApiException, 'unexpected_status', 1],
    [408, TimeoutException, 'timeout', 3],
    [413, ApiException, 'unexpected_status', 1],
    [429, RateLimitException, 'rate_limited', 3],
    [500, ServerException, 'server_error', 3],
    [501, ServerException, 'server_error', 1],
    [502, ServerException, 'server_error', 3],
    [503, ServerException, 'server_error', 3],
    [504, ServerException, 'server_error', 3],
    [511, ServerException, 'server_error', 1],
  ] as const;
  for (const [status, Exception, code, attempts] of cases) {
    server.requests.length = 0;
    const error = await failureOf(faults.problem(status, 'some_error'), { retry: { attempts: 3 } });
    assert.equal(error.constructor, Exception, `${status}`);
    assert.equal(error.name, 'ApiException');
    assert.equal(error.code, code);
    assert.equal(error.status, status);
    assert.equal(error.error, 'some_error');
    assert.equal(error.errorDescription, 'What some_error means.');
    assert.equal(error.requestId, 'request-1');
    assert.equal(error.headers.get('content-type'), 'application/json');
    assert.match(error.body, /trace-1/);
    assert.equal(error.attempts, attempts);
    assert.equal(server.requests.length, attempts);
    assert.match(
      error.message,
      new RegExp(`POST http://127.*/marketing/oauth2/token: ${status} ${error.reason}`),
    );
    assert.match(error.message, / \| some_error \| What some_error means\. .*\| request request-1/);
  }
});

test('without a header the trace id of the body identifies the request', async () => {
  const error = await failureOf(faults.json(403, { error: 'invalid_client', trace_id: 'from-the-body' }));
  assert.equal(error.requestId, 'from-the-body');
});

test('retry: false and a policy of one attempt send one request', async () => {
  for (const retry of [false, { attempts: 1 }] as const) {
    server.requests.length = 0;
    await failureOf(faults.problem(503, 'busy'), { retry });
    assert.equal(server.requests.length, 1);
  }
});

test('an explicit undefined in the options of a call keeps the defaults', async () => {
  server.fallback(faults.problem(500, 'server_error'));
  const api = new AuthenticationApi(configure(server.host, { retry: { attempts: 2 } }));
  // @ts-expect-error -- exactOptionalPropertyTypes is not everybody's
  await assert.rejects(api.oAuth2TokenPost({}, { retry: { attempts: undefined }, timeoutMs: undefined }), {
    attempts: 2,
  });
  server.fallback(faults.token());
});

test('an HTML error from a proxy keeps its body and status', async () => {
  const error = await failureOf(faults.plain(503, '<html><h1>Service Unavailable</h1></html>'), {
    retry: false,
  });
  assert.ok(error instanceof ServerException);
  assert.match(error.body, /<h1>Service Unavailable/);
  assert.equal(error.error, undefined);
});

test('a 200 without a token response is an error, never retried', async () => {
  const bodies = [
    '',
    'null',
    '[]',
    '"eyJhbGciOi.eyJzdWIi.sig"',
    '42',
    '{}',
    '{"access_token":null,"token_type":"Bearer","expires_in":900}',
    '{"access_token":"","token_type":"Bearer","expires_in":900}',
    '{"access_token":{"a":1},"token_type":"Bearer","expires_in":900}',
    '{"access_token":"line\\nbreak","token_type":"Bearer","expires_in":900}',
    '{"access_token":"abc","expires_in":900}',
    '{"access_token":"abc","token_type":"mac","expires_in":900}',
    '{"access_token":"abc","token_type":"Bearer"}',
    '{"access_token":"abc","token_type":"Bearer","expires_in":0}',
    '{"access_token":"abc","token_type":"Bearer","expires_in":-5}',
    '{"access_token":"abc","token_type":"Bearer","expires_in":"soon"}',
    '{"error":"invalid_client"}',
    '<html>Sign in to the Wi-Fi</html>',
    '{"access_token":"abc","token_type":"Bea',
  ];
  for (const body of bodies) {
    server.requests.length = 0;
    const error = await failureOf(faults.plain(200, body));
    assert.ok(error instanceof MalformedResponseException, body);
    assert.equal(error.code, 'malformed_response');
    assert.equal(error.status, 200);
    assert.equal(server.requests.length, 1);
    assert.doesNotMatch(error.body, /"abc"/);
  }
});

test('a token response with unusual but legal members is accepted', async () => {
  server.next(
    faults.plain(200, '\uFEFF{"access_token":"abc","token_type":"BEARER","expires_in":"900","x":[1]}'),
  );
  const response = await new AuthenticationApi(configure(server.host)).oAuth2TokenPost();
  assert.equal(response.access_token, 'abc');
  assert.equal(response.expires_in, 900);
});

test('a reset connection is a ConnectionException with its cause after the retries', async () => {
  const error = await failureOf(faults.reset, { retry: { attempts: 3 } });
  assert.ok(error instanceof ConnectionException);
  assert.equal(error.code, 'connection_failed');
  assert.equal(error.status, 0);
  assert.equal(error.body, '');
  assert.equal(error.attempts, 3);
  assert.ok(error.cause instanceof Error);
  assert.match(error.reason, /reset|closed|socket/i);
  assert.equal(server.requests.length, 3);
});

test('errors and non-errors thrown by a custom fetch are wrapped', async () => {
  for (const thrown of ['a string', undefined, null, 42, { message: 'an object' }]) {
    const fetch = () => Promise.reject(thrown);
    const api = new AuthenticationApi(configure(server.host, { fetch, retry: false }));
    await assert.rejects(api.oAuth2TokenPost(), (error) => {
      assert.ok(error instanceof ConnectionException);
      assert.ok(error.cause instanceof Error && error.cause.name === 'Error');
      return true;
    });
  }
});

test('a connection that nobody accepts is a ConnectionException', async () => {
  const gone = await faults.startFaultServer();
  await gone.close();
  const api = new AuthenticationApi(configure(gone.host, { retry: { attempts: 2 } }));
  await assert.rejects(api.oAuth2TokenPost(), {
    code: 'connection_failed',
    attempts: 2,
    reason: /ECONNREFUSED/,
  });
});

test('half a body is retried and never taken for a token', async () => {
  for (const half of [faults.halfBody, faults.halfChunked]) {
    server.next(half, half);
    const api = new AuthenticationApi(configure(server.host));
    const { attempts } = await api.oAuth2TokenPostWithHttpInfo();
    assert.equal(attempts, 3);
  }
});

test('silence and trickling bytes are a TimeoutException after the attempt timeout', async () => {
  for (const answer of [faults.silence, faults.slowBytes]) {
    server.requests.length = 0;
    const begun = performance.now();
    const error = await failureOf(answer, { timeoutMs: 150, retry: { attempts: 2 } });
    assert.ok(error instanceof TimeoutException);
    assert.equal(error.code, 'timeout');
    assert.match(error.message, /150 ms/);
    assert.equal(server.requests.length, 2);
    const took = performance.now() - begun;
    assert.ok(took >= 290 && took < 2500, `${took} ms`);
  }
});

test('a redirect is not followed, so that the secret goes nowhere else', async () => {
  await using elsewhere = await faults.startFaultServer();
  for (const status of [301, 302, 303, 307, 308]) {
    server.requests.length = 0;
    const location = `${elsewhere.origin}/marketing/oauth2/token`;
    const error = await failureOf(faults.plain(status, '', { location }));
    assert.equal(error.code, 'redirected');
    assert.ok(error.message.includes(location), error.message);
    assert.equal(server.requests.length, 1);
  }
  assert.equal(elsewhere.requests.length, 0);
});

test('an endless body is abandoned at the limit, without downloading the rest', async () => {
  const endless = faults.endlessBody();
  const error = await failureOf(endless, { retry: false });
  assert.ok(error instanceof MalformedResponseException);
  assert.ok(error.body.length < 300_000, `${error.body.length} characters kept`);
  const written = endless.written();
  assert.ok(written < 20_000_000, `${written} bytes sent`);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(endless.written(), written, 'the connection is still being read');
});

test('the total deadline ends the retries and shortens the last attempt', async () => {
  const begun = performance.now();
  const error = await failureOf(faults.silence, {
    timeoutMs: 200,
    retry: { attempts: 100, deadlineMs: 500, baseDelayMs: 1, maxDelayMs: 1 },
  });
  assert.ok(error instanceof TimeoutException);
  const took = performance.now() - begun;
  assert.ok(took > 350 && took < 1500, `${took} ms`);
  assert.ok(error.attempts >= 2 && error.attempts <= 4, `${error.attempts} attempts`);
});

test('a 429 is retried when its Retry-After is over, not before', async () => {
  const times: number[] = [];
  const busy: Answer = (response, request, raw) => {
    times.push(performance.now());
    faults.problem(429, 'rate_limit_exceeded', { 'retry-after': '1' })(response, request, raw);
  };
  server.next(busy, (response, request, raw) => {
    times.push(performance.now());
    faults.token()(response, request, raw);
  });
  const { attempts } = await new AuthenticationApi(configure(server.host)).oAuth2TokenPostWithHttpInfo();
  assert.equal(attempts, 2);
  const waited = times[1]! - times[0]!;
  assert.ok(waited >= 990 && waited < 2000, `${waited} ms`);
});

test('a 429 without Retry-After is retried at x-ratelimit-reset by server time', async () => {
  // The server's clock is a day ahead of ours.
  const serverNow = Date.now() + 86_400_000;
  const headers = {
    date: new Date(serverNow).toUTCString(),
    'x-ratelimit-reset': String(Math.floor(serverNow / 1000) + 1),
  };
  server.next(faults.problem(429, 'rate_limit_exceeded', headers));
  const begun = performance.now();
  await new AuthenticationApi(configure(server.host)).oAuth2TokenPost();
  const waited = performance.now() - begun;
  assert.ok(waited >= 900 && waited < 2000, `${waited} ms`);
});

test('a Retry-After beyond the cap waits the cap, reported in retryAfterMs', async () => {
  const begun = performance.now();
  const error = await failureOf(faults.problem(429, 'rate_limit_exceeded', { 'retry-after': '3600' }), {
    retry: { attempts: 2, maxRetryAfterMs: 100 },
  });
  assert.ok(error instanceof RateLimitException);
  assert.equal(error.retryAfterMs, 3_600_000);
  assert.equal(error.attempts, 2);
  assert.ok(performance.now() - begun < 1500);
});

test('a wait that would end after the deadline is not begun', async () => {
  const begun = performance.now();
  const error = await failureOf(faults.problem(429, 'rate_limit_exceeded', { 'retry-after': '30' }), {
    retry: { deadlineMs: 2000 },
  });
  assert.equal(error.attempts, 1);
  assert.equal(error.retryAfterMs, 30_000);
  assert.ok(performance.now() - begun < 1500);
});
