import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { jwtVerify } from 'jose';
import { accessTokenSigner } from '../../src/domain/access-token.ts';
import { grant } from '../../src/domain/grant.ts';
import { isDenial } from '../../src/domain/denial.ts';
import { SIGNING_ALGORITHMS } from '../../src/domain/signing-algorithm.ts';
import { generateSigningKey } from '../../src/domain/signing-key.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('"', '\\', '\n', '\0', '\u2028', ',', '}', '😀', '\ud800', ':', 'a') }),
);
const claims = fc.record({
  issuer: anyText,
  clientId: anyText,
  audience: anyText,
  scope: anyText,
  issuedAt: fc.integer({ min: 0, max: 4_000_000_000 }),
  expiresAt: fc.integer({ min: 4_000_000_001, max: 8_000_000_000 }),
  tokenId: fc.stringMatching(/^[\w-]{22}$/),
  members: fc.constantFrom('', ',"org_id":"org_1","tier":{"é":[1,null]}'),
});

for (const algorithm of SIGNING_ALGORITHMS) {
  test(`an ${algorithm} token says what was requested and verifies, for any text`, async () => {
    const { kid, privateKey } = generateSigningKey(algorithm);
    const publicKey = createPublicKey(privateKey);
    const sign = accessTokenSigner(algorithm, kid, privateKey);
    await fc.assert(
      fc.asyncProperty(claims, async (asked) => {
        const token = sign(asked);
        const { payload, protectedHeader } = await jwtVerify(token, publicKey, {
          algorithms: [algorithm],
          typ: 'at+jwt',
          currentDate: new Date(4e12),
        });
        assert.deepEqual(protectedHeader, { alg: algorithm, typ: 'at+jwt', kid });
        assert.deepEqual(payload, {
          iss: asked.issuer,
          sub: asked.clientId,
          client_id: asked.clientId,
          aud: asked.audience,
          iat: asked.issuedAt,
          exp: asked.expiresAt,
          jti: asked.tokenId,
          ...(asked.scope !== '' && { scope: asked.scope }),
          ...(asked.members !== '' && { org_id: 'org_1', tier: { é: [1, null] } }),
        });
      }),
      { numRuns: algorithm === 'RS256' ? 100 : 300 },
    );
  });
}

test('an ES256 signature has 64 bytes and verifies, whatever its numbers', async () => {
  const { kid, privateKey } = generateSigningKey('ES256');
  const publicKey = createPublicKey(privateKey);
  const sign = accessTokenSigner('ES256', kid, privateKey);
  let short = 0;
  for (let i = 0; i < 3000; i++) {
    const asked = { issuer: 'i', clientId: 'c', audience: 'a', scope: '', issuedAt: 1, expiresAt: 8e9 };
    const token = sign({ ...asked, tokenId: String(i), members: '' });
    const signature = Buffer.from(token.split('.')[2] ?? '', 'base64url');
    assert.equal(signature.length, 64);
    if (signature[0] !== 0 && signature[32] !== 0) continue;
    short += 1; // a leading zero: about one in 128
    await jwtVerify(token, publicKey);
  }
  assert.ok(short > 0);
});

const scopeToken = fc.stringMatching(/^[\x21\x23-\x5B\x5D-\x7E]{1,8}$/);
const may = fc.record({
  scopes: fc.uniqueArray(scopeToken, { maxLength: 6 }),
  audiences: fc.uniqueArray(fc.webUrl(), { minLength: 1, maxLength: 4 }),
});

test('a grant never exceeds what the API user may have', () => {
  const someScope = fc.oneof(
    anyText,
    fc.array(scopeToken).map((scopes) => scopes.join(' ')),
  );
  const asked = fc.tuple(fc.option(someScope, { nil: undefined }), fc.option(anyText, { nil: undefined }));
  fc.assert(
    fc.property(may, asked, ({ scopes, audiences }, [scope, resource]) => {
      const granted = grant({ scopes, audiences }, scope, resource);
      if (isDenial(granted)) return;
      assert.ok(audiences.includes(granted.audience));
      if (resource !== undefined) assert.equal(granted.audience, resource);
      for (const one of granted.scope.split(' ').filter((part) => part !== ''))
        assert.ok(scopes.includes(one));
    }),
    { numRuns: 2000 },
  );
});

test('a grant is exactly the request if the API user may', () => {
  const asked = may.chain(({ scopes, audiences }) =>
    fc.record({
      may: fc.constant({ scopes, audiences }),
      scope: fc.shuffledSubarray(scopes, { minLength: Math.min(1, scopes.length) }),
      resource: fc.constantFrom(...audiences),
    }),
  );
  fc.assert(
    fc.property(asked, ({ may: allowed, scope, resource }) => {
      const wanted = scope.length === 0 ? undefined : scope.join(' ');
      const granted = grant(allowed, wanted, resource);
      assert.ok(!isDenial(granted));
      assert.deepEqual(granted, { scope: scope.join(' '), audience: resource, tellScope: false });
    }),
    { numRuns: 1000 },
  );
});
