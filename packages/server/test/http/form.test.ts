import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isDenial } from '../../src/domain/denial.ts';
import { parseBasic, usesBasic } from '../../src/http/oauth/request-credentials.ts';
import { parseForm, type Form } from '../../src/http/form.ts';
import { basic } from '@mintmark/test-support/http';

// The parsers of what strangers send: the form, and HTTP Basic.

const withoutNul = (text: string) => !text.includes('\0');
const anyText = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom('%', '+', '&', '=', ' ', ':', ';', '2', '5', 'é', '😀', '\n', '?', '#'),
  }),
);
/** What URLSearchParams can encode: no lone surrogates. */
const text = anyText.map((value) => value.toWellFormed()).filter(withoutNul);

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc
    .string({
      unit: fc.constantFrom(
        'a',
        'b',
        '%',
        '=',
        '&',
        '+',
        '\0',
        'é',
        '%41',
        '%C3%A9',
        '%FF',
        '%00',
        'client_id=',
      ),
    })
    .map(Buffer.from),
);

function entriesOf(form: Form): [string, string][] {
  return Array.from(form);
}

/** What a browser would make of it: without the parameters that have no value. */
function standardEntries(body: Buffer | Uint8Array): [string, string][] {
  // A leading & because URLSearchParams takes off a leading question mark, which a body does not have.
  const standard = new URLSearchParams(`&${Buffer.from(body).toString('utf8')}`);
  return Array.from(standard).filter(([, value]) => value !== '');
}

test('a form in standard encoding is decoded to its original', () => {
  const parameters = fc.uniqueArray(fc.tuple(text, text), { selector: ([name]) => name, maxLength: 10 });
  fc.assert(
    fc.property(parameters, (pairs) => {
      const form = parseForm(Buffer.from(new URLSearchParams(pairs).toString()));
      assert.ok(!isDenial(form));
      assert.deepEqual(
        entriesOf(form),
        pairs.filter(([, value]) => value !== ''),
      );
    }),
    { numRuns: 2000 },
  );
});

test('no bytes make the form parser throw; it agrees with the standard', () => {
  fc.assert(
    fc.property(bytes, (body) => {
      const form = parseForm(Buffer.from(body));
      if (isDenial(form)) assert.equal(form.denied, 'invalid_request');
      else assert.deepEqual(entriesOf(form), standardEntries(body));
    }),
    { numRuns: 10_000 },
  );
});

test('a form with a repeated parameter is refused in any order', () => {
  fc.assert(
    fc.property(text, fc.array(fc.tuple(text, text), { maxLength: 5 }), text, text, (name, others, a, b) => {
      const pairs = [[name, a], ...others, [name, b]] as [string, string][];
      assert.ok(isDenial(parseForm(Buffer.from(new URLSearchParams(pairs).toString()))));
    }),
  );
});

test('form values with a NUL are refused wherever it is', () => {
  fc.assert(
    fc.property(text, text, fc.constantFrom('\0', '%00'), (left, right, nul) => {
      const value = encodeURIComponent(left) + nul + encodeURIComponent(right);
      assert.ok(isDenial(parseForm(Buffer.from(`a=${value}`))));
      assert.ok(isDenial(parseForm(Buffer.from(`${value}=a`))));
    }),
  );
});

test('form-encoded HTTP Basic is decoded to its original for any secret', () => {
  const given = text.filter((value) => value !== '');
  fc.assert(
    fc.property(given, given, (clientId, clientSecret) => {
      assert.deepEqual(parseBasic(basic(clientId, clientSecret)), { clientId, clientSecret });
    }),
    { numRuns: 2000 },
  );
});

test('HTTP Basic with plain colons in the secret splits at the first', () => {
  const part = fc.stringMatching(/^[A-Za-z0-9_.~-]{1,20}$/);
  fc.assert(
    fc.property(part, fc.array(part, { minLength: 2, maxLength: 5 }), (clientId, parts) => {
      const clientSecret = parts.join(':');
      const encoded = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
      assert.deepEqual(parseBasic(`Basic ${encoded}`), { clientId, clientSecret });
    }),
  );
});

test('no Authorization header makes the Basic parser throw', () => {
  const header = fc.oneof(
    anyText.map((value) => `Basic ${value}`),
    fc.uint8Array({ maxLength: 100 }).map((value) => `basic ${Buffer.from(value).toString('base64')}`),
    anyText.map((value) => `BASIC ${Buffer.from(value).toString('base64')}`),
  );
  fc.assert(
    fc.property(header, (authorization) => {
      assert.ok(usesBasic(authorization));
      const credentials = parseBasic(authorization);
      if (isDenial(credentials)) assert.equal(credentials.denied, 'invalid_request');
      else assert.ok(credentials.clientId !== '' && credentials.clientSecret !== '');
    }),
    { numRuns: 5000 },
  );
});
