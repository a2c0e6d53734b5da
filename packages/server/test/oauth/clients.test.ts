import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// Real clients, none of them ours, get a token, and jose verifies it against the served key set: for each algorithm.

const SCOPE = 'campaigns:read';

interface Token {
  access_token: string;
  token_type: string;
  expires_in?: number | undefined;
}

type Client = (server: TestServer, user: MadeApiUser) => Promise<Token>;

const curl = (...args: string[]) => promisify(execFile)('curl', ['--silent', '--max-time', '20', ...args]);

async function curlToken(server: TestServer, ...args: string[]): Promise<Token> {
  const { stdout } = await curl(...args, '--data-urlencode', `scope=${SCOPE}`, `${server.url}/oauth2/token`);
  return JSON.parse(stdout) as Token;
}

const curlForm: Client = (server, { client_id: id, client_secret: secret }) =>
  curlToken(server, '--data-urlencode', `client_id=${id}`, '--data-urlencode', `client_secret=${secret}`);

const curlBasic: Client = (server, { client_id: id, client_secret: secret }) =>
  curlToken(server, '--user', `${id}:${secret}`);

const curlChunked: Client = (server, { client_id: id, client_secret: secret }) =>
  curlToken(
    server,
    '--header',
    'Transfer-Encoding: chunked',
    '--data',
    `client_id=${id}&client_secret=${secret}`,
  );

function openidClient(authentication: (secret: string) => openid.ClientAuth): Client {
  return async (server, { client_id: id, client_secret: secret }) => {
    const config = await openid.discovery(new URL(server.url), id, undefined, authentication(secret), {
      algorithm: 'oauth2',
      execute: [openid.allowInsecureRequests],
    });
    assert.equal(config.serverMetadata().issuer, server.url);
    return await openid.clientCredentialsGrant(config, { scope: SCOPE });
  };
}

const insecure = { [oauth.allowInsecureRequests]: true };

async function discovered(server: TestServer): Promise<oauth.AuthorizationServer> {
  const issuer = new URL(server.url);
  const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
  return await oauth.processDiscoveryResponse(issuer, response);
}

function oauth4webapi(authentication: (secret: string) => oauth.ClientAuth): Client {
  return async (server, { client_id, client_secret }) => {
    const as = await discovered(server);
    const parameters = new URLSearchParams({ scope: SCOPE });
    const client = { client_id };
    const response = await oauth.clientCredentialsGrantRequest(
      as,
      client,
      authentication(client_secret),
      parameters,
      insecure,
    );
    return await oauth.processClientCredentialsResponse(as, client, response);
  };
}

const CLIENTS: Record<string, Client> = {
  'curl with a form': curlForm,
  'curl with --user': curlBasic,
  'curl with a chunked body': curlChunked,
  'openid-client with client_secret_post': openidClient(openid.ClientSecretPost),
  'openid-client with client_secret_basic': openidClient(openid.ClientSecretBasic),
  'oauth4webapi with client_secret_post': oauth4webapi(oauth.ClientSecretPost),
  'oauth4webapi with client_secret_basic': oauth4webapi(oauth.ClientSecretBasic),
};

async function assertVerifies(server: TestServer, user: MadeApiUser, token: Token, algorithm: string) {
  server.noteSecret(token.access_token);
  assert.equal(token.token_type.toLowerCase(), 'bearer');
  assert.equal(token.expires_in, 900);
  const keys = createRemoteJWKSet(new URL(`${server.url}/.well-known/jwks.json`));
  const { payload } = await jwtVerify(token.access_token, keys, {
    issuer: server.url,
    audience: server.url,
    subject: user.client_id,
    typ: 'at+jwt',
    algorithms: [algorithm],
    requiredClaims: ['iat', 'exp', 'jti', 'client_id', 'scope'],
  });
  assert.equal(payload['scope'], SCOPE);
}

for (const algorithm of ['ES256', 'EdDSA', 'RS256']) {
  test(`${algorithm} tokens that other people's clients got verify with jose`, async (t) => {
    const store = await newStore();
    const user = await store.apiUser('Importer', '--scope', SCOPE);
    await using server = await store.start({ MINTMARK_SIGNING_ALGORITHM: algorithm });
    for (const [name, client] of Object.entries(CLIENTS)) {
      await t.test(name, async () => {
        await assertVerifies(server, user, await client(server, user), algorithm);
      });
    }
  });
}

test("an access token of a server passes oauth4webapi's own check of RFC 9068", async () => {
  const store = await newStore();
  const user = await store.apiUser('Importer', '--scope', SCOPE);
  await using server = await store.start();
  const { access_token } = await oauth4webapi(oauth.ClientSecretPost)(server, user);
  server.noteSecret(access_token);
  const request = new Request('http://localhost/api', {
    headers: { authorization: `Bearer ${access_token}` },
  });
  const claims = await oauth.validateJwtAccessToken(await discovered(server), request, server.url, insecure);
  assert.equal(claims.client_id, user.client_id);
});

test('a password with any character reaches the server through each client', async () => {
  const password = 'p%41+ß: "q"&=/?#😀 \\';
  const store = await newStore();
  const { client_id } = await store.apiUser('A person', '--scope', SCOPE, '--no-secret');
  await store.password(client_id, password);
  await using server = await store.start();
  for (const [name, client] of Object.entries(CLIENTS)) {
    if (name === 'curl with --user' || name === 'curl with a chunked body') continue; // these encode nothing
    const token = await client(server, { client_id, client_secret: password, credential_id: '' });
    server.noteSecret(token.access_token);
    assert.equal(token.token_type.toLowerCase(), 'bearer', name);
  }
});

test('a refusal is read by clients as what it is', async () => {
  const store = await newStore();
  const user = await store.apiUser('Importer', '--scope', SCOPE);
  await using server = await store.start();
  const wrong = { ...user, client_secret: 'wrong' };
  await assert.rejects(oauth4webapi(oauth.ClientSecretPost)(server, wrong), (error) => {
    assert.ok(error instanceof oauth.ResponseBodyError);
    assert.deepEqual([error.error, error.status], ['invalid_client', 403]);
    return true;
  });
  await assert.rejects(oauth4webapi(oauth.ClientSecretBasic)(server, wrong), (error) => {
    assert.ok(error instanceof oauth.WWWAuthenticateChallengeError);
    assert.deepEqual([error.cause[0]?.scheme, error.status], ['basic', 401]);
    return true;
  });
  await assert.rejects(openidClient(openid.ClientSecretPost)(server, wrong), (error) => {
    assert.ok(error instanceof openid.ResponseBodyError);
    assert.equal(error.error, 'invalid_client');
    return true;
  });
  const { stdout } = await curl(
    '--fail-with-body',
    '--user',
    'x:y',
    '--data',
    '',
    `${server.url}/oauth2/token`,
  ).catch((error: { stdout: string }) => error);
  assert.equal((JSON.parse(stdout) as { error: string }).error, 'invalid_client');
});
