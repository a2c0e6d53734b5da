import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';
import { eventually } from '@mintmark/test-support/eventually';
import { basic, exchange, FORM, type Reply } from '@mintmark/test-support/http';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// POST {base}/oauth2/introspect (RFC 7662), asked over HTTP.

const API = 'https://api.example.com/';
const OTHER_API = 'https://other.example.com/';
const PATH = '/marketing/oauth2/introspect';
const INACTIVE = '{"active":false}';

let server: TestServer;
let caller: MadeApiUser;
let api: MadeApiUser;
let otherApi: MadeApiUser;
let plain: MadeApiUser;
let international: MadeApiUser;

/** The low bytes of some of these letters are a quote, a comma and a colon. */
const TIER = 'Zoë, Ключ, 鍵, 🔑; xТ,ТscopeкТ1Т';

before(async () => {
  const store = await newStore();
  caller = await store.apiUser(
    'Caller',
    '--scope',
    'campaigns:read',
    '--audience',
    API,
    '--audience',
    OTHER_API,
  );
  api = await store.apiUser('API', '--scope', 'mintmark:introspect', '--audience', API);
  otherApi = await store.apiUser('Other API', '--scope', 'mintmark:introspect', '--audience', OTHER_API);
  plain = await store.apiUser('Plain');
  international = await store.apiUser('Zoë', '--audience', API, '--claim', `tier=${TIER}`);
  server = await store.start();
});
after(async () => await server[Symbol.asyncDispose]());

const credentialsOf = ({ client_id, client_secret }: MadeApiUser) => ({ client_id, client_secret });

async function tokenOf(user: MadeApiUser, more: Record<string, string> = {}): Promise<string> {
  const { status, body } = await server.post({ ...credentialsOf(user), ...more });
  assert.equal(status, 200, JSON.stringify(body));
  return body['access_token'] as string;
}

const ask = (user: MadeApiUser, token: string): Promise<Reply> =>
  exchange(server.port, {
    path: PATH,
    headers: { 'Content-Type': FORM, Authorization: basic(user.client_id, user.client_secret) },
    body: new URLSearchParams({ token }).toString(),
  });

test('a valid token is active, with what it says', async () => {
  const token = await tokenOf(caller);
  const reply = await ask(api, token);
  const claims = decodeJwt(token);
  assert.equal(reply.status, 200);
  assert.deepEqual(reply.body, {
    active: true,
    scope: 'campaigns:read',
    client_id: caller.client_id,
    token_type: 'Bearer',
    exp: claims.exp,
    iat: claims.iat,
    sub: caller.client_id,
    aud: API,
    iss: server.url,
    jti: claims.jti,
  });
  assert.equal(reply.headers['cache-control'], 'no-store');
  assert.match(reply.headers['content-type'] ?? '', /^application\/json/);
  assert.match(String(reply.headers['x-request-id']), /^[0-9a-f]{32}$/);
});

test('credentials in the form work, and a token type hint changes nothing', async () => {
  const token = await tokenOf(caller);
  for (const hint of ['access_token', 'refresh_token', 'anything']) {
    const body = new URLSearchParams({
      ...credentialsOf(api),
      token,
      token_type_hint: hint,
    });
    const reply = await exchange(server.port, {
      path: PATH,
      headers: { 'Content-Type': FORM },
      body: body.toString(),
    });
    assert.equal(reply.body['active'], true, hint);
  }
});

test('a token without a scope is active without one', async () => {
  const user = await server.json<MadeApiUser>('api-user', 'create', '--name', 'Bare', '--audience', API);
  const token = await eventually(() => tokenOf(user));
  const { body } = await ask(api, token);
  assert.equal(body['active'], true);
  assert.ok(!('scope' in body));
});

test('security 13: another audience’s token is only "not active"', async () => {
  const token = await tokenOf(caller, { resource: OTHER_API });
  assert.equal((await ask(otherApi, token)).body['active'], true);
  const reply = await ask(api, token);
  assert.deepEqual([reply.status, reply.text], [200, INACTIVE]);
  const never = await ask(api, 'no token at all');
  const whatIsTold = ({ status, text, headers }: Reply) => {
    const { 'x-request-id': id, date, ...others } = headers;
    assert.ok(id !== undefined && date !== undefined);
    return { status, text, others };
  };
  assert.deepEqual(whatIsTold(reply), whatIsTold(never));
});

test('security 13: introspection needs the scope mintmark:introspect for any token', async () => {
  for (const token of [await tokenOf(caller), await tokenOf(plain), 'no token at all']) {
    for (const user of [plain, caller]) {
      const reply = await ask(user, token);
      assert.deepEqual([reply.status, reply.body['error']], [403, 'unauthorized_client']);
      assert.match(reply.body['error_description'] as string, /mintmark:introspect/);
    }
  }
});

test('a revoked token is not active', async () => {
  const user = await server.json<MadeApiUser>('api-user', 'create', '--name', 'Cut off', '--audience', API);
  const token = await eventually(() => tokenOf(user));
  assert.equal((await ask(api, token)).body['active'], true);
  await server.cli('api-user', 'revoke-tokens', user.client_id);
  await eventually(async () => assert.equal((await ask(api, token)).text, INACTIVE), 1000);
});

test('claims in any script are shown as they are in the token', async () => {
  const token = await tokenOf(international);
  const reply = await ask(api, token);
  assert.equal(reply.status, 200);
  assert.equal(reply.body['tier'], TIER, reply.text);
  assert.equal(decodeJwt(token)['tier'], TIER);
});

test('an expired token is not active', async () => {
  const store = await newStore();
  const one = await store.apiUser('One', '--scope', 'mintmark:introspect');
  await using shortLived = await store.start({ MINTMARK_TOKEN_LIFE: '10' });
  const credentials = credentialsOf(one);
  const { body } = await shortLived.post(credentials);
  const form = new URLSearchParams({ ...credentials, token: body['access_token'] as string }).toString();
  const asked = () =>
    exchange(shortLived.port, { path: PATH, headers: { 'Content-Type': FORM }, body: form });
  const { exp } = (await asked()).body as { exp: number };
  await eventually(async () => assert.equal((await asked()).text, INACTIVE), 15_000);
  assert.ok(Date.now() / 1000 >= exp, 'not before its time');
});

test('asking counts as a use of the credential', async () => {
  const store = await newStore();
  const user = await store.apiUser('Asks only', '--scope', 'mintmark:introspect');
  await using asked = await store.start();
  const body = new URLSearchParams({ ...credentialsOf(user), token: 'anything' }).toString();
  assert.equal(
    (await exchange(asked.port, { path: PATH, headers: { 'Content-Type': FORM }, body })).status,
    200,
  );
  await asked.stop();
  const [credential] = await asked.json<{ use_count: number }[]>('credential', 'list', user.client_id);
  assert.equal(credential?.use_count, 1);
});

test('clients that are not ours ask: oauth4webapi, openid-client', async () => {
  const token = await tokenOf(caller);
  const options = { [oauth.allowInsecureRequests]: true };
  const issuer = new URL(server.url);
  const as = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options }),
  );
  const response = await oauth.introspectionRequest(
    as,
    { client_id: api.client_id },
    oauth.ClientSecretBasic(api.client_secret),
    token,
    options,
  );
  const told = await oauth.processIntrospectionResponse(as, { client_id: api.client_id }, response);
  assert.equal(told.client_id, caller.client_id);

  const configuration = await client.discovery(issuer, api.client_id, api.client_secret, undefined, {
    algorithm: 'oauth2',
    execute: [client.allowInsecureRequests],
  });
  assert.equal((await client.tokenIntrospection(configuration, token)).active, true);
  assert.equal((await client.tokenIntrospection(configuration, `${token}A`)).active, false);
});
