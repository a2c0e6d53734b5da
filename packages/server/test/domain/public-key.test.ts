import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { calculateJwkThumbprint } from 'jose';
import { algorithmsOf, keyObjectOf, readJwk, readPublicKey } from '../../src/domain/public-key.ts';

const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const ed25519 = generateKeyPairSync('ed25519');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });

const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' });
const jwkOf = (key: KeyObject) => key.export({ format: 'jwk' }) as Record<string, string>;

function problemsOf(value: unknown): string {
  const outcome = readPublicKey(typeof value === 'string' ? value : JSON.stringify(value));
  assert.ok(Array.isArray(outcome), 'the key was accepted');
  assert.ok(outcome.every(({ member }) => member === 'public_key'));
  return outcome.map(({ problem }) => problem).join('\n');
}

test('a public key is the same key as PEM, JWK and JWKS', async () => {
  for (const { publicKey } of [p256, p384, ed25519, rsa]) {
    const jwk = jwkOf(publicKey);
    const thumbprint = await calculateJwkThumbprint(jwk);
    for (const text of [pem(publicKey), JSON.stringify(jwk), JSON.stringify({ keys: [jwk] })]) {
      for (const around of [text, `\ufeff${text}`, `\n\n ${text.replaceAll('\n', '\r\n')}\n`]) {
        const outcome = readPublicKey(around);
        assert.ok(!Array.isArray(outcome), JSON.stringify(outcome));
        assert.deepEqual(outcome, { jwk, thumbprint });
        assert.ok(keyObjectOf(outcome.jwk).equals(publicKey));
      }
    }
  }
});

test('a key keeps kid and alg and loses every other member', () => {
  const jwk = jwkOf(p256.publicKey);
  const labels = { kid: 'build-1', alg: 'ES256' };
  const outcome = readJwk({ ...labels, ...jwk, use: 'sig', key_ops: ['verify'], x5u: 'https://a.example' });
  assert.deepEqual('jwk' in outcome && outcome.jwk, { ...jwk, ...labels });
});

test('the algorithms of a key follow from its type, or from alg', () => {
  const algorithms = (key: KeyObject, labels = {}) => {
    const outcome = readJwk({ ...jwkOf(key), ...labels });
    return 'jwk' in outcome ? algorithmsOf(outcome.jwk) : [];
  };
  assert.deepEqual(algorithms(p256.publicKey), ['ES256']);
  assert.deepEqual(algorithms(p384.publicKey), ['ES384']);
  assert.deepEqual(algorithms(ed25519.publicKey), ['EdDSA', 'Ed25519']);
  assert.deepEqual(algorithms(rsa.publicKey), ['PS256', 'RS256']);
  assert.deepEqual(algorithms(rsa.publicKey, { alg: 'PS256' }), ['PS256']);
});

test('a private key is refused as leaked, in every form', () => {
  const { privateKey } = p256;
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const sec1 = privateKey.export({ type: 'sec1', format: 'pem' });
  const jwk = jwkOf(privateKey);
  const both = `${pem(p256.publicKey)}${pkcs8}`;
  const symmetric = { kty: 'oct', k: 'AAAA' };
  const encrypted = pkcs8.replaceAll('PRIVATE KEY', 'ENCRYPTED PRIVATE KEY');
  const sets = [{ keys: [jwk] }, { keys: [jwkOf(p384.publicKey), jwk] }];
  for (const value of [pkcs8, sec1, jwk, both, symmetric, encrypted, ...sets]) {
    const problems = problemsOf(value);
    assert.match(problems, /leaked: generate another one/);
    assert.ok(!problems.includes(jwk['d'] ?? ''));
  }
});

test('a copied private key is refused as leaked, whatever its form', () => {
  const { privateKey } = p256;
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const jwk = jwkOf(privateKey);
  const json = JSON.stringify(jwk);
  const der = (['pkcs8', 'sec1'] as const).map((type) => privateKey.export({ type, format: 'der' }));
  const forms = [
    ...der.map((bytes) => bytes.toString('base64')),
    der[0]?.toString('base64url'),
    rsa.privateKey.export({ type: 'pkcs1', format: 'der' }).toString('base64'),
    Buffer.from(pkcs8).toString('base64'),
    Buffer.from(json).toString('base64'),
    pkcs8.slice(pkcs8.indexOf('\n')),
    pkcs8.toLowerCase(),
    JSON.stringify({ type: 'service_account', private_key: pkcs8 }),
    { privateKey: jwk },
    { keys: { own: jwk } },
    JSON.stringify([jwk]),
    JSON.stringify(json),
    json.slice(0, -2),
    'PuTTY-User-Key-File-3: ssh-ed25519',
    '-----BEGIN PGP PRIVATE KEY BLOCK-----',
  ];
  for (const form of forms) assert.match(problemsOf(form), /^This is a private key\./);
});

test('a key that does not fit is refused with what to do', () => {
  const jwk = jwkOf(p256.publicKey);
  const ofCurve = (namedCurve: string) => pem(generateKeyPairSync('ec', { namedCurve }).publicKey);
  const ofBits = (modulusLength: number, publicExponent = 65_537) =>
    pem(generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey);
  const refused: [unknown, RegExp][] = [
    ['', /There is no key/],
    ['hello', /neither PEM .* nor a JWK/],
    ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@host', /key of OpenSSH/],
    ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', /openssl x509 .* -pubkey/],
    ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', /PEM cannot be read/],
    ['-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----', /Send "PUBLIC KEY"/],
    [pem(p256.publicKey) + pem(p384.publicKey), /Register each by itself/],
    [{ keys: [jwk, jwkOf(p384.publicKey)] }, /Register each by itself/],
    [{ keys: [] }, /has no keys/],
    ['{"kty":', /JSON cannot be read/],
    [{}, /kty.* \(absent\) is not supported/],
    [ofCurve('secp256k1'), /crv.* "secp256k1" is not supported/],
    [ofCurve('P-521'), /crv.* "P-521" is not supported/],
    [pem(generateKeyPairSync('x25519').publicKey), /crv.* "X25519" is not supported/],
    [ofBits(1024), /1024 bits; it needs 2048 to 4096/],
    [ofBits(2048, 3), /exponent .* is not 65537/],
    [{ ...jwk, use: 'enc' }, /another use: "enc"/],
    [{ ...jwk, key_ops: ['sign'] }, /other operations/],
    [{ ...jwk, alg: 'RS256' }, /alg.* "RS256" does not fit this key. It can be ES256/],
    [{ ...jwk, alg: 'HS256', use: 'enc', kid: '' }, /another use[\s\S]*kid[\s\S]*HS256/],
    [{ ...jwk, kid: 'a\u0000' }, /control character/],
    [{ ...jwk, x: jwk['y'] }, /not those of a valid key/],
    [{ ...jwk, x: 7 }, /not those of a valid key/],
    [{ kty: 'OKP', crv: 'Ed25519', x: Buffer.alloc(32).toString('base64url') }, /everybody can sign/],
    [`{"kty":"${'a'.repeat(20_000)}"}`, /characters; the longest allowed/],
  ];
  for (const [value, expected] of refused) assert.match(problemsOf(value), expected);
});

test('any text is a key or has faults, and never an error', () => {
  const member = fc.constantFrom('kty', 'crv', 'x', 'y', 'n', 'e', 'kid', 'alg', 'use', 'key_ops', 'keys');
  const value = fc.oneof(fc.constantFrom('EC', 'RSA', 'OKP', 'P-256', 'Ed25519', 'AQAB'), fc.jsonValue());
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.dictionary(member, value).map((jwk) => JSON.stringify(jwk)),
    fc.string().map((body) => `-----BEGIN PUBLIC KEY-----\n${body}\n-----END PUBLIC KEY-----`),
  );
  fc.assert(
    fc.property(text, (each) => {
      const outcome = readPublicKey(each);
      assert.ok(Array.isArray(outcome) ? outcome.length > 0 : outcome.thumbprint.length === 43);
    }),
    { numRuns: 3000 },
  );
});

test('a key with one bit changed is another key, or none', () => {
  const { thumbprint } = readPublicKey(pem(p256.publicKey)) as { thumbprint: string };
  const jwk = jwkOf(p256.publicKey);
  fc.assert(
    fc.property(fc.constantFrom('x', 'y'), fc.nat(255), (name, bit) => {
      const bytes = Buffer.from(jwk[name] ?? '', 'base64url');
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const outcome = readJwk({ ...jwk, [name]: bytes.toString('base64url') });
      assert.ok(Array.isArray(outcome) || outcome.thumbprint !== thumbprint);
    }),
  );
});

test('the vectors of Wycheproof are accepted or refused as they say', () => {
  const file = new URL('../../../../test-vectors/public-keys.json', import.meta.url);
  const { keys } = JSON.parse(readFileSync(file, 'utf8')) as {
    keys: { name: string; key: unknown; accepted: boolean }[];
  };
  for (const { name, key, accepted } of keys) assert.equal('jwk' in readJwk(key), accepted, name);
  assert.ok(keys.length >= 10);
});
