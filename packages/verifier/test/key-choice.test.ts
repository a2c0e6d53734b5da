// Which key of a key set a token is checked with, however odd the key set is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newKey, startIssuer, type TestKey } from './support/issuer.ts';
import { refused } from './support/refused.ts';

/** Entries that no token can be checked with, and whose kinds real key sets have. */
const UNUSABLE: object[] = [
  { kty: 'oct', k: 'c2VjcmV0', alg: 'HS256', kid: 'symmetric' },
  { kty: 'RSA', use: 'enc', n: 'x'.repeat(342), e: 'AQAB', kid: 'encryption' },
  { kty: 'RSA', n: 'AQAB', e: 'AQAB', kid: 'too-weak' },
  { kty: 'EC', crv: 'secp256k1', x: 'x'.repeat(43), y: 'x'.repeat(43), kid: 'other-curve' },
  { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43), kid: 'not-on-the-curve' },
  { kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA', kid: 'too-short' },
  { kty: 'OKP', crv: 'Ed25519', x: 'AAAA', kid: 'too-short' },
  { kty: 'OKP', crv: 'X25519', x: 'A'.repeat(43), kid: 'key-agreement' },
  { kty: 'AKP', alg: 'ML-DSA-44', pub: 'AAAA', kid: 'post-quantum' },
];

const withJwk = (key: TestKey, jwk: object): TestKey => ({ ...key, jwk: { ...jwk } });
const unusable = (count: number): TestKey[] =>
  Array.from({ length: count }, (_, i) => {
    const jwk = UNUSABLE[i % UNUSABLE.length]!;
    return withJwk(newKey(), { ...jwk, kid: `unusable-${i}` });
  });

for (const alg of ['ES256', 'EdDSA', 'RS256']) {
  test(`all ${alg} keys with one kid are tried in any order`, async () => {
    const keys = Array.from({ length: 4 }, () => newKey(alg, 'same'));
    await using issuer = await startIssuer(keys);
    const verifier = issuer.verifier();
    for (const key of keys) await verifier.verify(issuer.token({}, {}, key));
    const stranger = newKey(alg, 'same');
    await refused(verifier.verify(issuer.token({}, {}, stranger)), 'signature');
  });
}

test('an unusable key does not hide a usable one with its kid', async () => {
  for (const jwk of UNUSABLE) {
    const good = newKey('ES256', 'same');
    const bad = withJwk(newKey('ES256', 'same'), { ...jwk, kid: 'same' });
    for (const keys of [
      [bad, good],
      [good, bad],
    ]) {
      await using issuer = await startIssuer(keys);
      await issuer.verifier().verify(issuer.token({}, {}, good));
    }
  }
});

test('of many keys with one kid no more than eight are tried', async () => {
  const keys = Array.from({ length: 9 }, () => newKey('ES256', 'same'));
  await using issuer = await startIssuer(keys);
  const verifier = issuer.verifier();
  await verifier.verify(issuer.token({}, {}, keys[7]));
  await refused(verifier.verify(issuer.token({}, {}, keys[8])), 'signature');
});

test('a remembered token ends with the key that signed it', async () => {
  const [first, second] = [newKey('ES256', 'same'), newKey('ES256', 'same')];
  await using issuer = await startIssuer([first, second]);
  const verifier = issuer.verifier();
  const token = issuer.token({}, {}, second);
  const verified = await verifier.verify(token);
  assert.equal(await verifier.verify(token), verified);
  issuer.keys = [first, newKey()];
  await verifier.verify(issuer.token({}, {}, issuer.keys[1]));
  await refused(verifier.verify(token), 'signature');
});

test('unusable entries do not count towards a key set’s bound', async () => {
  const good = newKey();
  await using issuer = await startIssuer([...unusable(500), good]);
  const failures: unknown[] = [];
  const verifier = issuer.verifier({ onKeySetFailure: (error) => failures.push(error) });
  await verifier.verify(issuer.token({}, {}, good));
  assert.deepEqual(failures, []);
});

test('of more than 100 usable keys 100 count, as reported', async () => {
  const keys = Array.from({ length: 102 }, () => newKey());
  await using issuer = await startIssuer(keys);
  const failures: unknown[] = [];
  const verifier = issuer.verifier({ onKeySetFailure: (error) => failures.push(error) });
  await verifier.verify(issuer.token({}, {}, keys[99]));
  await refused(verifier.verify(issuer.token({}, {}, keys[100])), 'unknown_key');
  assert.match(String(failures[0]), /more than 100 usable keys.*the first 100/);
});

test('a byte order mark before metadata and key set is skipped', async () => {
  await using issuer = await startIssuer();
  issuer.byteOrderMark = true;
  await issuer.verifier().verify(issuer.token());
  assert.deepEqual([issuer.metadataFetches, issuer.keySetFetches], [1, 1]);
});

test('a revocation list’s statement may follow a byte order mark', async () => {
  await using issuer = await startIssuer();
  issuer.byteOrderMark = true;
  issuer.revocations = { body: Buffer.from('MMRL\0\0\0\x01\0\0\0\0\0\0\0\0', 'latin1') };
  await issuer.verifier().verify(issuer.token());
  assert.equal(issuer.revocationFetches, 1);
});

test('an answer that is not UTF-8 or JSON is described', async () => {
  for (const [body, text] of [
    [Buffer.from([0xff, 0xfe, 0x7b, 0x00]), /jwks.*not UTF-8/],
    [Buffer.from('<html>secret page</html>'), /jwks.*not JSON/],
    [Buffer.from(''), /jwks.*not JSON/],
  ] as const) {
    await using issuer = await startIssuer();
    issuer.answer = (_request, response) => void response.end(body);
    const error = await refused(issuer.verifier().verify(issuer.token()), 'key_set_unavailable');
    assert.match((error.cause as Error).message, text);
    assert.doesNotMatch((error.cause as Error).message, /secret page/);
  }
});

const HOSTILE = `https://evil.example/\u001b[2K\r\n"\u009b\u202e`;

test('another issuer is named, escaped and cut, in every document', async () => {
  for (const [found, shown] of [
    ['https://other.example', /"https:\/\/other\.example"/],
    [HOSTILE, /"https:\/\/evil\.example\/\\u001b\[2K\\r\\n\\"\\u009b\\u202e"/],
    ['x'.repeat(5000), /"x{100,300}…"/],
    [undefined, /issuer: nothing|missing/],
    [{ a: 1 }, /\{"a":1\}|not a text/],
  ] as const) {
    await using issuer = await startIssuer();
    const token = await refused(issuer.verifier().verify(issuer.token({ iss: found })));
    assert.match(token.message, shown);
    issuer.revocations = {
      body: Buffer.from('MMRL\0\0\0\x01\0\0\0\0\0\0\0\0', 'latin1'),
      statement: { iss: found },
    };
    const list = await refused(issuer.verifier().verify(issuer.token()), 'revocations_unavailable');
    assert.match((list.cause as Error).message, shown);
    issuer.metadata = { issuer: found };
    const metadata = await refused(issuer.verifier().verify(issuer.token()), 'key_set_unavailable');
    assert.match((metadata.cause as Error).message, shown);
    for (const { message } of [token, list.cause as Error, metadata.cause as Error]) {
      assert.doesNotMatch(message, /[\p{Cc}\u202e]/u);
      assert.ok(message.length < 1000);
    }
  }
});

test('a token for another API names found and expected audiences', async () => {
  await using issuer = await startIssuer();
  const error = await refused(issuer.verifier().verify(issuer.token({ aud: ['urn:other\r\n'] })), 'audience');
  assert.match(error.message, /\["urn:other\\r\\n"\].*"https:\/\/api\.example\.com"/);
  assert.doesNotMatch(error.wwwAuthenticate ?? '', /urn:other/);
});
