import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test, type TestContext } from 'node:test';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import * as onExpress from '../src/express.ts';
import * as onFastify from '../src/fastify.ts';
import * as onFetch from '../src/fetch.ts';
import * as onHono from '../src/hono.ts';
import * as onNode from '../src/node-http.ts';
import {
  protectedResource,
  type ErrorEnvelope,
  type ProtectedResource,
  type Verifier,
} from '../src/index.ts';
import { API, startIssuer, type TestIssuer } from './support/issuer.ts';

// The same requests through each adapter, in its own framework.

interface Reply {
  status: number;
  headers: Record<string, string>;
  body: Record<string, unknown>;
}

interface Api {
  get(path: string, headers?: Record<string, string>): Promise<Reply>;
  stop(): Promise<void>;
}

type Make = (verifier: Verifier, resource: ProtectedResource) => Promise<Api>;

const SCOPE = 'campaigns:read';

async function listening(server: Server): Promise<Api> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    get: (path, headers = {}) =>
      new Promise((resolve, reject) => {
        const request = httpRequest({ port, path, headers, host: '127.0.0.1', agent: false }, (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers as Record<string, string>,
              body: JSON.parse(text) as Record<string, unknown>,
            }),
          );
        });
        request.on('error', reject).end();
      }),
    async stop() {
      server.close();
      await once(server, 'close');
    },
  };
}

async function replyOf(response: Response): Promise<Reply> {
  const headers = Object.fromEntries(response.headers);
  return { status: response.status, headers, body: (await response.json()) as Record<string, unknown> };
}

const adapters: Record<string, Make> = {
  async express(verifier, resource) {
    const protect = onExpress.createProtect(verifier);
    const app = express();
    // A router of its own: request.url is relative to it, and the error names the whole path.
    const routes = express.Router();
    routes.get('/portfolio', protect({ scope: SCOPE }), (request, response) => {
      response.json({ caller: onExpress.callerOf(request).clientId });
    });
    app.use('/v1', routes);
    app.get('/any', protect(), (request, response) => {
      response.json({ caller: onExpress.callerOf(request).clientId });
    });
    app.get('/open', (request, response) => {
      assert.throws(() => onExpress.callerOf(request), /No protect\(\) ran/);
      response.json({});
    });
    app.get(resource.path, onExpress.metadataHandler(resource));
    return await listening(createServer(app as never));
  },
  async fastify(verifier, resource) {
    const protect = onFastify.createProtect(verifier);
    const app = fastify();
    app.get('/v1/portfolio', { onRequest: protect({ scope: SCOPE }) }, (request) => ({
      caller: onFastify.callerOf(request).clientId,
    }));
    app.get('/any', { preHandler: protect() }, (request) => ({
      caller: onFastify.callerOf(request).clientId,
    }));
    app.get('/open', (request) => {
      assert.throws(() => onFastify.callerOf(request), /No protect\(\) ran/);
      return {};
    });
    app.get(resource.path, onFastify.metadataHandler(resource));
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address() as AddressInfo;
    return {
      get: async (path, headers = {}) =>
        await replyOf(await fetch(`http://127.0.0.1:${port}${path}`, { headers })),
      stop: async () => await app.close(),
    };
  },
  async hono(verifier, resource) {
    const protect = onHono.createProtect(verifier);
    const app = new Hono();
    app.get('/v1/portfolio', protect({ scope: SCOPE }), (c) =>
      c.json({ caller: onHono.callerOf(c).clientId }),
    );
    app.get('/any', protect(), (c) => c.json({ caller: onHono.callerOf(c).clientId }));
    app.get('/open', (c) => {
      assert.throws(() => onHono.callerOf(c), /No protect\(\) ran/);
      return c.json({});
    });
    app.get(resource.path, onHono.metadataHandler(resource));
    return {
      get: async (path, headers = {}) => await replyOf(await app.request(path, { headers })),
      stop: async () => {},
    };
  },
  async 'node:http'(verifier, resource) {
    const protect = onNode.createProtect(verifier);
    const routes: Record<string, onNode.Listener> = {
      '/v1/portfolio': protect({ scope: SCOPE }, (_request, response, caller) =>
        response.end(JSON.stringify({ caller: caller.clientId })),
      ),
      '/any': protect({}, (_request, response, caller) =>
        response.end(JSON.stringify({ caller: caller.clientId })),
      ),
    };
    const metadata = onNode.metadataHandler(resource);
    return await listening(
      createServer((request, response) => {
        const path = request.url?.split('?')[0] ?? '';
        if (path === resource.path) return metadata(request, response);
        if (path === '/open') return void response.end('{}');
        void routes[path]?.(request, response);
      }),
    );
  },
  async fetch(verifier, resource) {
    const protect = onFetch.createProtect(verifier);
    const metadata = onFetch.metadataHandler(resource);
    const routes: Record<string, onFetch.FetchHandler<[{ name: string }]>> = {
      '/v1/portfolio': protect({ scope: SCOPE }, (_request, caller, env: { name: string }) =>
        Response.json({ caller: caller.clientId, env: env.name }),
      ),
      '/any': protect({}, (_request, caller, _env: { name: string }) =>
        Response.json({ caller: caller.clientId }),
      ),
      '/open': async () => Response.json({}),
      [resource.path]: async () => metadata(),
    };
    return {
      async get(path, headers = {}) {
        const request = new Request(`http://api.example.com${path}`, { headers });
        return await replyOf(await routes[new URL(request.url).pathname]!(request, { name: 'env' }));
      },
      stop: async () => {},
    };
  },
};

let issuer: TestIssuer;
before(async () => {
  issuer = await startIssuer();
});
after(async () => await issuer[Symbol.asyncDispose]());

async function api(t: TestContext, make: Make): Promise<Api> {
  const resource = protectedResource({ resource: API, issuers: [issuer.url], scopes: [SCOPE] });
  const made = await make(issuer.verifier({ resourceMetadataUrl: resource.url }), resource);
  t.after(async () => await made.stop());
  return made;
}

function errorOf({ body }: Reply): ErrorEnvelope['errors'][number] {
  const { errors, warnings } = body as unknown as ErrorEnvelope;
  assert.deepEqual(warnings, []);
  assert.equal(errors.length, 1);
  return errors[0]!;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

for (const [name, make] of Object.entries(adapters)) {
  test(`${name}: a good token reaches the handler, which is told who calls`, async (t) => {
    const { get } = await api(t, make);
    for (const path of ['/v1/portfolio', '/any', '/any?page=2']) {
      const reply = await get(path, bearer(issuer.token()));
      assert.equal(reply.status, 200);
      assert.equal(reply.body['caller'], 'api_one');
    }
    assert.equal((await get('/open')).status, 200);
  });

  test(`${name}: without a good token 401, and the handler is not called`, async (t) => {
    const { get } = await api(t, make);
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const cases: [string, Record<string, string>][] = [
      ['authorization-token-missing', {}],
      ['authorization-token-missing', { authorization: 'Basic YTpi' }],
      ['authorization-token-invalid', bearer('undefined')],
      ['authorization-token-invalid', bearer(issuer.token({ aud: 'urn:other' }))],
      ['authorization-token-expired', bearer(issuer.token({ iat: 1, exp: 2 }))],
    ];
    for (const [code, headers] of cases) {
      const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
      const reply = await get('/v1/portfolio?access_token=secret', { ...headers, traceparent });
      assert.equal(reply.status, 401, code);
      const error = errorOf(reply);
      const { instance } = error;
      assert.deepEqual(
        { code: error.code, traceId: error.traceId, instance, type: error.type },
        { code, traceId, instance: '/v1/portfolio', type: 'authorization' },
      );
      assert.match(
        reply.headers['www-authenticate'] ?? '',
        /^Bearer error="invalid_token", .*resource_metadata="/,
      );
      assert.match(reply.headers['content-type'] ?? '', /^application\/json/);
      assert.equal(reply.headers['cache-control'], 'no-store');
    }
    const { traceId: own } = errorOf(await get('/any', { traceparent: 'not one' }));
    assert.match(own, /^[0-9a-f]{32}$/);
  });

  test(`${name}: a missing scope is 403, on a scopeless route 200`, async (t) => {
    const { get } = await api(t, make);
    const token = bearer(issuer.token({ scope: 'reports:read' }));
    const reply = await get('/v1/portfolio', token);
    assert.equal(reply.status, 403);
    assert.equal(errorOf(reply).code, 'insufficient_scope');
    assert.match(
      reply.headers['www-authenticate'] ?? '',
      /error="insufficient_scope".*scope="campaigns:read"/,
    );
    assert.equal((await get('/any', token)).status, 200);
  });

  test(`${name}: while no token can be checked 503 with Retry-After`, async (t) => {
    await using away = await startIssuer();
    await away.stop();
    const resource = protectedResource({ resource: API, issuers: [away.url] });
    const { get, stop } = await make(away.verifier(), resource);
    t.after(stop);
    const reply = await get('/v1/portfolio', bearer(away.token()));
    assert.equal(reply.status, 503);
    assert.equal(errorOf(reply).code, 'authorization-unavailable');
    assert.ok(Number(reply.headers['retry-after']) >= 1);
    assert.equal(reply.headers['www-authenticate'], undefined);
  });

  test(`${name}: the metadata of the protected resource is served`, async (t) => {
    const { get } = await api(t, make);
    const reply = await get('/.well-known/oauth-protected-resource');
    assert.equal(reply.status, 200);
    assert.deepEqual(reply.body['authorization_servers'], [issuer.url]);
    assert.match(reply.headers['content-type'] ?? '', /^application\/json/);
  });
}

test('protect() accepts options, and a wrong scope stops the start', () => {
  const protect = onExpress.createProtect({ issuer: issuer.url, audience: API });
  assert.equal(typeof protect({ scope: SCOPE }), 'function');
  assert.throws(() => protect({ scope: 'a"b' }), TypeError);
  assert.throws(() => protect({ scope: [] }), TypeError);
});

test('what a handler throws is not mistaken for a refusal', async () => {
  const protect = onFetch.createProtect(issuer.verifier());
  const handler = protect({}, () => {
    throw new RangeError('a bug');
  });
  const request = new Request('http://api.example.com/', { headers: bearer(issuer.token()) });
  await assert.rejects(handler(request), RangeError);
});
