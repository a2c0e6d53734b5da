import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  ASSERTION_ALGORITHMS,
  ASSERTION_FACTS,
  type AssertionAlgorithm,
} from '../../src/domain/assertion-algorithm.ts';
import { bytesOfPart, jsonOfPart } from '../../src/domain/compact-jws.ts';
import { algorithmsOf, keyObjectOf, readJwk } from '../../src/domain/public-key.ts';

// Signatures of Wycheproof (C2SP), which are not part of this repository.

const FOLDER = process.env['MINTMARK_TEST_WYCHEPROOF'] ?? '../shared/vectors/wycheproof';

interface Vectors<T> {
  testGroups: {
    public?: object;
    publicKeyJwk?: object;
    tests: (T & { tcId: number; comment: string; result: string })[];
  }[];
}

function vectors<T>(file: string): Vectors<T> {
  return JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Vectors<T>;
}

function missing(): string | false {
  if (existsSync(FOLDER)) return false;
  const how = `The vectors of Wycheproof are not in ${FOLDER}: MINTMARK_TEST_WYCHEPROOF names their folder`;
  console.warn(`\n*** These tests are skipped. ${how} ***\n`);
  return how;
}

/** Whether the algorithm of the header and the key accept a JWS: the checks of an assertion before its claims. */
function accepts(jws: string, key: object): boolean {
  const [header64 = '', payload64 = '', signature64 = '', ...more] = jws.split('.');
  const header = jsonOfPart(header64);
  const signature = bytesOfPart(signature64);
  const registered = readJwk(key);
  if (more.length > 0 || header === null || bytesOfPart(payload64) === null || signature === null)
    return false;
  if (Array.isArray(registered)) return false;
  const algorithm = algorithmsOf(registered.jwk).find((each) => each === header['alg']);
  if (algorithm === undefined) return false;
  const signed = Buffer.from(`${header64}.${payload64}`);
  return ASSERTION_FACTS[algorithm].verify(signed, keyObjectOf(registered.jwk), signature);
}

describe('signatures of Wycheproof', { skip: missing() }, () => {
  test('of JWS are accepted exactly if they are valid', () => {
    let accepted = 0;
    for (const { public: key, tests } of vectors<{ jws: string }>('json_web_signature_test.json')
      .testGroups) {
      if (key === undefined) continue;
      const { alg } = key as { alg?: string };
      for (const { tcId, comment, jws, result } of tests) {
        const header = jsonOfPart(jws.split('.', 1)[0] ?? '');
        const isOurs = ASSERTION_ALGORITHMS.some((each) => each === alg) && header?.['alg'] === alg;
        const isAccepted = accepts(jws, key);
        if (isAccepted) accepted += 1;
        if (result === 'invalid' || !isOurs) assert.equal(isAccepted, false, `${tcId}: ${comment}`);
        else if (result === 'valid') assert.equal(isAccepted, true, `${tcId}: ${comment}`);
      }
    }
    assert.ok(accepted > 10, `${accepted} were accepted`);
  });

  for (const [file, algorithm] of [
    ['ecdsa_secp256r1_sha256_p1363_test.json', 'ES256'],
    ['ed25519_test.json', 'Ed25519'],
  ] as [string, AssertionAlgorithm][]) {
    test(`of ${algorithm} are accepted exactly if they are valid`, () => {
      for (const { publicKeyJwk: key, tests } of vectors<{ msg: string; sig: string }>(file).testGroups) {
        const registered = readJwk(key);
        if (Array.isArray(registered)) continue; // keys that Mintmark does not register
        for (const { tcId, comment, msg, sig, result } of tests) {
          const [signed, signature] = [Buffer.from(msg, 'hex'), Buffer.from(sig, 'hex')];
          const isAccepted = ASSERTION_FACTS[algorithm].verify(
            signed,
            keyObjectOf(registered.jwk),
            signature,
          );
          assert.equal(isAccepted, result === 'valid', `${tcId}: ${comment}`);
        }
      }
    });
  }
});
