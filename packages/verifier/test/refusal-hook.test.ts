// What the platform's own people learn of a refusal, and what a route can ask of a token.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';
import express from 'express';
import * as onExpress from '../src/express.ts';
import * as onFetch from '../src/fetch.ts';
import * as onNode from '../src/node-http.ts';
import {
  createVerifier,
  type AccessTokenErrorReason,
  type ErrorEnvelope,
  type TokenRefusal,
} from '../src/index.ts';
import { API, newKey, revocationBody, startIssuer, type TestIssuer } from './support/issuer.ts';
import { refused } from './support/refused.ts';

let issuer: TestIssuer;
before(async () => {
  issuer = await startIssuer();
});
after(async () => await issuer[Symbol.asyncDispose]());

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function listening(server: Server): Promise<{ url: string; port: number } & AsyncDisposable> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

test('onRefused reports reason, route and API user, never the token', async () => {
  await using own = await startIssuer();
  const seen: TokenRefusal[] = [];
  const verifier = own.verifier({ onRefused: (refusal) => seen.push(refusal) });
  const app = express();
  const protect = onExpress.createProtect(verifier);
  const router = express.Router();
  router.get(
    '/:id',
    protect({ scope: 'campaigns:write', anyScope: ['a', 'b'] }),
    (_q, s) => void s.end('{}'),
  );
  app.use('/v1/campaigns', router);
  await using api = await listening(createServer(app));

  const tokens: [AccessTokenErrorReason, string | undefined, string | undefined][] = [
    ['missing', undefined, undefined],
    ['malformed', 'undefined', undefined],
    ['too_long', 'x'.repeat(9000), undefined],
    ['signature', own.token({}, {}, newKey('ES256', own.keys[0]!.kid)), undefined],
    ['unknown_key', own.token({}, { kid: 'unknown' }), undefined],
    ['issuer', own.token({ iss: 'https://other.example' }), undefined],
    ['audience', own.token({ aud: 'urn:other' }), undefined],
    ['expired', own.token({ iat: 1, exp: 2 }), 'api_one'],
    ['scope', own.token({ scope: 'a' }), 'api_one'],
    ['scope', own.token({ scope: 'campaigns:write' }), 'api_one'],
  ];
  for (const [reason, token, clientId] of tokens) {
    seen.length = 0;
    const path = '/v1/campaigns/7';
    const response = await fetch(`${api.url}${path}?access_token=secret`, {
      headers: token === undefined ? {} : bearer(token),
    });
    const { errors } = (await response.json()) as ErrorEnvelope;
    assert.equal(seen.length, 1, reason);
    const [refusal] = seen;
    assert.equal(refusal?.reason, reason);
    assert.equal(refusal?.status, response.status);
    assert.equal(refusal?.code, errors[0]?.code);
    assert.equal(refusal?.traceId, errors[0]?.traceId);
    assert.equal(refusal?.clientId, clientId, reason);
    assert.deepEqual([refusal?.method, refusal?.path], ['GET', path]);
    assert.deepEqual([refusal?.scope, refusal?.anyScope], [['campaigns:write'], ['a', 'b']]);
    const shown = inspect(refusal, { depth: 10, showHidden: true }) + JSON.stringify(refusal);
    assert.doesNotMatch(shown, /access_token|secret/);
    for (const part of (token ?? '.').split('.')) {
      if (part.length > 9) assert.ok(!shown.includes(part.slice(0, 20)), reason);
    }
  }
});

test('onRefused reports revoked tokens, missing keys, and tokens without request', async () => {
  await using own = await startIssuer();
  own.revocations = { body: revocationBody(['leaked']) };
  const seen: TokenRefusal[] = [];
  const onRefused = (refusal: TokenRefusal) => void seen.push(refusal);
  const verifier = own.verifier({ onRefused });
  await refused(verifier.verify(own.token({ jti: 'leaked' })), 'revoked');
  await refused(verifier.verifyRequest({ headers: bearer('x') }), 'malformed');
  await own.stop();
  await refused(own.verifier({ onRefused }).verify(own.token()), 'key_set_unavailable');
  assert.deepEqual(
    seen.map(({ reason, status, clientId, method, path }) => [reason, status, clientId, method, path]),
    [
      ['revoked', 401, 'api_one', undefined, undefined],
      ['malformed', 401, undefined, undefined, undefined],
      ['key_set_unavailable', 503, undefined, undefined, undefined],
    ],
  );
});

test('a failing hook changes no answer and ends no process', async (t) => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  t.after(() => process.off('unhandledRejection', note));
  const throws = () => {
    throw new Error('the log is full');
  };
  const rejects: () => unknown = () => Promise.reject(new Error('the log is away'));
  for (const hook of [throws, rejects] as (() => void)[]) {
    await using away = await startIssuer();
    await away.stop();
    const verifier = away.verifier({ onRefused: hook, onKeySetFailure: hook });
    await refused(verifier.verify(away.token()), 'key_set_unavailable');
  }
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(unhandled, []);
});

test('a good token is told to no hook', async () => {
  const seen: TokenRefusal[] = [];
  const verifier = issuer.verifier({ onRefused: (refusal) => seen.push(refusal) });
  await verifier.verify(issuer.token());
  await verifier.verifyRequest({ headers: bearer(issuer.token()) }, { scope: 'campaigns:read' });
  assert.deepEqual(seen, []);
});

test('anyScope lets a token with one of the scopes in', async () => {
  const verifier = issuer.verifier();
  const request = (scope: string) => ({ headers: bearer(issuer.token({ scope })) });
  for (const anyScope of ['a b', ['a', 'b']]) {
    await verifier.verifyRequest(request('a'), { anyScope });
    await verifier.verifyRequest(request('c b'), { anyScope });
    const error = await refused(verifier.verifyRequest(request('c'), { anyScope }), 'scope');
    assert.equal(error.status, 403);
    assert.match(error.wwwAuthenticate ?? '', /error="insufficient_scope".* scope="a b"$/);
  }
  await verifier.verifyRequest(request('a c'), { scope: 'c', anyScope: 'a b' });
  await refused(verifier.verifyRequest(request('a'), { scope: 'c', anyScope: 'a b' }), 'scope');
  await refused(verifier.verifyRequest(request('c'), { scope: 'c', anyScope: 'a b' }), 'scope');
});

test('a claims check admits only if it returns true', async () => {
  const protect = onFetch.createProtect(issuer.verifier());
  const answer = async (check: unknown, claims = {}) => {
    const handler = protect({ check } as { check: () => boolean }, () => new Response('in'));
    const token = issuer.token({ org_id: 'acme', ...claims });
    return await handler(new Request('https://api.example.com/v1', { headers: bearer(token) }));
  };
  const ofAcme = ({ claims }: { claims: Record<string, unknown> }) => claims['org_id'] === 'acme';
  assert.equal((await answer(ofAcme)).status, 200);
  assert.equal((await answer(async (token: never) => ofAcme(token))).status, 200);
  for (const check of [
    () => false,
    async () => false,
    () => 'yes',
    () => undefined,
    () => ({}),
    async () => 1,
  ]) {
    const response = await answer(check);
    assert.equal(response.status, 403);
    const { errors } = (await response.json()) as ErrorEnvelope;
    assert.equal(errors[0]?.code, 'insufficient_claims');
    assert.match(response.headers.get('www-authenticate') ?? '', /^Bearer error="insufficient_scope"/);
  }
  assert.equal((await answer(ofAcme, { org_id: 'other' })).status, 403);
  // A bug in a check is no answer, and lets nobody in.
  await assert.rejects(
    answer(() => {
      throw new RangeError('a bug');
    }),
    RangeError,
  );
});

test('a misspelt requirement stops the start', () => {
  const protect = onExpress.createProtect({ issuer: issuer.url, audience: API });
  for (const wrong of [
    { scopes: 'a' },
    { anyScopes: 'a' },
    { anyScope: [] },
    { anyScope: 'ä' },
    { check: true },
  ]) {
    assert.throws(() => protect(wrong as object), TypeError, JSON.stringify(wrong));
  }
});

test('a request target that is no URL gets its 401', async () => {
  const protect = onNode.createProtect(issuer.verifier());
  const listener = protect({}, (_request, response) => response.end('in'));
  await using api = await listening(createServer((request, response) => void listener(request, response)));
  for (const target of ['http://[', 'http://a.example:99999/x', '*', 'http://a.example/x?secret=1']) {
    const socket = connect(api.port, '127.0.0.1');
    socket.end(`OPTIONS ${target} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n`);
    const answer = await text(socket);
    assert.match(answer, /^HTTP\/1\.1 40[01] /, target);
    assert.doesNotMatch(answer, /secret/);
  }
});

test('settings of the verifier with control characters are refused, shown escaped', () => {
  const good = { issuer: 'https://auth.example.com', audience: API };
  for (const character of ['\r', '\n', '\t', '\u0000', '\u007f', '\u0085', ' ']) {
    for (const name of ['issuer', 'jwksUrl', 'audience', 'resourceMetadataUrl'] as const) {
      if (name === 'audience' && character === ' ') continue;
      const options = { ...good, [name]: `https://auth.example.com/x${character}` };
      assert.throws(
        () => createVerifier(options),
        (error) =>
          error instanceof TypeError && error.message.startsWith(name) && !/\p{Cc}/u.test(error.message),
        `${name} ${JSON.stringify(character)}`,
      );
    }
  }
});
