import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { basic, exchange, FORM, TOKEN_PATH, type Exchange, type Reply } from '@mintmark/test-support/http';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// What the three endpoints for API users have in common: token, introspection and revocation refuse alike.

const INTROSPECT_PATH = '/marketing/oauth2/introspect';
const PATHS = [TOKEN_PATH, INTROSPECT_PATH, '/marketing/oauth2/revoke'];

let server: TestServer;
let user: MadeApiUser;
let limited: MadeApiUser;
let elsewhere: MadeApiUser;

before(async () => {
  const store = await newStore();
  user = await store.apiUser('User', '--scope', 'mintmark:introspect');
  limited = await store.apiUser('Limited', '--scope', 'mintmark:introspect', '--limit', '1');
  elsewhere = await store.apiUser('Elsewhere', '--allow-network', '192.0.2.0/24');
  server = await store.start({ MINTMARK_FAILURE_LIMIT: '5' });
});
after(async () => await server[Symbol.asyncDispose]());

const form = (id: string, secret: string) =>
  new URLSearchParams({ client_id: id, client_secret: secret, token: 'anything' }).toString();

async function alike(asked: Exchange, status: number, error: string): Promise<void> {
  for (const path of PATHS) {
    const reply: Reply = await exchange(server.port, {
      headers: { 'Content-Type': FORM },
      ...asked,
      path: path + (asked.path ?? ''),
    });
    assert.deepEqual([reply.status, reply.body['error']], [status, error], path);
    assert.equal(reply.headers['cache-control'], 'no-store');
    assert.equal(reply.body['trace_id'], reply.headers['x-request-id']);
  }
}

test('another method than POST is 405 on each', async () => {
  for (const method of ['GET', 'PUT', 'DELETE']) await alike({ method }, 405, 'method_not_allowed');
});

test('a malformed request is 400 on each', async () => {
  const body = form(user.client_id, user.client_secret);
  await alike({ body, headers: { 'Content-Type': 'application/json' } }, 400, 'invalid_request');
  await alike({ body: `${body}&client_id=again` }, 400, 'invalid_request');
  await alike({ body: `${body}&x=%zz` }, 400, 'invalid_request');
  await alike({ body: `${body}&x=${'y'.repeat(9000)}` }, 400, 'invalid_request');
  await alike({ body, path: `?client_secret=${user.client_secret}` }, 400, 'invalid_request');
  await alike({ body: 'token=x' }, 400, 'invalid_request');
});

test('a request without the token that it is about is 400', async () => {
  const headers = { 'Content-Type': FORM, Authorization: basic(user.client_id, user.client_secret) };
  for (const body of ['', 'token=', 'token=a&token=b']) {
    for (const path of PATHS.slice(1)) {
      const reply = await exchange(server.port, { path, headers, body });
      assert.deepEqual([reply.status, reply.body['error']], [400, 'invalid_request'], `${path} ${body}`);
    }
  }
});

test('wrong credentials are 403 in the form, 401 in HTTP Basic', async () => {
  await alike({ body: form('api_unknown', user.client_secret) }, 403, 'invalid_client');
  const headers = { 'Content-Type': FORM, Authorization: basic('api_unknown2', user.client_secret) };
  await alike({ body: 'token=x', headers }, 401, 'invalid_client');
});

test('an address outside the API user’s networks is 403 on each', async () => {
  await alike({ body: form(elsewhere.client_id, elsewhere.client_secret) }, 403, 'unauthorized_client');
});

test('limit and failure budget are shared by all of them', async () => {
  const body = form(limited.client_id, limited.client_secret);
  const headers = { 'Content-Type': FORM };
  assert.equal((await exchange(server.port, { path: INTROSPECT_PATH, headers, body })).status, 200);
  await alike({ body }, 429, 'rate_limit_exceeded');

  const wrong = form('api_guessed', user.client_secret);
  for (const path of [...PATHS, TOKEN_PATH, TOKEN_PATH]) {
    const { status } = await exchange(server.port, { path, headers, body: wrong });
    assert.equal(status, 403);
  }
  await alike({ body: wrong }, 429, 'rate_limit_exceeded');
});
