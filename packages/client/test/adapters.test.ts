import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { Configuration as GeneratedConfiguration, FrontendApi, IdentityApi } from '@ory/client-fetch';
import createClient from 'openapi-fetch';
import { TokenManager } from '../src/index.ts';
import { tokenMiddleware } from '../src/openapi-fetch.ts';
import { tokenConfiguration } from '../src/typescript-fetch.ts';
import { configure } from './support/credentials.ts';
import type { Answer, FaultServer } from './support/fault-server.ts';
import { json, plain, problem, startFaultServer } from './support/fault-server.ts';

let tokens: FaultServer;
let api: FaultServer;
before(async () => {
  tokens = await startFaultServer();
  api = await startFaultServer(json(200, { id: 7 }));
});
after(async () => {
  await tokens.close();
  await api.close();
});
beforeEach(() => {
  tokens.requests.length = 0;
  api.requests.length = 0;
});

const refused: Answer = plain(401, '{}', { 'www-authenticate': 'Bearer error="invalid_token"' });
const busy: Answer = problem(429, 'rate_limit_exceeded', { 'retry-after': '0' });

/** As openapi-typescript writes it. */
interface paths {
  '/campaigns/{id}': {
    get: {
      parameters: { path: { id: number } };
      responses: { 200: { content: { 'application/json': { id: number } } } };
    };
  };
  '/campaigns': {
    post: {
      requestBody: { content: { 'application/json': { name: string } } };
      responses: { 200: { content: { 'application/json': { id: number } } } };
    };
  };
}

test('openapi-fetch carries the token, replays a refused one, waits out a 429', async () => {
  const manager = new TokenManager(configure(tokens.host));
  const client = createClient<paths>({ baseUrl: api.origin });
  client.use(tokenMiddleware(manager));
  const stale = await manager.getToken();
  api.next(refused);
  const { data } = await client.GET('/campaigns/{id}', { params: { path: { id: 7 } } });
  assert.equal(data?.id, 7);
  api.next(busy, refused);
  const created = await client.POST('/campaigns', { body: { name: 'spring' } });
  assert.equal(created.data?.id, 7);
  assert.deepEqual(
    api.requests.map(({ method, body }) => `${method} ${body}`),
    ['GET ', 'GET ', ...Array.from({ length: 3 }, () => 'POST {"name":"spring"}')],
  );
  assert.equal(api.requests[0]?.headers.authorization, `Bearer ${stale}`);
  assert.equal(api.requests[2]?.headers['content-type'], 'application/json');
  assert.equal(api.requests.at(-1)?.headers.authorization, `Bearer ${await manager.getToken()}`);
  assert.equal(tokens.requests.length, 3);
});

test('the middleware keeps the headers of other middleware on every attempt', async () => {
  const client = createClient<paths>({ baseUrl: api.origin });
  const named = (name: string) => ({
    onRequest({ request }: { request: Request }) {
      const changed = new Request(request);
      changed.headers.set(name, 'set');
      return changed;
    },
  });
  client.use(named('x-before'), tokenMiddleware(new TokenManager(configure(tokens.host))), named('x-after'));
  api.next(refused);
  await client.POST('/campaigns', { body: { name: 'a' } });
  assert.equal(api.requests.length, 2);
  for (const { headers, body } of api.requests) {
    assert.equal(headers['x-before'], 'set');
    assert.equal(headers['x-after'], 'set');
    assert.equal(body, '{"name":"a"}');
  }
});

test('the middleware drops a refused token, even after the last response', async () => {
  const manager = new TokenManager(configure(tokens.host));
  const client = createClient<paths>({ baseUrl: api.origin });
  client.use(tokenMiddleware(manager, { retry: false }));
  api.next(refused, refused);
  const { response } = await client.GET('/campaigns/{id}', { params: { path: { id: 7 } } });
  assert.equal(response.status, 401);
  assert.equal(api.requests.length, 2);
  await manager.getToken();
  assert.equal(tokens.requests.length, 3);
});

test('an openapi-fetch caller gets the connection error, and the middleware keeps working', async () => {
  const client = createClient<paths>({ baseUrl: api.origin });
  client.use(tokenMiddleware(new TokenManager(configure(tokens.host))));
  api.next((_response, _request, raw) => void raw.socket.resetAndDestroy());
  await assert.rejects(client.GET('/campaigns/{id}', { params: { path: { id: 7 } } }), TypeError);
  const { data } = await client.GET('/campaigns/{id}', { params: { path: { id: 7 } } });
  assert.equal(data?.id, 7);
});

test('typescript-fetch carries the token, replays a refused one, waits out a 429', async () => {
  const manager = new TokenManager(configure(tokens.host));
  const generated = new GeneratedConfiguration({ basePath: api.origin, ...tokenConfiguration(manager) });
  // An operation whose description names no security, and one that names another kind.
  await new FrontendApi(generated).toSession();
  api.next(refused, busy);
  await new IdentityApi(generated).createIdentity({
    createIdentityBody: { schema_id: 'default', traits: { name: 'x' } },
  });
  assert.equal(api.requests.length, 4);
  assert.ok(api.requests.every(({ headers }) => headers.authorization?.startsWith('Bearer eyJ')));
  assert.deepEqual(
    api.requests.slice(1).map(({ method, body }) => [method, JSON.parse(body).schema_id]),
    Array.from({ length: 3 }, () => ['POST', 'default']),
  );
  assert.equal(tokens.requests.length, 2);
});
