import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { inspect } from 'node:util';
import { fromEnv } from '../src/env.ts';
import { githubActions, identityToken } from '../src/identity.ts';
import type { IdentitySource } from '../src/identity.ts';
import {
  ApiException,
  AuthenticationApi,
  ConfigurationError,
  ConnectionException,
  TokenManager,
} from '../src/index.ts';
import type { ClientAssertion } from '../src/index.ts';
import { configure } from './support/credentials.ts';
import type { FaultServer } from './support/fault-server.ts';
import { json, plain, problem, reset, startFaultServer } from './support/fault-server.ts';

const jwt = (name: string) =>
  `eyJhbGciOiJSUzI1NiJ9.${Buffer.from(`{"n":"${name}"}`).toString('base64url')}.c2ln`;
const requestToken = 'github-request-token';

let server: FaultServer;
let github: FaultServer;
let directory: string;
before(async () => {
  server = await startFaultServer();
  github = await startFaultServer((response) =>
    json(200, { value: jwt(`github-${github.requests.length}`) })(response),
  );
  directory = await mkdtemp(join(tmpdir(), 'mintmark-identity-'));
});
after(async () => {
  await server.close();
  await github.close();
  await rm(directory, { recursive: true });
});
beforeEach(() => {
  server.requests.length = 0;
  github.requests.length = 0;
});

function apiWith(clientAuthentication: ClientAssertion): AuthenticationApi {
  return new AuthenticationApi(configure(server.host, { clientSecret: undefined, clientAuthentication }));
}

function assertions(): (string | null)[] {
  return server.requests.map(({ form }) => form.get('client_assertion'));
}

function githubEnv(url = `${github.origin}/token?api-version=2.0`): Record<string, string> {
  return { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: requestToken };
}

test('a token file is read for each request, as Kubernetes replaces it', async () => {
  const path = join(directory, 'token');
  const api = apiWith(identityToken({ file: path }));
  for (const name of ['one', 'two']) {
    await writeFile(path, `${jwt(name)}\n`);
    await api.oAuth2TokenPost();
  }
  assert.deepEqual(assertions(), [jwt('one'), jwt('two')]);
  const [first] = server.requests;
  assert.deepEqual(
    [...(first?.form.keys() ?? [])],
    ['grant_type', 'client_id', 'client_assertion', 'client_assertion_type'],
  );
});

test('a function is asked for each attempt, with a signal', async () => {
  let calls = 0;
  const api = apiWith(
    identityToken(async ({ signal, clientId }) => {
      signal.throwIfAborted();
      return jwt(`${clientId}-${++calls}`);
    }),
  );
  server.next(problem(503, 'temporarily_unavailable'));
  await api.oAuth2TokenPost();
  assert.deepEqual(assertions(), [jwt('api_test-1'), jwt('api_test-2')]);
});

test('what is not a token is refused unsent and not quoted', async () => {
  const path = join(directory, 'wrong');
  await writeFile(path, '{"token":"very-secret"}');
  const sources: IdentitySource[] = [{ file: path }, () => 'very-secret', async () => ''];
  for (const source of sources) {
    await assert.rejects(apiWith(identityToken(source)).oAuth2TokenPost(), (error) => {
      assert.ok(error instanceof ConfigurationError);
      assert.equal(error.option, 'file' in source ? path : 'identityToken');
      return !inspect(error).includes('very-secret');
    });
  }
  await assert.rejects(apiWith(identityToken({ file: join(directory, 'missing') })).oAuth2TokenPost(), {
    code: 'ENOENT',
  });
  // @ts-expect-error -- a token in place of a function
  assert.throws(() => identityToken(jwt('x')), { option: 'identityToken' });
  assert.equal(server.requests.length, 0);
});

test('a GitHub Actions job gets a token for each attempt', async () => {
  const api = apiWith(githubActions({}, githubEnv()));
  server.next(reset);
  await api.oAuth2TokenPost();
  assert.deepEqual(assertions(), [jwt('github-1'), jwt('github-2')]);
  const [request] = github.requests;
  assert.equal(request?.url, `/token?api-version=2.0&audience=${encodeURIComponent(server.host)}`);
  assert.equal(request.headers.authorization, `Bearer ${requestToken}`);
  await apiWith(githubActions({ audience: 'urn:own' }, githubEnv())).oAuth2TokenPost();
  assert.match(github.requests.at(-1)?.url ?? '', /audience=urn%3Aown$/);
});

test('githubActions names the missing permission and refuses plain HTTP', () => {
  const message = /permissions: id-token: write/;
  assert.throws(() => githubActions({}, {}), { option: 'ACTIONS_ID_TOKEN_REQUEST_URL', message });
  const urlAlone = { ...githubEnv(), ACTIONS_ID_TOKEN_REQUEST_TOKEN: undefined };
  assert.throws(() => githubActions({}, urlAlone), { option: 'ACTIONS_ID_TOKEN_REQUEST_TOKEN', message });
  for (const url of ['http://token.actions.example/x', 'ftp://127.0.0.1/x', 'token.actions.example'])
    assert.throws(() => githubActions({}, githubEnv(url)), { message: /must use https/ });
  // @ts-expect-error -- a typo
  assert.throws(() => githubActions({ aud: 'x' }, githubEnv()), { option: 'aud' });
});

test('faults of GitHub that may pass are retried, others are not', async () => {
  github.next(reset, problem(503, 'busy'));
  await apiWith(githubActions({}, githubEnv())).oAuth2TokenPost();
  assert.equal(github.requests.length, 3);
  const final: [Parameters<FaultServer['next']>, number, RegExp][] = [
    [[plain(403, `no ${requestToken}`)], 1, /403.*permissions/],
    [[plain(302, '', { location: server.origin })], 1, /302/],
    [[json(200, { other: 1 })], 1, /no token/],
    [[problem(500, 'a'), problem(500, 'b'), problem(500, 'c')], 3, /500/],
    [[reset, reset, reset], 3, /GET http/],
  ];
  for (const [answers, requests, message] of final) {
    github.requests.length = 0;
    github.next(...answers);
    await assert.rejects(apiWith(githubActions({}, githubEnv())).oAuth2TokenPost(), (error) => {
      assert.ok(error instanceof ApiException);
      assert.match(error.message, message);
      assert.equal(error instanceof ConnectionException, answers[0] === reset);
      return !inspect(error, { depth: 9 }).includes(requestToken) && !error.body.includes(requestToken);
    });
    assert.equal(github.requests.length, requests, String(message));
  }
  assert.equal(server.requests.length, 1);
});

test('fromEnv takes one of a secret, a key file, a token file', async () => {
  const path = join(directory, 'env-token');
  await writeFile(path, jwt('env'));
  const env = { MINTMARK_CLIENT_ID: 'api_env', MINTMARK_IDENTITY_TOKEN_FILE: path };
  await new TokenManager(fromEnv({ host: server.host }, env)).getToken();
  assert.deepEqual(assertions(), [jwt('env')]);

  const byKey = { MINTMARK_CLIENT_ID: 'api_env', MINTMARK_CLIENT_KEY_FILE: path };
  const api = new AuthenticationApi(fromEnv({ host: server.host }, byKey));
  await assert.rejects(api.oAuth2TokenPost(), { option: path, message: /neither a private key/ });

  const bySecret = { MINTMARK_CLIENT_ID: 'api_env', MINTMARK_CLIENT_SECRET: 's' };
  assert.equal(fromEnv({}, bySecret).clientSecret, 's');
  assert.throws(() => fromEnv({}, { ...bySecret, ...byKey }), {
    option: 'MINTMARK_CLIENT_KEY_FILE',
    message: /so is MINTMARK_CLIENT_SECRET: keep one/,
  });
  assert.throws(() => fromEnv({}, { MINTMARK_CLIENT_KEY_FILE: path }), { option: 'MINTMARK_CLIENT_ID' });
  assert.throws(() => fromEnv({}, { ...byKey, MINTMARK_CLIENT_KEY_FILE: 'key\r' }), {
    option: 'MINTMARK_CLIENT_KEY_FILE',
  });
});
