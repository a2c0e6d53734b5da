import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually } from '@mintmark/test-support/eventually';
import { mintmark, startServer, type TestServer } from '@mintmark/test-support/server';
import {
  AuthenticationApi,
  BadRequestException,
  Configuration,
  ForbiddenException,
  RateLimitException,
  TokenManager,
} from '../src/index.ts';

let server: TestServer;
let configuration: Configuration;
before(async () => {
  server = await startServer({ env: { MINTMARK_TOKEN_LIFE: '10', MINTMARK_FAILURE_LIMIT: '100' } });
  const { clientId, clientSecret } = server;
  configuration = new Configuration({ host: server.url, clientId, clientSecret });
});
// Disposal asserts that no secret or token is in the server's log or store.
after(() => server[Symbol.asyncDispose]());

function claims(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

test('the four lines of the README get a token', async () => {
  const response = await new AuthenticationApi(configuration).oAuth2TokenPost();
  server.noteSecret(response.access_token);
  assert.equal(response.token_type, 'Bearer');
  assert.equal(response.expires_in, 10);
  assert.equal(claims(response.access_token)['client_id'], server.clientId);
});

test('form and HTTP Basic both get a token with status and headers', async () => {
  for (const clientAuthentication of ['form', 'basic'] as const) {
    const { host, clientId, clientSecret } = configuration;
    const api = new AuthenticationApi(
      new Configuration({ host, clientId, clientSecret, clientAuthentication }),
    );
    const { status, headers, requestId, attempts } = await api.oAuth2TokenPostWithHttpInfo();
    assert.equal(status, 200);
    assert.equal(attempts, 1);
    assert.equal(headers.get('cache-control'), 'no-store');
    assert.equal(requestId, headers.get('x-request-id'));
    assert.ok(Number(headers.get('x-ratelimit-remaining')) > 0);
  }
});

test('a wrong secret is a ForbiddenException after one attempt: 403, Basic 401', async () => {
  for (const [clientAuthentication, status] of [
    ['form', 403],
    ['basic', 401],
  ] as const) {
    const api = new AuthenticationApi(
      new Configuration({
        host: server.url,
        clientId: server.clientId,
        clientSecret: 'wrong +&=',
        clientAuthentication,
      }),
    );
    await assert.rejects(api.oAuth2TokenPost(), (error) => {
      assert.ok(error instanceof ForbiddenException);
      assert.equal(error.status, status);
      assert.equal(error.error, 'invalid_client');
      assert.equal(error.attempts, 1);
      assert.match(error.requestId ?? '', /./);
      return true;
    });
  }
});

test('another grant type is a BadRequestException whose description says which one works', async () => {
  await assert.rejects(
    new AuthenticationApi(configuration).oAuth2TokenPost({ grantType: 'password' }),
    (error) => {
      assert.ok(error instanceof BadRequestException);
      assert.equal(error.error, 'unsupported_grant_type');
      assert.match(error.errorDescription ?? '', /client_credentials/);
      return true;
    },
  );
});

test('passwords with awkward characters arrive intact in form and Basic', async () => {
  const passwords = [
    'Pass+word & more=1% : ü 🔑 ok',
    '  sp aces: and %2B+%20 ñ  ',
    '"quotes" \\ <tag> \'x\' 日本語!!',
  ];
  for (const password of passwords) {
    const { client_id: clientId } = await createApiUser('--no-secret');
    await setPassword(clientId, password);
    for (const clientAuthentication of ['form', 'basic'] as const) {
      const api = new AuthenticationApi(
        new Configuration({ host: server.url, clientId, clientSecret: password, clientAuthentication }),
      );
      assert.match((await api.oAuth2TokenPost()).access_token, /^eyJ/);
    }
  }
});

test('a requested scope is in the token, a missing one is refused', async () => {
  const user = await createApiUser('--scope', 'campaigns:read', '--scope', 'campaigns:write');
  const api = new AuthenticationApi(
    new Configuration({ host: server.url, clientId: user.client_id, clientSecret: user.client_secret }),
  );
  const { access_token } = await api.oAuth2TokenPost({ scope: 'campaigns:read' });
  assert.equal(claims(access_token)['scope'], 'campaigns:read');
  await assert.rejects(api.oAuth2TokenPost({ scope: 'campaigns:delete' }), { error: 'invalid_scope' });
  await assert.rejects(api.oAuth2TokenPost({ resource: 'https://not.mine.example' }), {
    error: 'invalid_target',
  });
});

test('a rate limit is waited out; without retries it throws a RateLimitException', async () => {
  const user = await createApiUser('--limit', '60');
  const api = new AuthenticationApi(
    new Configuration({ host: server.url, clientId: user.client_id, clientSecret: user.client_secret }),
  );
  const useUp = () =>
    Promise.allSettled(Array.from({ length: 70 }, () => api.oAuth2TokenPost({}, { retry: false })));
  const results = await useUp();
  const refusal: unknown = results.find((result) => result.status === 'rejected')?.reason;
  assert.ok(refusal instanceof RateLimitException);
  assert.equal(refusal.error, 'rate_limit_exceeded');
  assert.ok(
    refusal.retryAfterMs !== undefined && refusal.retryAfterMs >= 1000 && refusal.retryAfterMs <= 2000,
  );
  await eventually(async () => {
    const { attempts } = await api.oAuth2TokenPostWithHttpInfo();
    if (attempts === 1) await useUp(); // a second had gone by, after which one call is allowed
    assert.ok(attempts >= 2, `${attempts} attempts`);
  });
});

test('1,000 parallel first calls cause one token request at the real server', async () => {
  let requests = 0;
  const counting = new Configuration({
    host: server.url,
    clientId: server.clientId,
    clientSecret: server.clientSecret,
    fetch: (input, init) => {
      requests += 1;
      return fetch(input, init);
    },
  });
  const manager = new TokenManager(counting);
  const tokens = await Promise.all(Array.from({ length: 1000 }, () => manager.getToken()));
  assert.equal(new Set(tokens).size, 1);
  assert.equal(requests, 1);
});

test('a token is renewed before the real server would call it expired', async () => {
  const manager = new TokenManager(configuration);
  const seen = new Set<string>();
  const end = Date.now() + 12_000;
  while (Date.now() < end) {
    const token = await manager.getToken();
    seen.add(token);
    assert.ok(Number(claims(token)['exp']) * 1000 > Date.now(), 'an expired token was handed out');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.equal(seen.size, 2);
});

interface Credentials {
  readonly client_id: string;
  readonly client_secret: string;
}

/** The server learns within milliseconds what the command line has written; this is many times that. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 500));

async function createApiUser(...options: string[]): Promise<Credentials> {
  const user = await server.json<Credentials>('api-user', 'create', '--name', 'Test', ...options);
  await settled();
  return user;
}

/** Gives an API user a password, which the command line reads from standard input. */
async function setPassword(clientId: string, password: string): Promise<void> {
  server.noteSecret(password);
  const { code, err } = await mintmark(['credential', 'create', clientId, '--password-stdin'], {
    env: { MINTMARK_DATA_DIR: server.dataDir },
    stdin: `${password}\n`,
  });
  assert.equal(code, 0, err);
  await settled();
}
