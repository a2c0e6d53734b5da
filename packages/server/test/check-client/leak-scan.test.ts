// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateSecret } from '../../src/domain/secret.ts';
import { createLeakScan, type LeakScan } from '../../src/server/check-client/leak-scan.ts';

const ISSUER = 'http://127.0.0.1:8080/marketing';
const CLIENT_ID = 'api_0123456789abcdefghij';
const { secret: SECRET } = generateSecret();

const scan = (): LeakScan => createLeakScan({ issuer: ISSUER, clientId: CLIENT_ID, clientSecret: SECRET });

function tokenOf(issuer: string): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: issuer, client_id: CLIENT_ID, scope: 'campaigns:read' };
  return `${part({ alg: 'ES256', kid: 'a', typ: 'at+jwt' })}.${part(claims)}.${'s'.repeat(86)}`;
}

const LEAKS: [name: string, text: string, what: string | null][] = [
  ['the secret', SECRET, 'the client secret'],
  ['the secret in JSON', JSON.stringify({ client_secret: SECRET }), 'the client secret'],
  [
    'the secret in a Basic header',
    `Basic ${Buffer.from(`${CLIENT_ID}:${SECRET}`).toString('base64')}`,
    'the client secret',
  ],
  ['a token of the issuer', `Bearer ${tokenOf(ISSUER)}`, 'an access token'],
  ['a token of another issuer', tokenOf('https://other.example'), null],
  ['the key id of the secret', SECRET.slice(0, 15), null],
  ['the client id', CLIENT_ID, null],
  ['a token without its signature', tokenOf(ISSUER).replace(/\.s+$/, '.…'), null],
];

for (const [name, text, what] of LEAKS) {
  test(`${what === null ? 'no leak is' : 'a leak is'} ${name}, however the output is cut`, () => {
    for (let cut = 0; cut <= text.length; cut += 7) {
      const found = scan();
      found.add('stderr', Buffer.from(`before ${text.slice(0, cut)}`));
      found.add('stderr', Buffer.from(`${text.slice(cut)} after\n`));
      assert.deepEqual(found.leaks(), what === null ? [] : [{ what, stream: 'stderr' }], `cut at ${cut}`);
    }
  });
}

test('a leak within a megabyte is found on its stream', () => {
  const found = scan();
  for (let i = 0; i < 16; i++) found.add('stdout', Buffer.alloc(32_768, 'x'));
  found.add('stdout', Buffer.from(SECRET));
  for (let i = 0; i < 16; i++) found.add('stderr', Buffer.alloc(32_768, 'y'));
  assert.deepEqual(found.leaks(), [{ what: 'the client secret', stream: 'stdout' }]);
});

test('the last line is that of an error, without the leak', () => {
  const found = scan();
  found.add('stderr', Buffer.from(`start\nError: refused ${SECRET} ${tokenOf(ISSUER)}\n\nNode.js v26\n`));
  assert.equal(found.lastLine(), 'Error: refused … …');
  const cut = scan();
  cut.add('stderr', Buffer.from(`Error ${tokenOf(ISSUER).slice(30)}\n`));
  assert.equal(cut.lastLine(), 'Error …');
  assert.equal(scan().lastLine(), '');
  const long = scan();
  long.add('stdout', Buffer.from(`${SECRET}${' end'.repeat(1015)}`));
  assert.match(long.lastLine(), /^… end end/);
});
