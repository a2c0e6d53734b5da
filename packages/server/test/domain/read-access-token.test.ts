import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { maliciousTokens } from '../../../../test-vectors/build.ts';
import { accessTokenSigner, jwtSigner, type AccessTokenClaims } from '../../src/domain/access-token.ts';
import { readAccessToken, type ExpectedToken } from '../../src/domain/read-access-token.ts';
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from '../../src/domain/signing-algorithm.ts';
import { claimMembers } from '../../src/domain/token-shape.ts';
import { generateSigningKey } from '../../src/domain/signing-key.ts';

// What the server believes of a token that is shown to it: its own, to the letter, and nothing else.

const ISSUER = 'https://auth.example.com/marketing';
const NOW = 1_800_000_000;
const CLAIMS: AccessTokenClaims = {
  issuer: ISSUER,
  clientId: 'api_0123456789abcdefghij',
  audience: 'https://api.example.com/',
  scope: 'campaigns:read',
  issuedAt: NOW - 10,
  expiresAt: NOW + 890,
  tokenId: 'AAAAAAAAAAAAAAAAAAAAAA',
  organisationId: 'org_0123456789abcdefghij',
  others: { tier: 'gold', limits: { é: [1, null] } },
};

const PAYLOAD = {
  iss: ISSUER,
  sub: 'api_x',
  client_id: 'api_x',
  aud: 'https://api.example.com/',
  iat: NOW,
  exp: NOW + 900,
  jti: 'x',
};

function issuerWith(algorithm: SigningAlgorithm) {
  const { kid, privateKey } = generateSigningKey(algorithm);
  const publicKey = createPublicKey(privateKey);
  const expected: ExpectedToken = {
    issuer: ISSUER,
    clockSkewSeconds: 60,
    verifyingKey: (asked) => (asked === kid ? { algorithm, publicKey } : undefined),
  };
  const sign = accessTokenSigner(algorithm, kid, privateKey);
  return {
    expected,
    sign: (claims: AccessTokenClaims) =>
      sign({ ...claims, members: claimMembers(claims.organisationId, claims.others) }),
    signJson: (json: object, type = 'at+jwt') =>
      jwtSigner(algorithm, kid, privateKey, type)(JSON.stringify(json)),
    read: (token: string, nowSeconds = NOW, options = {}) =>
      readAccessToken(token, expected, nowSeconds * 1000, options),
  };
}

for (const algorithm of SIGNING_ALGORITHMS) {
  const issuer = issuerWith(algorithm);

  test(`what was signed with ${algorithm} is read back as it was`, () => {
    const text = fc.string({ unit: 'grapheme' });
    const id = fc.stringMatching(/^[A-Za-z0-9_-]{22}$/);
    fc.assert(
      fc.property(text, text, text, id, (clientId, audience, scope, tokenId) => {
        const claims = { ...CLAIMS, clientId, audience, scope, tokenId };
        assert.deepEqual(issuer.read(issuer.sign(claims)), claims);
      }),
      { numRuns: 30 },
    );
  });

  test(`an ${algorithm} token with one character changed is not a token`, () => {
    const token = issuer.sign(CLAIMS);
    assert.ok(issuer.read(token) !== null);
    const character = fc.constantFrom(...Array.from('ABYZabyz0189-_.=+/ \n\0é'));
    fc.assert(
      fc.property(fc.nat(token.length - 1), character, fc.constantFrom(0, 1), (at, put, instead) => {
        const changed = token.slice(0, at) + put + token.slice(at + instead);
        fc.pre(changed !== token);
        assert.equal(issuer.read(changed), null);
        assert.equal(issuer.read(token.slice(0, at) + token.slice(at + 1)), null);
      }),
      { numRuns: 300 },
    );
  });

  test(`a token of another ${algorithm} key with the same id is invalid`, () => {
    assert.equal(issuer.read(issuerWith(algorithm).sign(CLAIMS)), null);
  });
}

test('security 13: no malicious token is believed', () => {
  const { kid, privateKey } = generateSigningKey('ES256');
  const publicKey = createPublicKey(privateKey);
  const expected: ExpectedToken = {
    issuer: ISSUER,
    clockSkewSeconds: 60,
    verifyingKey: (asked) => (asked === kid ? { algorithm: 'ES256', publicKey } : undefined),
  };
  const claims = { ...PAYLOAD, scope: 'campaigns:read' };
  const { good, malicious } = maliciousTokens({ kid, privateKey, issuer: ISSUER, claims, nowSeconds: NOW });
  assert.ok(readAccessToken(good, expected, NOW * 1000) !== null);
  for (const { name, token } of malicious)
    assert.equal(readAccessToken(token, expected, NOW * 1000), null, name);
});

test('any text at all is no token, and no error', () => {
  const { read } = issuerWith('ES256');
  const segment = fc.oneof(
    fc.string(),
    fc.json().map((json) => Buffer.from(json).toString('base64url')),
  );
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 5 }), (segments) => {
      assert.equal(read(segments.join('.')), null);
    }),
  );
});

test('a token is valid until it expires, later only on demand', () => {
  const { read, sign } = issuerWith('ES256');
  const token = sign(CLAIMS);
  assert.ok(read(token, CLAIMS.expiresAt - 1) !== null);
  assert.equal(read(token, CLAIMS.expiresAt), null);
  assert.ok(read(token, CLAIMS.expiresAt, { atAnyTime: true }) !== null);
});

test('a token from the future is valid within the clock tolerance', () => {
  const { read, sign } = issuerWith('ES256');
  const token = sign(CLAIMS);
  assert.ok(read(token, CLAIMS.issuedAt - 60) !== null);
  assert.equal(read(token, CLAIMS.issuedAt - 61), null);
  assert.ok(read(token, CLAIMS.issuedAt - 61, { atAnyTime: true }) !== null);
});

test('what our key signed for another purpose is no access token', () => {
  const { read, signJson } = issuerWith('ES256');
  assert.ok(read(signJson(PAYLOAD)) !== null);
  for (const type of ['JWT', 'at+JWT', 'application/at+jwt', 'mintmark-revocations+jwt', '']) {
    assert.equal(read(signJson(PAYLOAD, type)), null, type);
  }
  const wrong: object[] = [
    { ...PAYLOAD, iss: `${ISSUER}/` },
    { ...PAYLOAD, sub: 'api_y' },
    { ...PAYLOAD, aud: [PAYLOAD.aud] },
    { ...PAYLOAD, exp: String(PAYLOAD.exp) },
    { ...PAYLOAD, exp: PAYLOAD.exp + 0.5 },
    { ...PAYLOAD, iat: null },
    { ...PAYLOAD, scope: ['a'] },
    ...Object.keys(PAYLOAD).map((name) => ({ ...PAYLOAD, [name]: undefined })),
  ];
  for (const claims of wrong) assert.equal(read(signJson(claims)), null, JSON.stringify(claims));
  assert.equal(read(signJson([PAYLOAD])), null);
});
