import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AccessTokenError, protectedResource } from '../src/index.ts';
import { requiredScopes } from '../src/scopes.ts';
import { startIssuer } from './support/issuer.ts';
import { refused } from './support/refused.ts';

const request = (authorization?: string | string[]) => ({ headers: { authorization } });

test('Bearer is accepted in any letter case from any request kind', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier();
  const token = issuer.token();
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
    await verifier.verifyRequest(request(`${scheme} ${token}`));
  }
  await verifier.verifyRequest(request(`Bearer   ${token} `));
  await verifier.verifyRequest(
    new Request('https://a.example', { headers: { authorization: `Bearer ${token}` } }),
  );
});

test('a missing token is reported; a second or wrong one is invalid', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier();
  const token = issuer.token();
  for (const header of [undefined, '', 'Bearer', 'Bearer  ', `Basic ${token}`, token, `Bearer${token}`]) {
    const error = await refused(verifier.verifyRequest(request(header)), 'missing', header);
    assert.equal(error.code, 'authorization-token-missing');
    assert.match(error.wwwAuthenticate ?? '', /^Bearer error="invalid_token", /);
  }
  const twice = new Headers([['authorization', `Bearer ${token}`]]);
  twice.append('authorization', `Bearer ${token}`);
  for (const bad of [request([`Bearer ${token}`, `Bearer ${token}`]), { headers: twice }]) {
    const error = await refused(verifier.verifyRequest(bad), 'malformed');
    assert.equal(error.code, 'authorization-token-invalid');
  }
  await refused(verifier.verifyRequest(request('Bearer undefined')), 'malformed');
});

test('a missing scope is 403 insufficient_scope, and the challenge names the scopes', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier();
  const signed = request(`Bearer ${issuer.token({ scope: 'a b' })}`);
  await verifier.verifyRequest(signed, { scope: 'a' });
  await verifier.verifyRequest(signed, { scope: ['b', 'a'] });
  const error = await refused(verifier.verifyRequest(signed, { scope: 'a c' }), 'scope');
  assert.equal(error.status, 403);
  assert.equal(error.code, 'insufficient_scope');
  assert.match(error.wwwAuthenticate ?? '', /^Bearer error="insufficient_scope", .*scope="a c"$/);
});

test('a scope that no token can have is refused on request', () => {
  for (const bad of ['', ' ', 'a"b', 'a\\b', 'ä', 'a\nb', []]) {
    assert.throws(() => requiredScopes(bad), TypeError, JSON.stringify(bad));
  }
  assert.deepEqual(requiredScopes('a  b'), ['a', 'b']);
  assert.deepEqual(requiredScopes(undefined), []);
});

test('the envelope is the one of the platform', () => {
  const error = new AccessTokenError('authorization-token-expired', 'expired', 'It has expired.');
  assert.deepEqual(error.toEnvelope({ traceId: 'abc', instance: '/v1/portfolio' }), {
    errors: [
      {
        traceId: 'abc',
        type: 'authorization',
        code: 'authorization-token-expired',
        instance: '/v1/portfolio',
        title: 'Access token expired',
        detail: 'The access token has expired. Get a new one from the token endpoint.',
      },
    ],
    warnings: [],
  });
});

test('protected resource metadata is at RFC 9728’s URL, named in challenges', async () => {
  await using issuer = await startIssuer();
  const resource = protectedResource({
    resource: 'https://api.example.com/v1',
    issuers: [issuer.url],
    scopes: ['a'],
  });
  assert.equal(resource.path, '/.well-known/oauth-protected-resource/v1');
  assert.equal(resource.url, `https://api.example.com${resource.path}`);
  assert.deepEqual(JSON.parse(resource.body), {
    resource: 'https://api.example.com/v1',
    authorization_servers: [issuer.url],
    scopes_supported: ['a'],
    bearer_methods_supported: ['header'],
  });
  const root = protectedResource({ resource: 'https://api.example.com', issuers: [issuer.url] });
  assert.equal(root.url, 'https://api.example.com/.well-known/oauth-protected-resource');
  const verifier = issuer.verifier({ resourceMetadataUrl: resource.url });
  for (const header of [undefined, 'Bearer x', `Bearer ${issuer.token()}`]) {
    const error = await refused(verifier.verifyRequest(request(header), { scope: 'other' }));
    assert.ok(error.wwwAuthenticate?.endsWith(`resource_metadata="${resource.url}"`));
  }
  for (const resourceMetadataUrl of ['x', 'https://a.example/"', 'https://a.example/\r\nx: y']) {
    assert.throws(() => issuer.verifier({ resourceMetadataUrl }), /is not a URL/);
  }
});
