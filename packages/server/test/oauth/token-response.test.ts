import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, type JWTPayload } from 'jose';
import type { TestServer, TokenResponse } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// What comes back: the token and its claims, scope and resource, the headers, the trace id.

const AUDIENCES = ['https://ads.example.com/', 'urn:example:reports'];

let server: TestServer;
let user: MadeApiUser;
let plain: MadeApiUser;

before(async () => {
  const store = await newStore();
  const scopes = ['--scope', 'campaigns:read campaigns:manage reports!'];
  user = await store.apiUser('Importer', ...scopes, ...AUDIENCES.flatMap((uri) => ['--audience', uri]));
  plain = await store.apiUser('Plain');
  server = await store.start();
});
after(async () => await server[Symbol.asyncDispose]());

async function ask(form: Record<string, string> = {}, headers: Record<string, string> = {}, who = user) {
  const credentials = { client_id: who.client_id, client_secret: who.client_secret };
  return await server.post({ ...credentials, ...form }, headers);
}

const tokenOf = ({ body }: TokenResponse) => body['access_token'] as string;
const claimsOf = (response: TokenResponse) =>
  decodeJwt<{ client_id: string; scope?: string }>(tokenOf(response));

async function verified(token: string, audience = AUDIENCES[0]): Promise<JWTPayload> {
  const keys = createRemoteJWKSet(new URL(`${server.url}/.well-known/jwks.json`));
  const options = { issuer: server.url, audience: audience ?? '', typ: 'at+jwt', algorithms: ['ES256'] };
  return (await jwtVerify(token, keys, options)).payload;
}

test('a token response has the documented members and nothing else', async () => {
  const response = await ask({ scope: 'campaigns:read' });
  assert.equal(response.status, 200);
  assert.deepEqual(Object.keys(response.body), ['access_token', 'token_type', 'expires_in']);
  assert.equal(response.body['token_type'], 'Bearer');
  assert.equal(response.body['expires_in'], 900);
});

test('token responses and errors are never cached', async () => {
  for (const response of [await ask(), await ask({ scope: 'x' }), await ask({ client_secret: 'x' })]) {
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.equal(response.headers.get('pragma'), 'no-cache');
    assert.equal(response.headers.get('content-type'), 'application/json');
  }
});

test('a token is a verifiable JWT after RFC 9068', async () => {
  const beforeMs = Date.now();
  const response = await ask();
  const token = tokenOf(response);
  const header = decodeProtectedHeader(token);
  assert.deepEqual(Object.keys(header).sort(), ['alg', 'kid', 'typ']);
  assert.equal(header.alg, 'ES256');
  assert.equal(header.typ, 'at+jwt');
  const claims = await verified(token);
  const names = ['aud', 'client_id', 'exp', 'iat', 'iss', 'jti', 'scope', 'sub'];
  assert.deepEqual(Object.keys(claims).sort(), names);
  assert.equal(claims.iss, server.url);
  assert.equal(claims.sub, user.client_id);
  assert.equal(claims['client_id'], user.client_id);
  assert.equal(claims.aud, AUDIENCES[0]);
  assert.match(claims.jti ?? '', /^[\w-]{22}$/);
  assert.ok((claims.iat ?? 0) >= Math.floor(beforeMs / 1000) && (claims.iat ?? 0) <= Date.now() / 1000);
});

test('expires_in is never more than the remaining life of the token', async () => {
  for (let i = 0; i < 50; i++) {
    const response = await ask();
    const { exp = 0, iat = 0 } = claimsOf(response);
    const sentAt = Date.parse(response.headers.get('date') ?? '') / 1000;
    assert.ok(exp - sentAt >= (response.body['expires_in'] as number), `${exp} - ${sentAt}`);
    assert.ok(exp - iat - (response.body['expires_in'] as number) <= 1);
  }
});

test('a token with default settings is shorter than 1,000 bytes', async () => {
  const response = await ask({}, {}, plain);
  assert.ok(tokenOf(response).length < 600, String(tokenOf(response).length));
  assert.ok(tokenOf(await ask()).length < 1000);
});

test('several tokens of one API user are valid and distinct', async () => {
  const tokens = (await Promise.all(Array.from({ length: 20 }, () => ask()))).map(tokenOf);
  const ids = await Promise.all(tokens.map(async (token) => (await verified(token)).jti));
  assert.equal(new Set(tokens).size, 20);
  assert.equal(new Set(ids).size, 20);
});

test('a request without scope gets all scopes, and is told which', async () => {
  for (const form of [{}, { scope: '' }] as Record<string, string>[]) {
    const response = await ask(form);
    assert.equal(response.body['scope'], 'campaigns:read campaigns:manage reports!');
    assert.equal(claimsOf(response).scope, response.body['scope']);
  }
});

test('a request gets exactly its scopes, reported only if they differ', async () => {
  const exact = [
    'campaigns:read',
    'campaigns:manage campaigns:read',
    'reports! campaigns:read campaigns:manage',
  ];
  for (const scope of exact) {
    const response = await ask({ scope });
    assert.equal(claimsOf(response).scope, scope);
    assert.equal('scope' in response.body, false);
  }
  for (const scope of ['campaigns:read campaigns:read', ' campaigns:read', 'campaigns:read  ']) {
    const response = await ask({ scope });
    assert.equal(claimsOf(response).scope, 'campaigns:read');
    assert.equal(response.body['scope'], 'campaigns:read');
  }
});

test('a malformed scope and one not held are refused', async () => {
  for (const scope of [
    'x',
    'campaigns:read x',
    'CAMPAIGNS:READ',
    'campaigns',
    'campaigns:read\tcampaigns:manage',
  ]) {
    const response = await ask({ scope });
    assert.equal(response.status, 400, scope);
    assert.equal(response.body['error'], 'invalid_scope');
    assert.ok(!response.text.includes(scope) || scope === 'x' || scope === 'campaigns');
  }
  assert.equal((await ask({ scope: 'campaigns:read' }, {}, plain)).body['error'], 'invalid_scope');
  const blank = await ask({ scope: ' ' });
  assert.equal(blank.body['error'], 'invalid_scope', 'a scope of spaces is malformed (RFC 6749 section 3.3)');
});

test('an API user without scopes gets a token without a scope claim', async () => {
  const response = await ask({}, {}, plain);
  assert.equal(response.status, 200);
  assert.equal('scope' in response.body, false);
  assert.equal('scope' in claimsOf(response), false);
});

test('the default audience applies unless a permitted resource is requested', async () => {
  for (const [resource, audience] of [
    [undefined, AUDIENCES[0]],
    ['', AUDIENCES[0]],
    [AUDIENCES[0], AUDIENCES[0]],
    [AUDIENCES[1], AUDIENCES[1]],
  ]) {
    const response = await ask(resource === undefined ? {} : { resource });
    assert.equal(claimsOf(response).aud, audience);
    await verified(tokenOf(response), audience);
  }
  assert.equal(claimsOf(await ask({}, {}, plain)).aud, server.url);
  assert.equal(claimsOf(await ask({ resource: server.url }, {}, plain)).aud, server.url);
});

test('an audience that was not granted is refused, however similar', async () => {
  const [first = ''] = AUDIENCES;
  for (const resource of [
    'https://evil.example.com/',
    first.slice(0, -1),
    `${first}x`,
    `${first} ${AUDIENCES[1]}`,
    first.toUpperCase(),
    `["${first}","https://evil.example.com/"]`,
    server.url,
    ' ',
  ]) {
    const response = await ask({ resource });
    assert.equal(response.status, 400, resource);
    assert.equal(response.body['error'], 'invalid_target');
  }
  const given = await server.post(
    `client_id=${user.client_id}&client_secret=${user.client_secret}&audience=https://evil.example.com/&aud=x`,
  );
  assert.equal(claimsOf(given).aud, first);
});

test('each response has its own request id, in errors the trace_id', async () => {
  const responses = [await ask(), await ask(), await ask({ scope: 'x' }), await ask({ client_secret: 'x' })];
  const ids = responses.map(({ headers }) => headers.get('x-request-id') ?? '');
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(responses[2]?.body['trace_id'], ids[2]);
  assert.equal(responses[3]?.body['trace_id'], ids[3]);
});

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

test('an incoming traceparent names the request on every route', async () => {
  for (const traceparent of [
    `00-${TRACE}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-00`,
    `00-${TRACE}-${PARENT}-ff`,
    `01-${TRACE}-${PARENT}-01`,
    `cc-${TRACE}-${PARENT}-01-what-the-future-brings`,
  ]) {
    for (const form of [{}, { scope: 'x' }] as Record<string, string>[]) {
      const response = await ask(form, { traceparent });
      assert.equal(response.headers.get('x-request-id'), TRACE, traceparent);
      if (response.status !== 200) assert.equal(response.body['trace_id'], TRACE);
    }
    const elsewhere = await fetch(`${server.url}/nothing`, { headers: { traceparent } });
    assert.equal(elsewhere.headers.get('x-request-id'), TRACE);
    assert.equal(((await elsewhere.json()) as { trace_id: string }).trace_id, TRACE);
  }
});

test('a traceparent that is not well-formed is ignored', async () => {
  for (const traceparent of [
    '',
    'nonsense',
    `ff-${TRACE}-${PARENT}-01`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}`,
    `00-${TRACE}-${PARENT}-1`,
    `00-${TRACE}-${PARENT}-01-`,
    `00-${TRACE}-${PARENT}-01-what-the-future-brings`,
    `00-${TRACE}-${PARENT}-01.`,
    `00-${TRACE}0-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`,
    ` ${'x'.repeat(3000)}`,
  ]) {
    const response = await ask({}, { traceparent });
    assert.equal(response.status, 200);
    const id = response.headers.get('x-request-id') ?? '';
    assert.match(id, /^[0-9a-f]{32}$/);
    assert.notEqual(id, TRACE, traceparent);
    assert.notEqual(id, '0'.repeat(32));
  }
});

test('a token response carries the limits of the API user', async () => {
  const limited = await server.json<MadeApiUser>('api-user', 'create', '--name', 'Limited', '--limit', '3');
  server.noteSecret(limited.client_secret);
  const deadline = Date.now() + 10_000;
  let response = await ask({}, {}, limited);
  while (response.status === 403) {
    assert.ok(Date.now() < deadline, 'the new API user is still unknown');
    await new Promise((resolve) => setTimeout(resolve, 50));
    response = await ask({}, {}, limited);
  }
  const { headers } = response;
  assert.equal(headers.get('x-ratelimit-limit'), '3');
  assert.equal(headers.get('x-ratelimit-remaining'), '2');
  assert.ok(Math.abs(Number(headers.get('x-ratelimit-reset')) - Date.now() / 1000) < 30);
  assert.equal(headers.get('ratelimit-policy'), '"api-user";q=3;w=60');
  assert.equal(headers.get('ratelimit'), '"api-user";r=2;t=20');
});
