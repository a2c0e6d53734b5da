import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { accessTokenSigner, claimsJson } from '../../src/domain/access-token.ts';
import {
  CLAIMS_BYTES_MAX,
  CLAIMS_MAX,
  claimsFaults,
  mergedClaims,
  type Claims,
} from '../../src/domain/claims.ts';
import { knownOrganisation, NO_ORGANISATION } from '../../src/domain/known-organisation.ts';
import { SIGNING_ALGORITHMS } from '../../src/domain/signing-algorithm.ts';
import { generateSigningKey } from '../../src/domain/signing-key.ts';
import { previewToken, TOKEN_BYTES_MAX, tokenPreviewFaults } from '../../src/domain/token-preview.ts';
import { claimMembers, tokenShape, type Shaped } from '../../src/domain/token-shape.ts';

// Static claims: what operators may set, and the tokens that result.

const VECTORS = JSON.parse(
  readFileSync(new URL('../../../../test-vectors/token-claims.json', import.meta.url), 'utf8'),
) as {
  merged: {
    name: string;
    organisation_id: string | null;
    claims: { audience: Claims; organisation: Claims; api_user: Claims };
    members: Claims;
  }[];
  refused: { name: string; claims: unknown; member: string }[];
};

const CONTENT = {
  issuer: 'https://auth.example.com/marketing',
  clientId: 'api_0123456789abcdefghij',
  audience: 'https://api.example.com/',
  scope: 'campaigns:read campaigns:write',
  issuedAt: 1_800_000_000,
  expiresAt: 1_800_000_900,
  tokenId: 'A'.repeat(22),
};
const STANDARD = JSON.parse(claimsJson({ ...CONTENT, members: '' })) as Claims;

for (const { name, organisation_id: id, claims, members } of VECTORS.merged) {
  test(`claims of a token where ${name}`, () => {
    for (const each of Object.values(claims)) assert.deepEqual(claimsFaults(each), []);
    const merged = mergedClaims(claims.audience, claims.organisation, claims.api_user);
    const json = claimsJson({ ...CONTENT, members: claimMembers(id, merged) });
    assert.deepEqual(JSON.parse(json), { ...STANDARD, ...members });
  });
}

for (const { name, claims, member } of VECTORS.refused) {
  test(`claims are refused for ${name}`, () => {
    const [fault] = claimsFaults(claims);
    assert.equal(fault?.member, member);
    assert.match(fault.problem, /^[A-Z"].*[.}]$/s);
    assert.ok(fault.problem.isWellFormed());
  });
}

test('claims have a bound for their number and their bytes', () => {
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`c${i}`, i]));
  assert.deepEqual(claimsFaults(many(CLAIMS_MAX)), []);
  assert.equal(claimsFaults(many(CLAIMS_MAX + 1))[0]?.member, 'claims');
  const room = CLAIMS_BYTES_MAX - Buffer.byteLength('{"a":""}');
  assert.deepEqual(claimsFaults({ a: 'x'.repeat(room) }), []);
  assert.equal(claimsFaults({ a: 'é'.repeat(room / 2 + 1) })[0]?.member, 'claims');
});

test('a claim called __proto__ is refused, and reaches no prototype', () => {
  const claims: unknown = JSON.parse('{"__proto__": {"admin": true}}');
  assert.equal(claimsFaults(claims)[0]?.member, 'claims/__proto__');
  assert.deepEqual(Object.keys(mergedClaims({}, claims as Claims, {})), ['__proto__']);
});

for (const algorithm of SIGNING_ALGORITHMS) {
  test(`the preview of an ${algorithm} token is the token, to the byte`, () => {
    const { kid, privateKey } = generateSigningKey(algorithm);
    const claims = { audience: { a: 'é' }, organisation: { b: [1] }, apiUser: { c: null } };
    const preview = previewToken({
      ...CONTENT,
      algorithm,
      organisationId: 'org_0123456789abcdefghij',
      claims,
      life: { server: 900, audience: 600, organisation: null, apiUser: null },
      nowMs: CONTENT.issuedAt * 1000,
    });
    const members = claimMembers('org_0123456789abcdefghij', { a: 'é', b: [1], c: null });
    const expiresAt = CONTENT.issuedAt + 600;
    const token = accessTokenSigner(algorithm, kid, privateKey)({ ...CONTENT, expiresAt, members });
    assert.equal(preview.bytes, token.length);
    assert.equal(preview.lifeSeconds, 600);
    const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
    assert.deepEqual(preview.claims, JSON.parse(payload));
    assert.deepEqual(tokenPreviewFaults(preview), []);
  });
}

test('the largest claims of all three stay below the longest token', () => {
  const largest = (name: string) => ({
    [name]: 'x'.repeat(CLAIMS_BYTES_MAX - Buffer.byteLength('{"a":""}')),
  });
  const claims = { audience: largest('a'), organisation: largest('b'), apiUser: largest('c') };
  for (const each of Object.values(claims)) assert.deepEqual(claimsFaults(each), []);
  const input = {
    ...CONTENT,
    algorithm: 'RS256',
    organisationId: 'org_0123456789abcdefghij',
    claims,
  } as const;
  const life = { server: 900, audience: null, organisation: null, apiUser: null };
  const preview = previewToken({ ...input, life, nowMs: 0 });
  assert.ok(preview.bytes <= TOKEN_BYTES_MAX, `${preview.bytes} bytes`);
  const long = previewToken({ ...input, scope: 'x'.repeat(2000), life, nowMs: 0 });
  assert.equal(tokenPreviewFaults(long)[0]?.member, 'claims');
});

test('a shape is made once, and again when settings change', () => {
  const settings = { generation: 1, tokenLifeSeconds: 900, audiences: new Map() };
  const organisation = knownOrganisation('org_1', { ...NO_ORGANISATION, claims: { tier: 'a' } });
  const shaped: Shaped = {
    audiences: ['x', 'y'],
    organisation,
    claims: {},
    tokenLifeSeconds: null,
    shapes: [],
  };
  const first = tokenShape(shaped, 'y', settings);
  assert.equal(tokenShape(shaped, 'y', settings), first);
  organisation.claims = { tier: 'b' };
  assert.equal(tokenShape(shaped, 'y', settings).members, ',"org_id":"org_1","tier":"a"', 'not told yet');
  settings.generation += 1;
  settings.audiences.set('y', { claims: { tier: 'c', kind: 1 }, tokenLifeSeconds: 60 });
  assert.equal(tokenShape(shaped, 'y', settings).members, ',"org_id":"org_1","tier":"b","kind":1');
  assert.equal(tokenShape(shaped, 'y', settings).tokenLifeSeconds, 60);
  assert.equal(tokenShape(shaped, 'x', settings).tokenLifeSeconds, 900);
});
