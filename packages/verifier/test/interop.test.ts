import assert from 'node:assert/strict';
import { createPublicKey, type webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createVerifier as createFastJwtVerifier } from 'fast-jwt';
import buildGetJwks from 'get-jwks';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { startServer } from '@mintmark/test-support/server';
import { createVerifier } from '../src/index.ts';

test('tokens of the server verify with jose and fast-jwt, for each algorithm', async () => {
  for (const algorithm of ['ES256', 'EdDSA', 'RS256'] as const) {
    await using server = await startServer({ env: { MINTMARK_SIGNING_ALGORITHM: algorithm } });
    const { clientId, clientSecret, url } = server;
    const { body } = await server.post({ client_id: clientId, client_secret: clientSecret });
    const token = body['access_token'] as string;
    const keys = createRemoteJWKSet(new URL(`${url}/.well-known/jwks.json`));
    const options = { issuer: url, audience: url, algorithms: [algorithm], typ: 'at+jwt' };
    const { payload } = await jwtVerify(token, keys, options);
    assert.equal(payload['client_id'], clientId);

    // get-jwks knows no Ed25519 keys: for those fast-jwt is given the key.
    const getJwks = buildGetJwks({ jwksPath: '/.well-known/jwks.json' });
    const { keys: published } = (await (await fetch(`${url}/.well-known/jwks.json`)).json()) as {
      keys: webcrypto.JsonWebKey[];
    };
    const pem = createPublicKey({ key: published[0]!, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    });
    const verify = createFastJwtVerifier({
      key: async (decoded: { header: Record<string, string> }) =>
        decoded.header['alg'] === 'EdDSA'
          ? pem
          : await getJwks.getPublicKey({
              kid: decoded.header['kid'] ?? '',
              domain: url,
              alg: decoded.header.alg ?? '',
            }),
      algorithms: [algorithm],
      allowedIss: url,
      allowedAud: url,
    });
    assert.equal(((await verify(token)) as { client_id: string }).client_id, clientId);
  }
});

interface OidcProvider {
  new (issuer: string, configuration: object): { callback(): (...args: never[]) => unknown };
}

// Not a literal, because it comes without types.
const OIDC_PROVIDER: string = 'oidc-provider';
const RESOURCE = 'https://api.example.com';
const CLIENT = { client_id: 'importer', client_secret: 'a-secret-for-this-test-alone' };

test('RFC 9068 tokens of oidc-provider are accepted through its metadata', async () => {
  const { default: Provider } = (await import(OIDC_PROVIDER)) as { default: OidcProvider };
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, {
    clients: [{ ...CLIENT, grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }],
    scopes: ['campaigns:read'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: 'campaigns:read',
          audience: RESOURCE,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 900,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  });
  server.on('request', provider.callback() as never);
  try {
    const form = { grant_type: 'client_credentials', resource: RESOURCE, scope: 'campaigns:read' };
    const response = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${CLIENT.client_id}:${CLIENT.client_secret}`)}` },
      body: new URLSearchParams(form),
    });
    const { access_token: token } = (await response.json()) as { access_token: string };
    const verified = await createVerifier({ issuer, audience: RESOURCE }).verify(token);
    assert.equal(verified.clientId, CLIENT.client_id);
    assert.deepEqual([...verified.scopes], ['campaigns:read']);
    await assert.rejects(createVerifier({ issuer, audience: 'urn:other' }).verify(token), {
      reason: 'audience',
    });
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
