// Secrets and tokens over plain HTTP: on this machine only, unless a person allows it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import createClient from 'openapi-fetch';
import { Configuration, ConfigurationError, TokenManager } from '../src/index.ts';
import { tokenMiddleware } from '../src/openapi-fetch.ts';
import { configure } from './support/credentials.ts';
import { startFaultServer } from './support/fault-server.ts';

const LOOPBACK = [
  'http://localhost:8080/marketing',
  'http://LOCALHOST',
  'http://127.0.0.1:8080',
  'http://127.9.9.9/x',
  'http://[::1]:8080/marketing',
  'https://auth.example.com/marketing',
];
const ELSEWHERE = [
  'http://auth.example.com/marketing',
  'HTTP://auth.example.com',
  'http://localhost.example.com',
  'http://127.0.0.1.example.com',
  'http://10.0.0.1:8080',
  'http://0.0.0.0:8080',
  'http://[2001:db8::1]/x',
  'http://[::ffff:10.0.0.1]',
  'http://mintmark:8080/marketing',
];

const isRefused = (option: string) => (error: unknown) => {
  assert.ok(error instanceof ConfigurationError, String(error));
  assert.equal(error.option, option);
  assert.match(error.message, /https.*allowInsecure/);
  return true;
};

test('a host with plain HTTP is accepted for loopback addresses only', () => {
  for (const host of LOOPBACK) assert.doesNotThrow(() => new Configuration({ host }), host);
  for (const host of ELSEWHERE) {
    assert.throws(() => new Configuration({ host }), isRefused('host'), host);
    assert.throws(() => new Configuration({ host, allowInsecure: false }), isRefused('host'), host);
    assert.equal(new Configuration({ host, allowInsecure: true }).host, host);
  }
});

test('MINTMARK_CLIENT_ALLOW_INSECURE allows plain HTTP, and takes true or false only', () => {
  const host = 'http://auth.example.com';
  const env = { MINTMARK_CLIENT_ID: 'id', MINTMARK_CLIENT_SECRET: 's' };
  const from = (value: string | undefined) =>
    Configuration.fromEnv({ host }, { ...env, MINTMARK_CLIENT_ALLOW_INSECURE: value });
  assert.equal(from('true').host, host);
  for (const value of [undefined, '', 'false']) {
    assert.throws(() => from(value), /MINTMARK_CLIENT_ALLOW_INSECURE/, value);
  }
  for (const value of ['yes', 'TRUE ', 'true\r']) {
    assert.throws(() => from(value), { option: 'MINTMARK_CLIENT_ALLOW_INSECURE' }, value);
  }
});

test('an API call over plain HTTP sends the token to loopback only', async () => {
  await using server = await startFaultServer();
  const sent: string[] = [];
  const api: typeof fetch = async (input) => {
    sent.push(input instanceof Request ? input.url : input.toString());
    return new Response('{}', { headers: { 'content-type': 'application/json' } });
  };
  const strict = new TokenManager(configure(server.host)).withToken(api);
  for (const url of ELSEWHERE) {
    await assert.rejects(strict(url), isRefused('url'), url);
    await assert.rejects(strict(new URL(url)), isRefused('url'), url);
    await assert.rejects(strict(new Request(url, { method: 'POST', body: 'x' })), isRefused('url'), url);
  }
  const baseUrl = 'http://auth.example.com';
  const client = createClient<{ '/x': { get: { responses: { 200: { content: never } } } } }>({
    baseUrl,
    fetch: api,
  });
  client.use(tokenMiddleware(new TokenManager(configure(server.host))));
  await assert.rejects(client.GET('/x'), isRefused('url'));
  assert.deepEqual(sent, []);
  for (const url of LOOPBACK) await strict(url);
  const open = new TokenManager(configure(server.host, { allowInsecure: true })).withToken(api);
  for (const url of ELSEWHERE) await open(url);
  assert.equal(sent.length, LOOPBACK.length + ELSEWHERE.length);
});
