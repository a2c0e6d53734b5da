// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { calculateJwkThumbprint, jwtVerify } from 'jose';
import { temporaryFolder } from '@mintmark/test-support/command-line';
import { eventually } from '@mintmark/test-support/eventually';
import { mintmark, startServer } from '@mintmark/test-support/server';

const folder = temporaryFolder();
after(() => rmSync(folder, { recursive: true }));

/** Runs `mintmark token` against a server that answers with a token; resolves to the form that it received. */
async function formOf(
  args: string[],
  env: Record<string, string> = {},
): Promise<URLSearchParams & { url: string }> {
  let body = '';
  const server = createServer((request, response) => {
    request.setEncoding('utf8').on('data', (piece: string) => void (body += piece));
    request.on('end', () => response.end('{"access_token":"a.b.c","token_type":"Bearer","expires_in":900}'));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/marketing`;
  try {
    const { code, out, err } = await mintmark(
      ['token', '--url', `${url}/`, '--client-id', 'api_x', ...args],
      { env },
    );
    assert.deepEqual([code, out, err], [0, 'a.b.c\n', '']);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => void server.close(resolve));
  }
  return Object.assign(new URLSearchParams(body), { url });
}

test('key generate writes a private key for its owner alone', async () => {
  const file = join(folder, 'importer.pem');
  const { code, out, err } = await mintmark(['key', 'generate', file]);
  assert.equal(code, 0);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const pem = readFileSync(file, 'utf8');
  assert.match(pem, /^-----BEGIN PRIVATE KEY-----\n/);
  assert.ok(createPublicKey(pem).equals(createPublicKey(out)));
  assert.match(err, new RegExp(`mintmark credential create api_… --public-key ${folder}/importer.pub.pem`));
  assert.doesNotMatch(out + err, /PRIVATE/);

  const again = await mintmark(['key', 'generate', file]);
  assert.equal(again.code, 3);
  assert.match(again.err, /importer\.pem exists, and is not overwritten: give another name/);
  assert.equal(readFileSync(file, 'utf8'), pem);

  const nowhere = await mintmark(['key', 'generate', join(folder, 'no', 'key.pem')]);
  assert.equal(nowhere.code, 3);
  assert.match(nowhere.err, /cannot be written \(ENOENT/);
});

test('a key of each algorithm proves the API user in mintmark token', async () => {
  for (const algorithm of ['ES256', 'ES384', 'EdDSA', 'PS256']) {
    const file = join(folder, `${algorithm}.pem`);
    const { out } = await mintmark(['key', 'generate', file, '--algorithm', algorithm, '--json']);
    const { thumbprint, public_key: jwk } = JSON.parse(out) as {
      thumbprint: string;
      public_key: Record<string, string>;
    };
    assert.equal(thumbprint, await calculateJwkThumbprint(jwk));
    const form = await formOf(['--key', file]);
    assert.deepEqual(Array.from(form.keys()), [
      'grant_type',
      'client_id',
      'client_assertion_type',
      'client_assertion',
    ]);
    assert.equal(form.get('client_assertion_type'), 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
    const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
    const { payload, protectedHeader } = await jwtVerify(form.get('client_assertion') ?? '', publicKey, {
      issuer: 'api_x',
      subject: 'api_x',
      audience: form.url,
      requiredClaims: ['jti', 'exp', 'iat'],
    });
    assert.equal(protectedHeader.kid, thumbprint);
    assert.equal(protectedHeader.alg, algorithm);
    assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), 60);
  }
});

test('mintmark token reads a JWK, its kid and alg, and another audience', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const file = join(folder, 'key.json');
  const jwk = { ...privateKey.export({ format: 'jwk' }), kid: 'build-1', alg: 'RS256' };
  writeFileSync(file, JSON.stringify(jwk));
  const form = await formOf(['--audience', 'https://auth.example.com'], { MINTMARK_CLIENT_KEY_FILE: file });
  const { protectedHeader } = await jwtVerify(
    form.get('client_assertion') ?? '',
    createPublicKey(privateKey),
    {
      audience: 'https://auth.example.com',
    },
  );
  assert.deepEqual(protectedHeader, { alg: 'RS256', typ: 'JWT', kid: 'build-1' });
});

test('mintmark token sends an identity token as it is in the file', async () => {
  const file = join(folder, 'token');
  writeFileSync(file, 'eyJ.eyJ.sig\n');
  for (const form of [
    await formOf(['--identity-token', file]),
    await formOf([], { MINTMARK_IDENTITY_TOKEN_FILE: file }),
  ])
    assert.equal(form.get('client_assertion'), 'eyJ.eyJ.sig');
  const form = await formOf([], { MINTMARK_CLIENT_SECRET: 'mms_x', MINTMARK_IDENTITY_TOKEN_FILE: file });
  assert.equal(form.get('client_secret'), 'mms_x');
  assert.equal(form.get('client_assertion'), null);
});

test('a file without a usable private key is refused without its content', async () => {
  const wrong = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey;
  const refused: [string, RegExp][] = [
    [join(folder, 'missing'), /missing cannot be read \(ENOENT/],
    [folder, /cannot be read \(EISDIR/],
    [wrong('text', 'hello sesame'), /is not a private key\. It must have one as PEM or as JWK/],
    [wrong('json', '{"kty":"oct","k":"c2VzYW1l"}'), /is not a private key/],
    [wrong('p521', p521.export({ type: 'pkcs8', format: 'pem' })), /"P-521" is not supported/],
    [wrong('large', 'x'.repeat(70_000)), /more than 65536 bytes/],
  ];
  for (const [file, expected] of refused) {
    const { code, err } = await mintmark(['token', '--client-id', 'api_x', '--key', file]);
    assert.equal(code, 3, err);
    assert.match(err, expected);
    assert.doesNotMatch(err, /sesame|c2VzYW1l/);
  }
  const both = await mintmark(['token', '--client-id', 'api_x', '--key', 'a', '--basic']);
  assert.equal(both.code, 2);
});

test('a generated key, once registered, gets a token from a server', async () => {
  await using server = await startServer();
  const file = join(folder, 'registered.pem');
  const { out } = await mintmark(['key', 'generate', file]);
  writeFileSync(`${file}.pub`, out);
  await server.json('credential', 'create', server.clientId, '--public-key', `${file}.pub`);
  const request = ['token', '--url', server.url, '--client-id', server.clientId, '--key', file];
  await eventually(async () => {
    const { code, out: token } = await mintmark(request);
    if (code === 0) server.noteSecret(token.trim());
    return code === 0;
  }, 10_000);
  const other = join(folder, 'other.pem');
  await mintmark(['key', 'generate', other]);
  const refused = await mintmark([...request.slice(0, -1), other]);
  assert.deepEqual([refused.code, refused.out], [6, '']);
  assert.match(refused.err, /^mintmark: 40[13] invalid_client/);
});
