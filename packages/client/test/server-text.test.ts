// What a server, a proxy or an attacker between them writes into errors, events and logs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiException, AuthenticationApi, TokenManager } from '../src/index.ts';
import type { ClientEvent } from '../src/index.ts';
import { configure } from './support/credentials.ts';
import type { Answer } from './support/fault-server.ts';
import { json, startFaultServer } from './support/fault-server.ts';

const HOSTILE = 'a\u001b[2Kb\r\nForged: line\u0000\u009b\u2028\u202ec\ud800d';
const ESCAPED = 'a\\u001b[2Kb\\r\\nForged: line\\u0000\\u009b\\u2028\\u202ec\\ud800d';
/** What acts on a terminal or a log, and text that runs backwards. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
const MESSAGE_MAX = 4_000;

async function failureOf(answer: Answer, onEvent?: (event: ClientEvent) => void): Promise<ApiException> {
  await using server = await startFaultServer(answer);
  const api = new AuthenticationApi(configure(server.host, { retry: false, onEvent }));
  const error: unknown = await api.oAuth2TokenPost().catch((thrown: unknown) => thrown);
  assert.ok(error instanceof ApiException, String(error));
  return error;
}

function assertPrintable(error: ApiException): void {
  const { message, reason, error: word, errorDescription, requestId, headers } = error;
  for (const value of headers.values()) assert.doesNotMatch(value, UNPRINTABLE);
  for (const text of [message, reason, word, errorDescription, requestId]) {
    assert.doesNotMatch(text ?? '', UNPRINTABLE);
    assert.ok((text ?? '').length <= MESSAGE_MAX, `${text?.length} characters`);
  }
}

test('an error and its fields escape control characters of the response', async () => {
  const body = { error: HOSTILE, error_description: HOSTILE, trace_id: HOSTILE };
  const error = await failureOf(json(400, body));
  assertPrintable(error);
  assert.deepEqual([error.error, error.errorDescription, error.requestId], [ESCAPED, ESCAPED, ESCAPED]);
  assert.ok(error.message.includes(`| ${ESCAPED} | ${ESCAPED} |`), error.message);
});

test('control characters in status line and headers are escaped, in events too', async () => {
  const ids: (string | undefined)[] = [];
  const answer: Answer = (response) => {
    response.socket?.end(
      Buffer.from(
        'HTTP/1.1 302 Mo\x9b2Kved\r\nLocation: https://x.example/\x9b\x85\r\nX-Request-Id: id\x9b\r\n' +
          'X-Other: \x80\r\nContent-Length: 0\r\n\r\n',
        'latin1',
      ),
    );
  };
  const error = await failureOf(answer, (event) => {
    if ('requestId' in event) ids.push(event.requestId);
  });
  assertPrintable(error);
  assert.match(error.message, /https:\/\/x\.example\/\\u009b\\u0085/);
  assert.equal(error.requestId, 'id\\u009b');
  assert.deepEqual(new Set(ids), new Set(['id\\u009b']));
});

test('an error and its fields cut long texts of the response', async () => {
  const long = 'x'.repeat(20_000);
  const headers = { 'x-request-id': 'r'.repeat(9_000), location: `https://${'l'.repeat(4_000)}.example` };
  const error = await failureOf(json(400, { error: long, error_description: long }, headers));
  assertPrintable(error);
  assert.match(error.errorDescription ?? '', /^x{500}…$/);
});

test('messages and causes of transport errors are escaped and cut', async () => {
  const fetch = () => Promise.reject(new Error(HOSTILE, { cause: new Error(HOSTILE.repeat(1000)) }));
  const api = new AuthenticationApi(configure('http://localhost', { fetch, retry: false }));
  const error: unknown = await api.oAuth2TokenPost().catch((thrown: unknown) => thrown);
  assert.ok(error instanceof ApiException);
  assertPrintable(error);
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    assert.doesNotMatch(cause.message, UNPRINTABLE);
    assert.ok(cause.message.length <= MESSAGE_MAX);
  }
});

test('events and logs escape and cut the request id of a response', async () => {
  await using server = await startFaultServer();
  const ids: (string | undefined)[] = [];
  const onEvent = (event: ClientEvent) => {
    if (event.type === 'response' && event.operation === 'call') ids.push(event.requestId);
  };
  const manager = new TokenManager(configure(server.host, { onEvent }));
  for (const id of ['id\u009b', 'r'.repeat(9_000)]) {
    await manager.withToken(async () => new Response('', { headers: { 'x-request-id': id } }))(server.origin);
  }
  assert.equal(ids[0], 'id\\u009b');
  assert.ok((ids[1]?.length ?? 0) < 1000);
});
