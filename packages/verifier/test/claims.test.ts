import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { API, jwt, newKey, startIssuer, type TestIssuer } from './support/issuer.ts';
import { refused } from './support/refused.ts';

let issuer: TestIssuer;
before(async () => {
  issuer = await startIssuer([newKey()]);
});
after(async () => await issuer[Symbol.asyncDispose]());

const nowSeconds = () => Math.floor(issuer.nowMs / 1000);

test('a good token comes back typed', async () => {
  const token = await issuer.verifier().verify(issuer.token({ jti: 'one', extra: { deep: [1] } }));
  const { issuer: iss, subject, clientId, audience, tokenId, issuedAt, expiresAt, scopes, claims } = token;
  assert.deepEqual(
    { iss, subject, clientId, audience, tokenId },
    { iss: issuer.url, subject: 'api_one', clientId: 'api_one', audience: [API], tokenId: 'one' },
  );
  assert.equal(expiresAt - issuedAt, 900);
  assert.deepEqual([...scopes], ['campaigns:read', 'reports:read']);
  assert.ok(scopes.has('campaigns:read') && !scopes.has('campaigns'));
  assert.equal(scopes.size, 2);
  assert.equal(JSON.parse(JSON.stringify(token)).scopes[1], 'reports:read');
  assert.deepEqual(claims['extra'], { deep: [1] });
});

test('a token of another issuer is refused, however alike', async () => {
  for (const iss of [`${issuer.url}/`, issuer.url.toUpperCase(), 'https://evil.example', [issuer.url]]) {
    const error = await refused(issuer.verifier().verify(issuer.token({ iss })));
    assert.match(error.reason, /^(issuer|claims)$/);
  }
});

test('a token for another API is refused; one matching audience suffices', async () => {
  const verifier = issuer.verifier({ audience: [API, 'urn:second'] });
  await verifier.verify(issuer.token({ aud: ['urn:other', 'urn:second'] }));
  for (const aud of [`${API}/`, `${API}.evil.example`, 'https://API.example.com', ['urn:other']]) {
    await refused(verifier.verify(issuer.token({ aud })), 'audience');
  }
  for (const aud of [[], [5, API], {}, '', null, [[API]]]) {
    const error = await refused(verifier.verify(issuer.token({ aud })));
    assert.match(error.reason, /^(claims|audience)$/);
  }
});

test('each claim that RFC 9068 requires must exist with its type', async () => {
  for (const name of ['iss', 'aud', 'sub', 'client_id', 'iat', 'exp', 'jti']) {
    for (const value of [undefined, null, '', {}, true]) {
      const error = await refused(issuer.verifier().verify(issuer.token({ [name]: value })), undefined, name);
      assert.match(error.reason, /^(claims|audience)$/, `${name}: ${JSON.stringify(value)}`);
    }
  }
});

test('times that are texts or not finite are refused', async () => {
  for (const name of ['exp', 'iat', 'nbf']) {
    await refused(issuer.verifier().verify(issuer.token({ [name]: String(nowSeconds()) })), 'claims');
    const json = JSON.stringify(issuer.claims({ [name]: 0 })).replace(`"${name}":0`, `"${name}":1e999`);
    const key = issuer.keys[0]!;
    const header = { alg: key.alg, typ: 'at+jwt', kid: key.kid };
    await refused(issuer.verifier().verify(jwt(header, json, key)), 'claims', name);
  }
});

test('a scope that is not text is refused; it may be missing', async () => {
  for (const scope of [['campaigns:read'], 5, null, {}]) {
    await refused(issuer.verifier().verify(issuer.token({ scope })), 'claims');
  }
  const { scopes } = await issuer.verifier().verify(issuer.token({ scope: undefined }));
  assert.equal(scopes.size, 0);
});

test('an expired token is refused as expired only if otherwise good', async () => {
  const long = { iat: nowSeconds() - 1000, exp: nowSeconds() - 100 };
  const error = await refused(issuer.verifier().verify(issuer.token(long)), 'expired');
  assert.equal(error.code, 'authorization-token-expired');
  await refused(issuer.verifier().verify(issuer.token({ ...long, aud: 'urn:other' })), 'audience');
  await refused(
    issuer.verifier().verify(issuer.token(long, { kid: issuer.keys[0]!.kid }, newKey())),
    'signature',
  );
});

test('a fast clock accepts a token up to the skew past expiry', async () => {
  const verifier = issuer.verifier({ clockSkewSeconds: 30 });
  const exp = nowSeconds();
  await verifier.verify(issuer.token({ iat: exp - 900, exp: exp - 29 }));
  await refused(verifier.verify(issuer.token({ iat: exp - 900, exp: exp - 30 })), 'expired');
});

test('a slow clock accepts a token up to the skew before issue', async () => {
  const verifier = issuer.verifier({ clockSkewSeconds: 30 });
  await verifier.verify(issuer.token({ iat: nowSeconds() + 30 }));
  await refused(verifier.verify(issuer.token({ iat: nowSeconds() + 31 })), 'not_yet_valid');
  await verifier.verify(issuer.token({ nbf: nowSeconds() + 30 }));
  await refused(verifier.verify(issuer.token({ nbf: nowSeconds() + 31 })), 'not_yet_valid');
});

test('members of a polluted prototype are not claims', async () => {
  const prototype = Object.prototype as unknown as Record<string, unknown>;
  prototype['client_id'] = 'api_polluted';
  try {
    await refused(issuer.verifier().verify(issuer.token({ client_id: undefined })), 'claims');
  } finally {
    delete prototype['client_id'];
  }
});
