import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { inspect } from 'node:util';
import type { JWK } from 'jose';
import { AuthenticationApi, ConfigurationError, ForbiddenException, TokenManager } from '../src/index.ts';
import type { PrivateKeyOptions } from '../src/key.ts';
import { privateKey } from '../src/key.ts';
import type { AssertionServer } from './support/assertion-server.ts';
import { startAssertionServer } from './support/assertion-server.ts';
import { clientId, configure } from './support/credentials.ts';
import { plain, problem, reset } from './support/fault-server.ts';

let server: AssertionServer;
let directory: string;
before(async () => {
  server = await startAssertionServer();
  directory = await mkdtemp(join(tmpdir(), 'mintmark-key-'));
});
after(async () => {
  await server.close();
  await rm(directory, { recursive: true });
});
beforeEach(() => {
  for (const list of [server.requests, server.accepted, server.refusals]) list.length = 0;
});

const pairs = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  EdDSA: () => generateKeyPairSync('ed25519').privateKey,
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
};

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' });
}

function jwk(key: KeyObject): JWK {
  return key.export({ format: 'jwk' });
}

/** Registers the public half; returns the key. */
async function registered(key: KeyObject, name = clientId, members: JWK = {}): Promise<KeyObject> {
  await server.register(name, { ...jwk(createPublicKey(key)), ...members });
  return key;
}

function apiWith(options: PrivateKeyOptions): AuthenticationApi {
  const clientAuthentication = privateKey(options);
  return new AuthenticationApi(configure(server.host, { clientSecret: undefined, clientAuthentication }));
}

async function getsToken(options: PrivateKeyOptions): Promise<void> {
  const response = await apiWith(options)
    .oAuth2TokenPost()
    .catch((error: unknown) => assert.fail(`${String(error)} ${server.refusals.join()}`));
  assert.match(response.access_token, /^eyJ/);
}

test('each type of key gets a token, in each form', async () => {
  for (const [alg, generate] of Object.entries(pairs)) {
    const key = await registered(generate());
    await getsToken({ key: pem(key) });
    await getsToken({ key: jwk(key) });
    await getsToken({ key: JSON.stringify(jwk(key)) });
    const algorithm = { ES256: 'ECDSA', ES384: 'ECDSA', EdDSA: 'Ed25519', PS256: 'RSA-PSS' }[alg] ?? '';
    const curve = { ES256: 'P-256', ES384: 'P-384' }[alg];
    const parameters = { name: algorithm, hash: 'SHA-256', ...(curve && { namedCurve: curve }) };
    await getsToken({ key: key.toCryptoKey(parameters, true, ['sign']) });
    const [header = ''] = server.requests.at(-1)?.form.get('client_assertion')?.split('.') ?? [];
    assert.equal(JSON.parse(Buffer.from(header, 'base64url').toString()).alg, alg);
  }
  assert.equal(server.accepted.length, 4 * Object.keys(pairs).length);
});

test('an RSA key signs RS256 if the program or JWK says so', async () => {
  const key = await registered(pairs.PS256());
  await getsToken({ key: pem(key), alg: 'RS256' });
  await getsToken({ key: { ...jwk(key), alg: 'RS256' } });
  const parameters = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  await getsToken({ key: key.toCryptoKey(parameters, true, ['sign']) });
  for (const { form } of server.requests)
    assert.match(Buffer.from(form.get('client_assertion') ?? '', 'base64').toString('latin1'), /"RS256"/);
});

test('an assertion has the claims of RFC 7523 and lives a minute', async () => {
  const key = await registered(pairs.ES256());
  await getsToken({ key: pem(key) });
  const [claims] = server.accepted;
  assert.deepEqual(Object.keys(claims ?? {}).sort(), ['aud', 'exp', 'iat', 'iss', 'jti', 'sub']);
  assert.equal(claims?.['aud'], server.host);
  assert.equal(server.requests[0]?.form.get('client_id'), clientId);
  const life = Number(claims?.['exp']) - Math.floor(Date.now() / 1000);
  assert.ok(life > 50 && life <= 60, `${life} s`);
});

test('kid is an option, or of the JWK, or the thumbprint', async () => {
  const key = await registered(pairs.ES256(), clientId, { kid: 'own' });
  await getsToken({ key: { ...jwk(key), kid: 'own' } });
  await getsToken({ key: pem(key), kid: 'own' });
  await getsToken({ key: pem(key) });
});

test('audience is an option for servers whose issuer is not the host', async () => {
  const key = await registered(pairs.ES256());
  const api = apiWith({ key: pem(key), audience: 'https://issuer.example' });
  await assert.rejects(api.oAuth2TokenPost(), ForbiddenException);
  assert.deepEqual(server.refusals, ['unexpected "aud" claim value']);
});

test('a key pair that cannot be exported gets a token', async () => {
  const { subtle } = globalThis.crypto;
  const key = await subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
  const { x = '', y = '' } = await subtle.exportKey('jwk', key.publicKey);
  const kid = await server.register(clientId, { kty: 'EC', crv: 'P-256', x, y });
  await getsToken({ key });
  await getsToken({ key: key.privateKey, kid });
});

test('a retry sends a new assertion', async () => {
  const key = await registered(pairs.ES256());
  server.next(reset, problem(503, 'temporarily_unavailable'));
  await getsToken({ key: pem(key) });
  const assertions = server.requests.map(({ form }) => form.get('client_assertion'));
  assert.equal(new Set(assertions).size, 3);
});

test('a token manager with a key renews with new assertions', async () => {
  const key = await registered(pairs.EdDSA());
  const clientAuthentication = privateKey({ key: pem(key) });
  const manager = new TokenManager(configure(server.host, { clientSecret: undefined, clientAuthentication }));
  const first = await manager.getToken();
  manager.invalidate(first);
  assert.notEqual(await manager.getToken(), first);
  assert.equal(server.accepted.length, 2);
});

test('a key file is read again after a change', async () => {
  const path = join(directory, 'key.pem');
  const [first, second] = [await registered(pairs.ES256()), await registered(pairs.EdDSA())];
  await writeFile(path, pem(first));
  const api = apiWith({ key: { file: path } });
  await api.oAuth2TokenPost();
  await writeFile(path, 'half a k');
  await assert.rejects(api.oAuth2TokenPost(), { option: path, message: /neither a private key as PEM/ });
  await writeFile(path, `\uFEFF${JSON.stringify(jwk(second))}\r\n`);
  await api.oAuth2TokenPost();
  assert.equal(server.accepted.length, 2);
});

test('a function of a key service signs, in DER or as JWS', async () => {
  for (const alg of ['ES256', 'ES384'] as const) {
    const key = await registered(pairs[alg]());
    const kid = await server.register(clientId, jwk(createPublicKey(key)));
    const hash = alg === 'ES256' ? 'sha256' : 'sha384';
    for (const dsaEncoding of ['der', 'ieee-p1363'] as const) {
      // One signature in 128 has a short number.
      for (let i = 0; i < 20; i++)
        await getsToken({ alg, kid, key: async (data) => sign(hash, data, { key, dsaEncoding }) });
    }
  }
  const key = await registered(pairs.EdDSA());
  const kid = await server.register(clientId, jwk(createPublicKey(key)));
  await getsToken({ alg: 'EdDSA', kid, key: async (data) => new Uint8Array(sign(null, data, key)).buffer });
});

test('an error of the function that signs reaches the caller, unsent', async () => {
  const outage = new Error('the key service is away');
  const key = () => Promise.reject(outage);
  await assert.rejects(apiWith({ key, alg: 'ES256' }).oAuth2TokenPost(), (error) => error === outage);
  const noSignature = apiWith({ key: async () => new Uint8Array(10), alg: 'ES256' });
  await assert.rejects(noSignature.oAuth2TokenPost(), { option: 'key', message: /10 bytes/ });
  assert.equal(server.requests.length, 0);
});

test('keys that cannot sign are refused with what to do instead', async () => {
  const ec = pairs.ES256();
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
  const curve = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey;
  const wrong: [PrivateKeyOptions, RegExp][] = [
    [{ key: ec.export({ type: 'sec1', format: 'pem' }) }, /EC PRIVATE KEY.*openssl pkcs8 -topk8/],
    [{ key: createPublicKey(ec).export({ type: 'spki', format: 'pem' }) }, /PUBLIC KEY: give/],
    [{ key: jwk(createPublicKey(ec)) }, /public key: give the private key/],
    [{ key: pem(small) }, /1024 bits: use/],
    [{ key: pem(curve) }, /unknown type: use P-256/],
    [{ key: jwk(curve) }, /not supported: use P-256/],
    [{ key: 'mms_secret' }, /neither/],
    [{ key: '{"kty":' }, /not JSON/],
    [{ key: { ...jwk(ec), x: 'AAAA' } }, /damaged/],
    [{ key: pem(ec).replace(/[A-Z]{3}/, '***') }, /neither|damaged|unknown/],
    [{ key: pem(ec), alg: 'RS256' }, /must be ES256 for this key, not RS256/],
    [{ key: { ...jwk(ec), alg: 'ES384' } }, /must be ES256 for this key/],
  ];
  for (const [options, message] of wrong) {
    await assert.rejects(apiWith(options).oAuth2TokenPost(), (error) => {
      assert.ok(error instanceof ConfigurationError);
      assert.match(error.message, message);
      assert.doesNotMatch(inspect(error), new RegExp(`MIG|${jwk(ec).d}`));
      return true;
    });
  }
  assert.equal(server.requests.length, 0);
});

test('wrong options are errors when the configuration is made', () => {
  const { d } = jwk(pairs.ES256());
  const wrong: [unknown, string][] = [
    [{}, 'key'],
    [{ key: { d } }, 'key'],
    [{ key: { file: '' } }, 'key.file'],
    [{ key: async () => new Uint8Array() }, 'alg'],
    [{ key: 'x', alg: 'HS256' }, 'alg'],
    [{ key: 'x', kid: '' }, 'kid'],
    [{ key: 'x', keyId: 'k' }, 'keyId'],
  ];
  for (const [options, option] of wrong) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a program without types can do
    assert.throws(
      () => privateKey(options as PrivateKeyOptions),
      (error) => {
        assert.ok(error instanceof ConfigurationError);
        assert.equal(error.option, option);
        return !error.message.includes(String(d));
      },
    );
  }
  for (const key of [jwk(pairs.ES256()), JSON.stringify(jwk(pairs.ES256())), pem(pairs.ES256())]) {
    assert.throws(
      // @ts-expect-error -- the key itself, in place of privateKey({ key })
      () => configure(server.host, { clientAuthentication: key }),
      (error) => error instanceof ConfigurationError && !/"d|MIG/.test(error.message),
    );
  }
});

test('no key or assertion is printed, even if the server echoes it', async () => {
  const key = await registered(pairs.ES256());
  const text = pem(key);
  const clientAuthentication = privateKey({ key: text });
  const configuration = configure(server.host, {
    clientSecret: undefined,
    clientAuthentication,
    retry: false,
  });
  const body = text.split('\n')[1] ?? '';
  for (const shown of [inspect(configuration, { showHidden: true }), JSON.stringify(configuration)])
    assert.ok(!shown.includes(body) && shown.includes('[redacted]'), shown);
  assert.ok(!inspect(clientAuthentication, { showHidden: true, depth: 9 }).includes(body));
  server.next((response, request, raw) => plain(400, request.body)(response, request, raw));
  await assert.rejects(new AuthenticationApi(configuration).oAuth2TokenPost(), (error) => {
    const [, , signature = ''] = server.requests[0]?.form.get('client_assertion')?.split('.') ?? [];
    assert.ok(signature.length > 80);
    return !inspect(error, { showHidden: true, depth: 9 }).includes(signature);
  });
});

test('a secret in one call takes the place of the key', async () => {
  const api = apiWith({ key: pem(pairs.ES256()) });
  await assert.rejects(api.oAuth2TokenPost({ clientSecret: 'mms_x' }), ForbiddenException);
  const form = server.requests[0]?.form;
  assert.deepEqual([form?.get('client_secret'), form?.has('client_assertion')], ['mms_x', false]);
});

test('a PEM from OpenSSL and a JWK from jose sign alike', async () => {
  const { exportJWK, generateKeyPair } = await import('jose');
  const pair = await generateKeyPair('ES256', { extractable: true });
  await server.register(clientId, await exportJWK(pair.publicKey));
  const privateJwk = await exportJWK(pair.privateKey);
  await getsToken({ key: privateJwk });
  await getsToken({ key: pem(createPrivateKey({ key: privateJwk, format: 'jwk' })) });
});
