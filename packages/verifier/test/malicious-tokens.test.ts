import assert from 'node:assert/strict';
import { createHmac, createPublicKey } from 'node:crypto';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { maliciousTokens } from '../../../test-vectors/build.ts';
import type { AccessTokenErrorReason } from '../src/index.ts';
import { API, base64url, jwt, newKey, signature, startIssuer, type TestIssuer } from './support/issuer.ts';
import { refused } from './support/refused.ts';

// security.md, line 9: tokens made by hand to be believed. Each is checked by a verifier that believes the good one.

let issuer: TestIssuer;
const rsa = newKey('RS256');
const ed = newKey('EdDSA');
const stranger = newKey('ES256');

before(async () => {
  issuer = await startIssuer([newKey('ES256'), rsa, ed]);
});
after(async () => await issuer[Symbol.asyncDispose]());

async function refuses(token: string, reason: AccessTokenErrorReason, label = ''): Promise<void> {
  const verifier = issuer.verifier({ algorithms: ['ES256', 'EdDSA', 'RS256'] });
  await verifier.verify(issuer.token());
  const error = await refused(verifier.verify(token), reason, label);
  assert.equal(error.code, 'authorization-token-invalid');
  assert.equal(error.status, 401);
}

const es = () => issuer.keys[0]!;

test('a good token of each algorithm is accepted', async () => {
  for (const key of issuer.keys) {
    const verified = await issuer.verifier().verify(issuer.token({}, {}, key));
    assert.equal(verified.clientId, 'api_one');
  }
});

test('security 9: no malicious token in the shared vectors is accepted', async () => {
  const verifier = issuer.verifier({ algorithms: ['ES256', 'EdDSA', 'RS256'] });
  const { kid, privateKey } = es();
  const nowSeconds = Math.floor(issuer.nowMs / 1000);
  const claims = issuer.claims();
  const { good, malicious } = maliciousTokens({ kid, privateKey, issuer: issuer.url, claims, nowSeconds });
  await verifier.verify(good);
  for (const { name, token } of malicious) {
    const error = await refused(verifier.verify(token), undefined, name);
    assert.equal(error.status, 401, name);
  }
});

test('security 9: alg none is refused in any case, signed or not', async () => {
  for (const alg of ['none', 'None', 'NONE', 'nOnE']) {
    const unsigned = `${base64url({ alg, typ: 'at+jwt', kid: es().kid })}.${base64url(issuer.claims())}.`;
    await refuses(unsigned, 'malformed', alg);
    await refuses(`${unsigned}AAAA`, 'algorithm', alg);
  }
});

test('a token with a missing or non-text alg is refused', async () => {
  for (const alg of [undefined, null, 5, '', ['ES256'], { toString: 'ES256' }]) {
    const error = await refused(issuer.verifier().verify(issuer.token({}, { alg })));
    assert.equal(error.status, 401, JSON.stringify(alg));
  }
});

test('security 9: a public key never serves as HMAC secret (RS256 to HS256)', async () => {
  for (const key of [rsa, es(), ed]) {
    const publicKey = createPublicKey(key.privateKey);
    const pem = publicKey.export({ type: 'spki', format: 'pem' });
    const der = publicKey.export({ type: 'spki', format: 'der' });
    for (const secret of [pem, der, JSON.stringify(key.jwk), String(key.jwk['n'] ?? key.jwk['x'])]) {
      const signed = `${base64url({ alg: 'HS256', typ: 'at+jwt', kid: key.kid })}.${base64url(issuer.claims())}`;
      await refuses(
        `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`,
        'algorithm',
      );
    }
  }
});

test('a symmetric key in the key set is never used', async () => {
  const secret = Buffer.alloc(32, 7);
  const jwk = { kty: 'oct', k: secret.toString('base64url'), kid: 'symmetric', alg: 'HS256' };
  await using careless = await startIssuer([newKey(), { ...newKey(), kid: 'symmetric', jwk }]);
  const signed = `${base64url({ alg: 'HS256', typ: 'at+jwt', kid: 'symmetric' })}.${base64url(careless.claims())}`;
  const token = `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
  await refused(careless.verifier().verify(token), 'algorithm');
});

test('an algorithm off the allow-list is refused despite a right signature', async () => {
  const verifier = issuer.verifier({ algorithms: ['ES256'] });
  await verifier.verify(issuer.token());
  await refused(verifier.verify(issuer.token({}, {}, rsa)), 'algorithm');
  await refused(verifier.verify(issuer.token({}, {}, ed)), 'algorithm');
});

test('security 9: a key is used with no algorithm but its own', async () => {
  const pss = { ...rsa, alg: 'PS256' };
  const verifier = issuer.verifier({ algorithms: ['RS256', 'PS256'] });
  await verifier.verify(issuer.token({}, {}, rsa));
  await refused(verifier.verify(issuer.token({}, {}, pss)), 'unknown_key');
  await refuses(issuer.token({}, { kid: rsa.kid }, es()), 'unknown_key');
});

test('security 9: a key in the header is not believed: jwk, x5c', async () => {
  const { jwk } = stranger;
  for (const kid of [es().kid, stranger.kid, undefined]) {
    await refuses(issuer.token({}, { jwk, kid }, stranger), 'key_in_header');
    await refuses(issuer.token({}, { x5c: ['MIIB'], kid }, stranger), 'key_in_header');
  }
  await refuses(issuer.token({}, { jwk: es().jwk }), 'key_in_header', 'even the right one');
});

test('security 9: a URL of keys in the header is not followed: jku, x5u', async () => {
  await using other = await startIssuer([stranger]);
  await refuses(issuer.token({}, { jku: `${other.url}/jwks` }, stranger), 'key_in_header');
  await refuses(issuer.token({}, { x5u: `${other.url}/jwks` }, stranger), 'key_in_header');
  assert.equal(other.keySetFetches, 0);
});

test('security 9: a kid resembling a path, URL or SQL is unknown', async () => {
  const kids = ['../../dev/null', '/dev/null', 'https://evil.example/jwks', "' OR 1=1 --"];
  for (const kid of [...kids, '__proto__', 'constructor', 'toString', '', '\0', '%00', '\r\nx: y']) {
    await refuses(issuer.token({}, { kid }, stranger), 'unknown_key', kid);
  }
});

test('a kid that is very long or not text is refused', async () => {
  for (const kid of [5, null, {}, ['a'], 'k'.repeat(257)])
    await refuses(issuer.token({}, { kid }), 'malformed');
});

test('a signature by a stranger under a known kid is refused', async () => {
  await refuses(issuer.token({}, { kid: es().kid }, stranger), 'signature');
});

test('security 9: crit is refused with any extension', async () => {
  for (const crit of [['exp'], ['unknown'], ['b64'], [], 'exp', null]) {
    for (const b64 of [undefined, true, false]) {
      const token = issuer.token({}, { crit, b64, unknown: 1 });
      const error = await refused(issuer.verifier().verify(token), undefined, JSON.stringify({ crit, b64 }));
      assert.equal(error.status, 401);
    }
  }
  await refuses(issuer.token({}, { crit: ['b64'], b64: true }), 'critical_header');
  await refuses(issuer.token({}, { crit: ['unknown'], unknown: 1 }), 'critical_header');
});

test('security 9: a typ other than at+jwt is refused, like ID tokens', async () => {
  for (const typ of [undefined, 'JWT', 'jwt', 'at+jwt2', 'application/jwt', 'xat+jwt', 5, '', 'logout+jwt']) {
    await refuses(issuer.token({}, { typ }), 'type', String(typ));
  }
  for (const typ of ['at+jwt', 'AT+JWT', 'application/at+jwt', 'Application/AT+jwt']) {
    await issuer.verifier().verify(issuer.token({}, { typ }));
  }
});

test('an ES256 signature of zeros (psychic) is refused', async () => {
  const [header, payload] = issuer.token().split('.');
  await refuses(`${header}.${payload}.${Buffer.alloc(64).toString('base64url')}`, 'signature');
});

test('an ES256 signature in DER is refused', async () => {
  const [header, payload, raw = ''] = issuer.token().split('.');
  const der = Buffer.concat([Buffer.from([0x30, 0x44, 2, 32]), Buffer.from(raw, 'base64url')]);
  await refuses(`${header}.${payload}.${der.toString('base64url')}`, 'signature');
});

test('a token longer than the limit is refused before anything reads it', async () => {
  const verifier = issuer.verifier({ tokenLengthMax: 1000 });
  await refused(verifier.verify('x'.repeat(1001)), 'too_long');
  await refused(verifier.verify(issuer.token({ padding: 'x'.repeat(1000) })), 'too_long');
  const startedAt = performance.now();
  await refused(issuer.verifier().verify('a.'.repeat(50_000_000)), 'too_long');
  assert.ok(performance.now() - startedAt < 500);
});

test('only three parts of base64url are accepted', async () => {
  const good = issuer.token();
  const [header, payload, last] = good.split('.');
  const bad = ['', '.', '..', '...', 'x', `${good}.`, `.${good}`, `${good}=`, `${good}\n`, ` ${good}`];
  bad.push(`${header}.${payload}`, `${header}..${last}`, `${good}.${payload}.x`, `${header}.${payload}.+/==`);
  bad.push(
    'undefined',
    'null',
    '[object Object]',
    `${header}\u0000.${payload}.${last}`,
    good.replace('.', ','),
  );
  for (const token of bad) await refuses(token, 'malformed', JSON.stringify(token.slice(0, 20)));
  for (const token of [undefined, null, 5, {}, [good], Buffer.from(good)]) {
    await refuses(token as string, 'malformed', typeof token);
  }
});

test('a header or payload that is not a JSON object is refused', async () => {
  for (const text of ['', '[]', '"a"', '5', 'null', '{', '{"alg":"ES256"', '{}x']) {
    const error = await refused(issuer.verifier().verify(jwt(text, issuer.claims(), es())));
    assert.equal(error.reason, 'malformed', `header ${text}`);
    const header = { alg: 'ES256', typ: 'at+jwt', kid: es().kid };
    await refuses(jwt(header, text, es()), 'malformed', `payload ${text}`);
  }
});

test('a payload that is not UTF-8 is refused', async () => {
  const header = base64url({ alg: 'ES256', typ: 'at+jwt', kid: es().kid });
  const bytes = Buffer.from(JSON.stringify(issuer.claims({ sub: 'a\u00e9' })), 'latin1');
  const signed = `${header}.${bytes.toString('base64url')}`;
  await refuses(`${signed}.${signature(signed, es())}`, 'malformed');
});

test('a weak RSA key in the key set is not used', async () => {
  const weak = newKey('RS256', 'weak');
  weak.jwk['n'] = Buffer.alloc(128, 0xc5).toString('base64url');
  await using careless = await startIssuer([newKey(), weak]);
  await refused(careless.verifier().verify(careless.token({}, {}, weak)), 'unknown_key');
});

test('a key meant for encryption is not used', async () => {
  const key = newKey();
  key.jwk['use'] = 'enc';
  await using careless = await startIssuer([newKey(), key]);
  await refused(careless.verifier().verify(careless.token({}, {}, key)), 'unknown_key');
});

test('a token without kid is accepted if exactly one key fits', async () => {
  await issuer.verifier().verify(issuer.token({}, { kid: undefined }));
  await using two = await startIssuer([newKey(), newKey()]);
  await refused(two.verifier().verify(two.token({}, { kid: undefined })), 'unknown_key');
});

test('any changed character in a token makes it refused', async () => {
  const verifier = issuer.verifier();
  const good = issuer.token();
  await verifier.verify(good);
  const change = fc.tuple(fc.nat(good.length - 1), fc.constantFrom(...Array.from('AZaz09-_.=+/ \n\0é')));
  await fc.assert(
    fc.asyncProperty(change, async ([at, character]) => {
      fc.pre(good[at] !== character);
      const error = await refused(verifier.verify(good.slice(0, at) + character + good.slice(at + 1)));
      assert.equal(error.status, 401);
    }),
    { numRuns: 300 },
  );
});

test('any other text as a token is 401 and nothing else', async () => {
  const verifier = issuer.verifier();
  const part = fc.oneof(fc.json().map(base64url), fc.base64String(), fc.string({ unit: 'binary' }));
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 5 }), async (parts) => {
      assert.equal((await refused(verifier.verify(parts.join('.')))).status, 401);
    }),
    { numRuns: 300 },
  );
});

test('algorithms and audience are checked when the verifier is made', () => {
  const none = ['none', 'HS256', 'toString', ''] as unknown as 'ES256'[];
  for (const alg of none) assert.throws(() => issuer.verifier({ algorithms: [alg] }), /cannot be allowed/);
  assert.throws(() => issuer.verifier({ algorithms: [] }), TypeError);
  for (const audience of ['', [], [''], undefined]) {
    assert.throws(() => issuer.verifier({ audience } as { audience: string }), /audience: say which API/);
  }
  assert.doesNotThrow(() => issuer.verifier({ audience: [API, 'https://other.example.com'] }));
});
