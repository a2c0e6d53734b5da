import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { ASSERTION_FACTS, type AssertionAlgorithm } from '../../src/domain/assertion-algorithm.ts';
import { certificate, DISCOVERY, json, type Issuer } from './issuer.ts';
import { awayOf, isKey, setup, TLS } from './key-setup.ts';
import { oidcProvider } from './real-issuers.ts';

// Where keys of others are fetched from, and which answers are refused.

test('bad answers of an issuer are refused with their reason', async (context) => {
  const bad: Record<string, [RegExp, (response: ServerResponse, issuer: Issuer) => void]> = {
    'a redirect': [
      /answered with a redirect to "https:\/\/169\.254\.169\.254\/latest"/,
      (response) => response.writeHead(302, { location: 'https://169.254.169.254/latest' }).end(),
    ],
    HTML: [/answered with "text\/html", which is not JSON/, (response) => html(response)],
    'ten megabytes': [
      /answered with more than 65536 bytes/,
      (response) => response.end(JSON.stringify({ keys: ['x'.repeat(10_000_000)] })),
    ],
    'an endless answer': [/answered with more than 65536 bytes/, (response) => endless(response, 1)],
    'a slow answer': [/did not answer in time/, (response) => endless(response, 100)],
    silence: [/did not answer in time/, () => undefined],
    'a broken answer': [/cannot be reached|aborted/, (response) => response.destroy()],
    'a status': [/answered with status 500/, (response) => response.writeHead(500).end('{}')],
    'a compressed answer': [
      /content encoding "gzip"/,
      (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(),
    ],
    'no keys': [/without "keys"/, (response) => json(response, {})],
    'keys of other kinds': [/none of the 1 keys/, (response) => json(response, { keys: [{ kty: 'oct' }] })],
  };
  await using all = await setup({ MINTMARK_TEST_KEY_FETCH_TIMEOUT: '1500' });
  all.named.length = 0;
  const { find } = await all.process();
  for (const [name, [reason, handler]] of Object.entries(bad)) {
    await context.test(name, async () => {
      const path = `/${name.replaceAll(' ', '-')}`;
      all.issuer.handlers.set(path, (_request, response) => handler(response, all.issuer));
      assert.match(awayOf(await find('first', { url: `${all.issuer.url}${path}` })), reason);
    });
  }
});

function html(response: ServerResponse): void {
  response.setHeader('Content-Type', 'text/html').end('<html>Sign in</html>');
}

function endless(response: ServerResponse, everyMs: number): void {
  const timer = setInterval(() => response.write('x'.repeat(everyMs === 1 ? 10_000 : 1)), everyMs);
  response.on('close', () => clearInterval(timer));
}

test('discovery must name the very issuer and a key set by https', async (context) => {
  await using all = await setup();
  all.named.length = 0;
  const { find } = await all.process();
  const { issuer } = all;
  const bad: Record<string, [RegExp, object]> = {
    other: [
      /names the issuer "https:\/\/evil\.example"/,
      { issuer: 'https://evil.example', jwks_uri: issuer.url },
    ],
    slash: [/names the issuer/, { issuer: `${issuer.url}/slash/`, jwks_uri: `${issuer.url}/keys` }],
    none: [/names no key set/, { issuer: `${issuer.url}/none` }],
    http: [
      /"http:\/\/localhost\/keys" is not an https URL/,
      { issuer: `${issuer.url}/http`, jwks_uri: 'http://localhost/keys' },
    ],
    private: [
      /10\.0\.0\.1, which is private/,
      { issuer: `${issuer.url}/private`, jwks_uri: 'https://10.0.0.1/keys' },
    ],
    metadata: [
      /which is reserved/,
      { issuer: `${issuer.url}/metadata`, jwks_uri: 'https://169.254.169.254/' },
    ],
    password: [
      /user name or password/,
      { issuer: `${issuer.url}/password`, jwks_uri: 'https://a:hidden@localhost/' },
    ],
  };
  for (const [name, [reason, document]] of Object.entries(bad)) {
    await context.test(name, async () => {
      issuer.handlers.set(`/${name}${DISCOVERY}`, (_request, response) => json(response, document));
      const away = awayOf(await find('first', { issuer: `${issuer.url}/${name}` }));
      assert.match(away, reason);
      assert.doesNotMatch(away, /hidden/);
    });
  }
  await context.test('RFC 8414 serves if OpenID discovery does not exist', async () => {
    const path = '/.well-known/oauth-authorization-server/tenant';
    const document = { issuer: `${issuer.url}/tenant`, jwks_uri: `${issuer.url}/keys` };
    issuer.handlers.set(path, (_request, response) => json(response, document));
    assert.ok(isKey(await find('first', { issuer: `${issuer.url}/tenant` })));
  });
});

test('a host is connected to at the very address that was checked', async () => {
  await using all = await setup();
  all.named.length = 0;
  const answers = ['127.0.0.1', '127.0.0.1', '169.254.169.254'];
  const looked: string[] = [];
  const { find } = await all.process({
    resolve: async (host) => {
      looked.push(host);
      return [{ address: answers.shift() ?? '127.0.0.1', family: 4 }];
    },
  });
  const issuer = `https://issuer.test:${all.issuer.port}`;
  const document = { issuer, jwks_uri: `${issuer}/keys` };
  all.issuer.handlers.set(DISCOVERY, (_request, response) => json(response, document));
  assert.ok(isKey(await find('first', { issuer })));
  assert.deepEqual(looked, ['issuer.test', 'issuer.test'], 'one look-up for each connection');
  const before = all.issuer.requests.length;
  assert.match(
    awayOf(await find('first', { url: `${issuer}/other` })),
    /169\.254\.169\.254, which is reserved/,
  );
  assert.equal(all.issuer.requests.length, before);
});

test('private addresses are refused unless a setting names the host', async () => {
  await using all = await setup();
  all.named.length = 0;
  const { port } = all.issuer;
  const { find } = await all.process({ resolve: async () => [{ address: '127.0.0.1', family: 4 }] });
  for (const host of [
    'other.test',
    '127.0.0.1',
    '127.1',
    '0x7f000001',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '0.0.0.0',
  ]) {
    assert.match(
      awayOf(await find('first', { url: `https://${host}:${port}/keys` })),
      /is not fetched: /,
      host,
    );
  }
  assert.equal(all.issuer.requests.length, 0);
  for (const url of ['http://localhost/keys', 'file:///etc/passwd', 'keys'])
    assert.match(awayOf(await find('first', { url })), /is not an https URL|is not a URL/);
});

test('the certificate must be for the host and of its authority', async () => {
  const foreign = certificate('localhost');
  await using all = await setup({ MINTMARK_PRIVATE_KEY_HOSTS: `localhost=${foreign.caFile},other.test` });
  all.named.length = 0;
  const { find } = await all.process({ resolve: async () => [{ address: '127.0.0.1', family: 4 }] });
  for (const host of ['localhost', 'other.test']) {
    const away = awayOf(await find('first', { url: `https://${host}:${all.issuer.port}/keys` }));
    assert.match(
      away,
      /cannot be reached \((DEPTH_ZERO_)?SELF_SIGNED|cannot be reached \(\w*(CERT|VERIFY)\w*\)/,
    );
  }
  assert.equal(all.issuer.requests.length, 0);
});

test('the keys of oidc-provider verify what it signs', async () => {
  await using all = await setup();
  all.named.length = 0;
  const provider = await oidcProvider(all.issuer, TLS, 'https://mintmark.example');
  const { find } = await all.process();
  const [header = '', payload = '', signature = ''] = (await provider.token()).split('.');
  const { alg, kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, string>;
  const found = await find(kid ?? null, undefined, alg as AssertionAlgorithm);
  assert.ok('key' in found, awayOf(found));
  const facts = ASSERTION_FACTS[alg as AssertionAlgorithm];
  assert.ok(
    facts.verify(Buffer.from(`${header}.${payload}`), found.key, Buffer.from(signature, 'base64url')),
  );
});
