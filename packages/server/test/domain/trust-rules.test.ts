import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AssertionClaims } from '../../src/domain/assertion.ts';
import { claimAt } from '../../src/domain/claim-name.ts';
import { trustMismatch, type TrustMismatch } from '../../src/domain/match-trust-rule.ts';
import { ruleFromPreset, TRUST_PRESETS } from '../../src/domain/trust-presets.ts';
import { trustRuleFaults } from '../../src/domain/trust-rule-faults.ts';
import type { TrustRule } from '../../src/domain/trust-rule.ts';

interface PresetVector {
  name: string;
  preset: string;
  fields: Record<string, string>;
  letsIn: string;
  rule: TrustRule;
  claims: AssertionClaims;
  nearMisses: { name: string; claims: AssertionClaims; check: TrustMismatch['check']; claim?: string }[];
}

interface RuleVector {
  name: string;
  rule: TrustRule;
  members: string[];
  forced: string[];
}

const vectors = read('trust-presets.json') as {
  audience: string;
  nowSeconds: number;
  presets: PresetVector[];
};
const { rules } = read('trust-rules.json') as { rules: RuleVector[] };
const NOW_MS = vectors.nowSeconds * 1000;

function read(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../../../test-vectors/${name}`, import.meta.url), 'utf8'));
}

/** `null` leaves a claim out. */
function withChanges(claims: AssertionClaims, changes: AssertionClaims): AssertionClaims {
  return Object.fromEntries(Object.entries({ ...claims, ...changes }).filter(([, value]) => value !== null));
}

for (const { name, preset, fields, letsIn, rule, claims, nearMisses } of vectors.presets) {
  test(`${name}: the preset makes the rule, which has no fault`, () => {
    const found = TRUST_PRESETS.find((each) => each.name === preset);
    assert.ok(found !== undefined);
    assert.deepEqual(ruleFromPreset(found, fields, vectors.audience), { rule, letsIn });
    assert.deepEqual(trustRuleFaults(rule, { force: false }), []);
  });

  test(`${name}: the token is let in, and near misses are refused`, () => {
    assert.equal(trustMismatch(rule, claims, NOW_MS), null);
    assert.ok(nearMisses.length >= 5);
    for (const miss of nearMisses) {
      const mismatch = trustMismatch(rule, withChanges(claims, miss.claims), NOW_MS);
      assert.equal(mismatch?.check, miss.check, miss.name);
      if (miss.check === 'claim') assert.equal(mismatch.name, miss.claim, miss.name);
    }
  });
}

for (const { name, rule, members, forced } of rules) {
  test(`a rule with ${name} has faults in: ${members.join(', ') || 'nothing'}`, () => {
    const membersOf = (force: boolean) => trustRuleFaults(rule, { force }).map(({ member }) => member);
    assert.deepEqual(membersOf(false), members);
    assert.deepEqual(membersOf(true), forced);
  });
}

test('the fault of a wide rule says what it would let in', () => {
  const wide = rules.find(({ name }) => name === 'GitHub by * and a branch');
  const [subject, claims] = trustRuleFaults(wide!.rule, { force: false });
  const letsIn =
    'Forced, it lets in tokens of https://token.actions.githubusercontent.com whose sub is anything and whose ref ' +
    'is "refs/heads/main".';
  assert.ok(subject?.problem.endsWith(letsIn));
  assert.ok(claims?.problem.endsWith(letsIn));
  assert.match(claims?.problem ?? '', /exact value of repository_id or repository_owner_id/);
});

test('a mismatch says what was expected and what the token has', () => {
  const [{ rule, claims } = assert.fail()] = vectors.presets;
  const mismatch = (changes: AssertionClaims) => trustMismatch(rule, withChanges(claims, changes), NOW_MS);
  assert.deepEqual(mismatch({ repository_id: '7' }), {
    check: 'claim',
    name: 'repository_id',
    expected: '"123456"',
    actual: '"7"',
  });
  assert.deepEqual(mismatch({ sub: 'x' }), { check: 'subject', expected: '"repo:*"', actual: '"x"' });
  assert.equal(mismatch({ aud: ['a', 'b'] })?.actual, '["a","b"]');
  assert.equal(mismatch({ event_name: null })?.actual, 'absent');
  assert.equal(mismatch({ event_name: 'x\u202e\u0000'.repeat(200) })?.actual.length, 201);
  assert.equal(mismatch({ exp: vectors.nowSeconds - 30 })?.expected, 'later than 2027-01-15T07:59:30.000Z');
});

test('a token is valid within 30 seconds of its times', () => {
  const [{ rule, claims } = assert.fail()] = vectors.presets;
  const at = (seconds: number, changes: AssertionClaims = {}) =>
    trustMismatch(rule, { ...claims, ...changes }, seconds * 1000)?.check ?? null;
  const { exp, iat } = claims as { exp: number; iat: number };
  assert.equal(at(exp + 29), null);
  assert.equal(at(exp + 30), 'expired');
  assert.equal(at(iat - 30), null);
  assert.equal(at(iat - 31), 'not_yet');
  assert.equal(at(iat, { nbf: iat + 31 }), 'not_yet');
  assert.equal(at(iat, { nbf: 'soon' }), 'not_yet');
  assert.equal(at(iat, { exp: iat + 900 }), null);
  assert.equal(at(iat, { exp: iat + 901 }), 'life');
});

test('a list of audiences is accepted only if the rule says so', () => {
  const [{ rule, claims } = assert.fail()] = vectors.presets;
  const aud = ['https://other.example', vectors.audience];
  assert.equal(trustMismatch(rule, { ...claims, aud }, NOW_MS)?.check, 'audience');
  const lax = { ...rule, otherAudiences: true };
  assert.equal(trustMismatch(lax, { ...claims, aud }, NOW_MS), null);
  assert.equal(trustMismatch(lax, { ...claims, aud: ['https://other.example'] }, NOW_MS)?.check, 'audience');
});

test('a claim is read by name or pointer, never from a prototype', () => {
  const claims = JSON.parse('{"a/b":1,"/x":2,"c":{"d~e":{"f":3}},"g":[4],"__proto__":{"h":5}}') as object;
  const at = (name: string) => claimAt(claims as AssertionClaims, name);
  assert.equal(at('a/b'), 1);
  assert.equal(at('/a~1b'), 1);
  assert.equal(at('/~1x'), 2);
  assert.equal(at('/c/d~0e/f'), 3);
  assert.equal(at('/__proto__/h'), 5);
  for (const name of ['/g/0', 'toString', '/constructor/name', '/c/valueOf', '/a~2', 'c/d~e', ''])
    assert.equal(at(name), undefined, name);
});

test('any claims match or not, without an error', () => {
  const json = fc.jsonValue({ maxDepth: 3 });
  fc.assert(
    fc.property(
      fc.constantFrom(...vectors.presets),
      fc.dictionary(fc.constantFrom('iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'ref', 'kubernetes.io'), json),
      ({ rule, claims }, changes) => {
        trustMismatch(rule, changes, NOW_MS);
        const { iss = claims['iss'], sub = claims['sub'] } = changes;
        const mismatch = trustMismatch(rule, { ...claims, ...changes }, NOW_MS);
        if (iss !== rule.issuer || typeof sub !== 'string') assert.notEqual(mismatch, null);
      },
    ),
    { numRuns: 2000 },
  );
});

test('fields of presets that are wrong or missing are all reported', () => {
  for (const preset of TRUST_PRESETS) {
    const required = preset.fields.filter(({ isRequired }) => isRequired).map(({ name }) => name);
    const outcome = ruleFromPreset(preset, {}, vectors.audience);
    assert.ok(Array.isArray(outcome));
    assert.deepEqual(
      outcome.map(({ member }) => member),
      [...required, ...preset.oneOf.map(([first]) => first)],
    );
    const examples = Object.fromEntries(preset.fields.map(({ name, example }) => [name, example]));
    const { tag: _, ...filledIn } = examples;
    assert.ok('rule' in ruleFromPreset(preset, filledIn, vectors.audience), preset.name);
    const wrong = Object.fromEntries(preset.fields.map(({ name }) => [name, '\u0000']));
    const faults = ruleFromPreset(preset, { ...wrong, color: 'red' }, vectors.audience);
    assert.ok(Array.isArray(faults));
    for (const { name } of [...preset.fields, { name: 'color' }])
      assert.ok(
        faults.some(({ member }) => member === name),
        `${preset.name} ${name}`,
      );
  }
});

test('any rule has faults or none, and never an error', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl());
  const value = fc.oneof(text, fc.double(), fc.boolean());
  const rule = fc.record({
    preset: fc.constantFrom(null, 'github', 'x'),
    issuer: text,
    subject: text,
    audience: text,
    otherAudiences: fc.boolean(),
    claims: fc.dictionary(text, fc.oneof(value, fc.array(value), fc.record({ prefix: text }))),
    lifeSecondsMax: fc.double(),
    reuse: fc.constant('once' as const),
    keys: fc.oneof(
      fc.constant({ from: 'discovery' as const }),
      fc.record({ from: fc.constant('url' as const), url: text }),
      fc.record({
        from: fc.constant('inline' as const),
        jwks: fc.record({ keys: fc.array(fc.jsonValue()) }),
      }),
    ),
  });
  fc.assert(
    fc.property(rule, (each) => {
      const faults = trustRuleFaults(each as unknown as TrustRule, { force: false });
      assert.ok(faults.every(({ problem }) => problem !== ''));
    }),
    { numRuns: 1000 },
  );
});
