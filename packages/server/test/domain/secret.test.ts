import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { generateSecret, keyIdOf, secretDigest, secretProblem } from '../../src/domain/secret.ts';

test('a generated secret has the documented form and contains its key id', () => {
  for (let i = 0; i < 1000; i++) {
    const { keyId, secret } = generateSecret();
    assert.match(secret, /^mms_[0-9A-Za-z]{10}_[0-9A-Za-z]{49}$/);
    assert.equal(keyIdOf(secret), keyId);
    assert.equal(secretProblem(secret), null);
  }
});

test('a secret with any one character changed is found out offline', () => {
  const { secret } = generateSecret();
  const character = fc.constantFrom(
    ...Array.from('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_- +%ü'),
  );
  fc.assert(
    fc.property(fc.nat(secret.length - 1), character, (position, replacement) => {
      const typo = secret.slice(0, position) + replacement + secret.slice(position + 1);
      assert.equal(keyIdOf(typo) === null, typo !== secret);
    }),
    { numRuns: 5000 },
  );
});

test('no text is a secret by accident, and problems quote nothing', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.string().map((s) => `mms_${s}`),
      ),
      (text) => {
        const problem = secretProblem(text);
        assert.ok(problem !== null);
        if (text.length > 12) assert.ok(!problem.includes(text));
      },
    ),
    { numRuns: 2000 },
  );
});

test('two secrets are never the same, nor are their digests', () => {
  const secrets = Array.from({ length: 2000 }, () => generateSecret().secret);
  assert.equal(new Set(secrets).size, 2000);
  assert.equal(new Set(secrets.map(secretDigest)).size, 2000);
});
