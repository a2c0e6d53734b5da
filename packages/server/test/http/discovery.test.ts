import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { eventually } from '@mintmark/test-support/eventually';
import { basic, exchange, FORM, TOKEN_PATH, type Reply } from '@mintmark/test-support/http';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// What the server says of itself, and whether it is true.

const METADATA = '/.well-known/oauth-authorization-server';
const OPENID = '/marketing/.well-known/openid-configuration';
const AUTHORIZE = '/marketing/oauth2/authorize';
const JWKS = '/marketing/.well-known/jwks.json';
/** Its body is bytes: see revocations.test.ts. */
const REVOCATIONS = '/marketing/oauth2/revocations';
/** What API users post to besides the token endpoint: see form-endpoints.test.ts. */
const POST_ROUTES = ['/marketing/oauth2/introspect', '/marketing/oauth2/revoke'];
/** Scripts of any website may read them. */
const PUBLIC_ROUTES = [`${METADATA}/marketing`, `/marketing${METADATA}`, OPENID, JWKS];
const GET_ROUTES = [...PUBLIC_ROUTES, '/livez', '/readyz', '/openapi.json'];

let server: TestServer;
let user: MadeApiUser;
let limited: MadeApiUser;
let person: MadeApiUser;

before(async () => {
  const store = await newStore();
  user = await store.apiUser('Importer', '--scope', 'campaigns:read', '--scope', 'mintmark:introspect');
  limited = await store.apiUser('Limited', '--limit', '1');
  person = await store.apiUser('A person', '--no-secret');
  await store.password(person.client_id, 'correct horse battery staple');
  server = await store.start({ MINTMARK_PASSWORD_CHECKS_MAX: '1', MINTMARK_TEST_PASSWORD_QUEUE_MAX: '0' });
});
after(async () => await server[Symbol.asyncDispose]());

const get = (path: string, headers = {}) => exchange(server.port, { method: 'GET', path, headers });

async function post(id: string, secret: string, more = '', headers = {}): Promise<Reply> {
  const body = `client_id=${id}&client_secret=${secret}${more}`;
  const reply = await exchange(server.port, { headers: { 'Content-Type': FORM, ...headers }, body });
  if (reply.status === 200) server.noteSecret(reply.body['access_token'] as string);
  return reply;
}

test('the metadata is the same at both URLs and names every endpoint', async () => {
  const [inserted, suffixed] = await Promise.all([
    get(`${METADATA}/marketing`),
    get(`/marketing${METADATA}`),
  ]);
  assert.equal(inserted.status, 200);
  assert.equal(inserted.text, suffixed.text);
  assert.match(inserted.headers['content-type'] ?? '', /^application\/json/);
  assert.match(inserted.headers['cache-control'] ?? '', /max-age=300/);
  const { body } = inserted;
  assert.equal(body['issuer'], server.url);
  assert.equal(body['token_endpoint'], `${server.url}/oauth2/token`);
  assert.equal(body['introspection_endpoint'], `${server.url}/oauth2/introspect`);
  assert.equal(body['revocation_endpoint'], `${server.url}/oauth2/revoke`);
  assert.deepEqual(body['grant_types_supported'], ['client_credentials']);
  assert.deepEqual(body['response_types_supported'], []);
  const methods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'];
  for (const endpoint of ['token', 'introspection', 'revocation']) {
    const supported = body[`${endpoint}_endpoint_auth_methods_supported`] as string[];
    assert.deepEqual(supported.toSorted(), methods, endpoint);
  }
  assert.equal(body['authorization_endpoint'], `${server.url}/oauth2/authorize`);
  for (const member of ['jwks_uri', 'service_documentation']) {
    assert.equal((await fetch(body[member] as string)).status, 200, member);
  }
});

test('the OpenID document is the metadata with what OpenID discovery demands', async () => {
  const [openid, oauth] = await Promise.all([get(OPENID), get(`/marketing${METADATA}`)]);
  assert.equal(openid.status, 200);
  assert.match(openid.headers['content-type'] ?? '', /^application\/json/);
  assert.equal(openid.headers['cache-control'], oauth.headers['cache-control']);
  const { subject_types_supported, id_token_signing_alg_values_supported, ...rest } = openid.body;
  assert.deepEqual(rest, oauth.body);
  assert.deepEqual(subject_types_supported, ['public']);
  assert.deepEqual(id_token_signing_alg_values_supported, ['ES256', 'EdDSA', 'RS256']);
  for (const member of ['response_types_supported', 'authorization_endpoint', 'jwks_uri']) {
    assert.ok(member in openid.body, member);
  }
});

test('the authorization endpoint answers every request 400 unsupported_response_type', async () => {
  const query = '?response_type=code&client_id=x&redirect_uri=https://example.com/&state=s';
  const bare = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY'];
  const asked: { method: string; path: string; headers?: Record<string, string>; body?: string }[] = [
    ...bare.flatMap((method) => [AUTHORIZE, AUTHORIZE + query].map((path) => ({ method, path }))),
    { method: 'POST', path: AUTHORIZE, headers: { 'Content-Type': FORM }, body: 'response_type=code' },
    { method: 'POST', path: AUTHORIZE, headers: { 'Content-Type': 'application/json' }, body: '{not json' },
    { method: 'PUT', path: AUTHORIZE, body: 'x'.repeat(100_000) },
  ];
  for (const request of asked) {
    const reply = await exchange(server.port, request);
    assert.equal(reply.status, 400, `${request.method} ${request.path}`);
    assert.equal(reply.body['error'], 'unsupported_response_type');
    assert.match(String(reply.body['error_description']), /client_credentials.*\/marketing\/oauth2\/token/);
    assert.equal(reply.headers['x-request-id'], reply.body['trace_id']);
    assert.equal(reply.headers['cache-control'], 'no-store');
    assert.equal(reply.headers.location, undefined);
  }
  const head = await exchange(server.port, { method: 'HEAD', path: AUTHORIZE });
  assert.deepEqual([head.status, head.text], [400, '']);
});

test('scripts of any website may read metadata, key set and revocations', async () => {
  for (const path of [...PUBLIC_ROUTES, REVOCATIONS]) {
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      const response = await fetch(`http://localhost:${server.port}${path}`, {
        method,
        headers: { Origin: 'https://example.com', 'Access-Control-Request-Method': 'GET' },
      });
      const text = await response.text();
      const what = `${method} ${path}`;
      assert.equal(response.status, method === 'OPTIONS' ? 204 : 200, what);
      assert.equal(response.headers.get('access-control-allow-origin'), '*', what);
      assert.equal(response.headers.get('access-control-expose-headers'), '*', what);
      assert.equal(response.headers.get('access-control-allow-credentials'), null, what);
      if (method !== 'OPTIONS') continue;
      assert.equal(text, '');
      assert.equal(response.headers.get('access-control-allow-methods'), 'GET, HEAD');
      assert.equal(response.headers.get('access-control-allow-headers'), '*');
      assert.equal(response.headers.get('access-control-max-age'), '7200');
    }
  }
  const { headers } = await get(JWKS);
  const notModified = await get(JWKS, { 'If-None-Match': headers.etag });
  assert.deepEqual([notModified.status, notModified.headers['access-control-allow-origin']], [304, '*']);
});

test('scripts of other websites may read nothing else', async () => {
  for (const path of [TOKEN_PATH, ...POST_ROUTES, AUTHORIZE, '/livez', '/readyz', '/metrics', '/console']) {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const response = await fetch(`http://localhost:${server.port}${path}`, {
        method,
        headers: { Origin: 'https://example.com' },
        redirect: 'manual',
      });
      assert.equal(response.headers.get('access-control-allow-origin'), null, `${method} ${path}`);
    }
  }
});

test('the key set has the public keys only, and a life', async () => {
  const reply = await get(JWKS);
  assert.equal(reply.status, 200);
  assert.match(reply.headers['content-type'] ?? '', /^application\/jwk-set\+json/);
  assert.equal(reply.headers['cache-control'], 'public, max-age=300');
  const { keys } = reply.body as { keys: Record<string, string>[] };
  assert.equal(keys.length, 1);
  assert.deepEqual(Object.keys(keys[0] ?? {}).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
});

test('a key set that a verifier already has is 304 without body', async () => {
  const { headers } = await get(JWKS);
  const etag = headers.etag ?? '';
  assert.match(etag, /^"[^"]+"$/);
  for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const reply = await get(JWKS, { 'If-None-Match': tag });
    assert.equal(reply.status, 304, tag);
    assert.equal(reply.text, '');
    assert.equal(reply.headers.etag, etag);
    assert.equal(reply.headers['cache-control'], 'public, max-age=300');
  }
  for (const tag of ['"other"', etag.slice(1, -1), '']) {
    assert.equal((await get(JWKS, { 'If-None-Match': tag })).status, 200, tag);
  }
});

test('an announced key changes key set and ETag within a second', async () => {
  const { headers } = await get(JWKS);
  await server.cli('signing-key', 'rotate');
  const reply = await eventually(async () => {
    const changed = await get(JWKS, { 'If-None-Match': headers.etag });
    assert.equal(changed.status, 200);
    return changed;
  });
  assert.equal((reply.body['keys'] as unknown[]).length, 2);
});

test('liveness and readiness answer, and are not kept by caches', async () => {
  const live = await get('/livez');
  assert.deepEqual([live.status, live.text], [200, '{"status":"alive"}']);
  const ready = await eventually(async () => {
    const reply = await get('/readyz');
    assert.equal(reply.body['all_in_memory'], true);
    return reply;
  });
  assert.equal(ready.status, 200);
  assert.equal(ready.body['status'], 'ready');
  assert.equal(ready.body['api_users_in_memory'], 3);
  for (const { headers } of [live, ready]) assert.equal(headers['cache-control'], 'no-store');
});

test('each GET route answers HEAD with the same headers and no body', async () => {
  for (const path of GET_ROUTES) {
    const whole = await get(path);
    const head = await exchange(server.port, { method: 'HEAD', path });
    assert.equal(head.status, whole.status, path);
    assert.equal(head.text, '');
    assert.equal(head.headers['content-type'], whole.headers['content-type']);
    // It says how many tenths of a second it is behind, which is now "0" and now "0.1".
    if (path !== '/readyz')
      assert.equal(head.headers['content-length'], whole.headers['content-length'], path);
    assert.equal(head.headers.etag, whole.headers.etag);
  }
});

test('each GET route answers other methods 405 with Allow for any content', async () => {
  for (const path of GET_ROUTES) {
    for (const asked of [
      { method: 'POST', headers: { 'Content-Type': FORM }, body: 'a=b' },
      { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{not json' },
      { method: 'DELETE' },
      ...(PUBLIC_ROUTES.includes(path) ? [] : [{ method: 'OPTIONS' }]),
    ]) {
      const reply = await exchange(server.port, { path: `${path}?a=b`, ...asked });
      assert.equal(reply.status, 405, `${asked.method} ${path}`);
      assert.equal(reply.headers.allow, PUBLIC_ROUTES.includes(path) ? 'GET, HEAD, OPTIONS' : 'GET, HEAD');
      assert.deepEqual(Object.keys(reply.body), ['error', 'error_description', 'trace_id']);
      assert.equal(reply.headers['x-request-id'], reply.body['trace_id']);
    }
  }
});

test('every response names its request, and never the software behind it', async () => {
  for (const path of [...GET_ROUTES, '/nothing']) {
    const { headers } = await get(path);
    assert.match(String(headers['x-request-id']), /^[0-9a-f]{32}$/, path);
    assert.equal(headers['x-powered-by'], undefined);
    assert.equal(headers.server, undefined);
  }
});

interface Description {
  servers: { url: string }[];
  paths: Record<string, Record<string, { responses: Record<string, DescribedResponse> }>>;
  components: { headers: Record<string, { schema: object }> };
}

interface DescribedResponse {
  headers?: Record<string, { $ref: string }>;
  content?: Record<string, { schema: object }>;
}

test('the description is a valid OpenAPI 3.1 document that names this server', async () => {
  const { body } = await get('/openapi.json');
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(body));
  assert.ok(valid, JSON.stringify(errors));
  assert.equal(validator.version, '3.1');
  const description = body as unknown as Description;
  assert.equal(description.servers[0]?.url, `http://localhost:${server.port}`);
  assert.deepEqual(
    Object.keys(description.paths).sort(),
    [...GET_ROUTES, ...POST_ROUTES, TOKEN_PATH, REVOCATIONS, AUTHORIZE].sort(),
  );
});

/** Checks responses against the served description: status, media type, schema of the body, headers and their values. */
async function describedBy(): Promise<(method: string, path: string, reply: Reply) => void> {
  const description = (await get('/openapi.json')).body as unknown as Description;
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema(description, 'openapi');
  const check = (schema: object, value: unknown, what: string) => {
    const { $ref } = schema as { $ref?: string };
    const validate = ajv.compile($ref === undefined ? schema : { $ref: `openapi${$ref}` });
    assert.ok(validate(value), `${what}: ${ajv.errorsText(validate.errors)}`);
  };
  return (method, path, reply) => {
    const what = `${method} ${path} ${reply.status}`;
    const response = description.paths[path]?.[method]?.responses[String(reply.status)];
    assert.ok(response !== undefined, `${what} is not described`);
    const [type = ''] = (reply.headers['content-type'] ?? '').split(';');
    if (reply.text === '') assert.equal(response.content, undefined, what);
    else {
      const { schema } = response.content?.[type] ?? {};
      assert.ok(schema !== undefined, `${what}: ${type} is not described`);
      check(schema, reply.body, what);
    }
    for (const [name, { $ref }] of Object.entries(response.headers ?? {})) {
      const value = reply.headers[name.toLowerCase()];
      assert.ok(typeof value === 'string', `${what} has no ${name}`);
      const described = description.components.headers[$ref.split('/').at(-1) ?? ''];
      assert.ok(described !== undefined, $ref);
      const number = (described.schema as { type: string }).type === 'integer';
      check(described.schema, number ? Number(value) : value, `${what} ${name}`);
    }
  };
}

test('every response of the token endpoint is as the description says', async () => {
  const check = await describedBy();
  const described = (reply: Reply, status: number) => {
    assert.equal(reply.status, status, reply.text);
    check('post', TOKEN_PATH, reply);
  };
  const { client_id: id, client_secret: secret } = user;
  described(await post(id, secret), 200);
  described(await post(id, secret, '&scope=campaigns:read'), 200);
  described(await post(id, ''), 400);
  described(await post(id, secret, '&grant_type=x'), 400);
  described(await post(id, secret, '&scope=x'), 400);
  described(await post(id, secret, '&resource=x'), 400);
  const headers = { Authorization: basic(id, 'x') };
  described(await exchange(server.port, { headers: { 'Content-Type': FORM, ...headers } }), 401);
  described(await post(id, 'x'), 403);
  described(await exchange(server.port, { method: 'PUT' }), 405);
  const replies: Reply[] = [];
  for (let i = 0; i < 3; i++) replies.push(await post(limited.client_id, limited.client_secret));
  const tooMany = replies.find(({ status }) => status === 429);
  assert.ok(tooMany !== undefined);
  described(tooMany, 429);
  const guesses = Array.from({ length: 20 }, (_, i) => post(person.client_id, `a%20wrong%20guess%20${i}`));
  const shed = (await Promise.all(guesses)).find(({ status }) => status === 503);
  assert.ok(shed !== undefined);
  described(shed, 503);
});

test('introspection and revocation answer as the description says', async () => {
  const check = await describedBy();
  const { client_id: id, client_secret: secret } = user;
  const token = (await post(id, secret)).body['access_token'] as string;
  for (const path of POST_ROUTES) {
    const described = async (status: number, headers: Record<string, string>, body: string) => {
      const reply = await exchange(server.port, {
        path,
        headers: { 'Content-Type': FORM, ...headers },
        body,
      });
      assert.equal(reply.status, status, reply.text);
      check('post', path, reply);
    };
    const authorization = { Authorization: basic(id, secret) };
    await described(200, authorization, `token=${token}`);
    await described(200, authorization, `token=${token}`);
    await described(400, authorization, '');
    await described(401, { Authorization: basic(id, 'x') }, 'token=x');
    await described(403, {}, `token=x&client_id=${id}&client_secret=x`);
  }
});

test('every GET route answers as the description says', async () => {
  const check = await describedBy();
  for (const path of GET_ROUTES) check('get', path, await get(path));
  for (const path of [...PUBLIC_ROUTES, REVOCATIONS]) {
    check('options', path, await exchange(server.port, { method: 'OPTIONS', path }));
  }
  check('get', AUTHORIZE, await get(AUTHORIZE));
  check('post', AUTHORIZE, await exchange(server.port, { path: AUTHORIZE }));
});
