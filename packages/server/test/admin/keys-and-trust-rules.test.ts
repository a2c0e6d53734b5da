import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import { adminClient, type AdminClient } from '@mintmark/test-support/admin';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore } from '@mintmark/test-support/store';

// Keys and trust rules of API users through the admin API.

let server: TestServer;
let admin: AdminClient;

before(async () => {
  const store = await newStore();
  const made = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000' });
  admin = await adminClient(server, made);
});
after(async () => await server[Symbol.asyncDispose]());

const NDJSON = { 'content-type': 'application/x-ndjson' };

type Json = Record<string, unknown>;

async function newUser(): Promise<string> {
  const { body } = await admin.send('POST', '/api-users', { name: 'Of a test', scopes: [], secret: false });
  return `/api-users/${(body['api_user'] as { client_id: string }).client_id}`;
}

async function create(path: string, body: Json): Promise<Json & { credential: Json }> {
  const reply = await admin.send('POST', `${path}/credentials`, { name: 'CI', ...body });
  assert.equal(reply.status, 201, reply.text);
  return reply.body as Json & { credential: Json };
}

async function refused(
  path: string,
  body: Json,
  status: number,
  pointer: string,
  text: RegExp,
): Promise<void> {
  const unchanged = (await admin.get(`${path}/credentials`)).text;
  const reply = await admin.send('POST', `${path}/credentials`, { name: 'CI', ...body });
  assert.equal(reply.status, status, reply.text);
  const [error] = reply.body['errors'] as { pointer: string; detail: string }[];
  assert.equal(error?.pointer, pointer, reply.text);
  assert.match(error?.detail ?? '', text);
  assert.equal((await admin.get(`${path}/credentials`)).text, unchanged, 'nothing changed');
}

function newKey(): { pem: string; jwk: Json; privatePem: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    pem: publicKey.export({ type: 'spki', format: 'pem' }),
    jwk: { ...publicKey.export({ format: 'jwk' }) },
    privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}

const RULE = {
  preset: 'github',
  issuer: 'https://token.actions.githubusercontent.com',
  subject: 'repo:acme/shop:ref:refs/heads/main',
  claims: { repository_id: '123', repository_owner_id: '456' },
  life_seconds_max: 600,
  keys: { from: 'inline', jwks: { keys: [newKey().jwk] } },
};

test('a registered key shows its JWK and thumbprint, and no secret', async () => {
  const path = await newUser();
  const key = newKey();
  const made = await create(path, { public_key: key.pem });
  assert.equal(made['client_secret'], undefined);
  assert.equal(made['notice'], undefined);
  const [listed] = (await admin.get(`${path}/credentials`)).body['items'] as Json[];
  assert.deepEqual(listed, made.credential);
  assert.equal(listed?.['kind'], 'key');
  assert.deepEqual(listed?.['public_key'], key.jwk);
  assert.match(String(listed?.['thumbprint']), /^[\w-]{43}$/);
  assert.deepEqual([listed?.['last_refusal'], listed?.['trust_rule']], [null, undefined]);
  const second = await create(path, { public_key: JSON.stringify({ ...newKey().jwk, kid: 'two' }) });
  assert.match(String(second['notice']), /"two"/);
});

test('a key that any API user has or had is refused', async () => {
  const [path, other] = [await newUser(), await newUser()];
  const key = newKey();
  const { credential } = await create(path, { public_key: key.pem });
  await refused(path, { public_key: JSON.stringify(key.jwk) }, 409, '/public_key', /has this key already/);
  await refused(other, { public_key: key.pem }, 409, '/public_key', /another API user/);
  await admin.send('POST', `/credentials/${String(credential['id'])}/retire`, {});
  await refused(path, { public_key: key.pem }, 409, '/public_key', /retired for good/);
});

test('keys that are not usable are refused with a reason', async () => {
  const path = await newUser();
  await refused(path, { public_key: newKey().privatePem }, 400, '/public_key', /leaked/);
  await refused(path, { public_key: 'hello' }, 400, '/public_key', /PEM/);
  await refused(path, { jwks_url: 'http://keys.example.com/' }, 400, '/jwks_url', /https/);
  const two = { public_key: newKey().pem, jwks_url: 'https://keys.example.com/' };
  await refused(path, two, 400, '/jwks_url', /Send one of/);
});

test('a trust rule is shown as it was created, with defaults', async () => {
  const path = await newUser();
  const { credential } = await create(path, { trust_rule: RULE });
  assert.equal(credential['kind'], 'trust');
  assert.deepEqual(credential['trust_rule'], {
    ...RULE,
    audience: server.url,
    other_audiences: false,
    reuse: 'once',
  });
  assert.deepEqual([credential['last_subject'], credential['last_refusal']], [null, null]);
  await refused(path, { trust_rule: RULE }, 409, '/trust_rule', /equal trust rule/);
  const issuer = 'https://issuer.invalid';
  const away = { ...RULE, preset: null, issuer, keys: { from: 'discovery' } };
  await refused(path, { trust_rule: away }, 400, '/trust_rule/keys', /No keys can be fetched/);
});

test('a rule that matches too much is refused unless forced', async () => {
  const path = await newUser();
  const wide = { ...RULE, claims: {} };
  await refused(path, { trust_rule: wide }, 400, '/trust_rule/claims', /Anyone can get tokens/);
  await create(path, { trust_rule: wide, force: true });
  await refused(path, { trust_rule: { ...RULE, subject: 'a*b' } }, 400, '/trust_rule/subject', /comes last/);
});

test('a reset ends secrets and leaves keys and rules', async () => {
  const path = await newUser();
  await create(path, { public_key: newKey().pem });
  await create(path, { trust_rule: RULE });
  server.noteSecret(String((await create(path, {}))['client_secret']));
  const reset = await admin.send('POST', `${path}/reset`, {
    name: 'new',
    overlap_seconds: 0,
    end_password: true,
    force: true,
  });
  assert.equal(reset.status, 201, reset.text);
  server.noteSecret(String(reset.body['client_secret']));
  assert.deepEqual(
    (reset.body['ending'] as Json[]).map(({ kind }) => kind),
    ['secret'],
  );
  const cut = await admin.send('POST', `${path}/cut-off`, {});
  const ended = (cut.body['retired'] as Json[]).map(({ kind }) => kind);
  assert.deepEqual(new Set(ended), new Set(['key', 'secret', 'trust']));
});

test('an export with digests brings keys and rules into another store', async () => {
  const path = await newUser();
  const key = newKey();
  await create(path, { public_key: key.pem, expires_at: '2099-01-01T00:00:00Z' });
  await create(path, { trust_rule: RULE });
  const exported = await admin.get('/api-users/export?digests=true');
  const clientId = path.split('/').at(-1);
  const line = exported.text.split('\n').find((each) => each.includes(String(clientId))) ?? '';
  const record = JSON.parse(line) as { credentials: Json[] };
  assert.deepEqual(
    record.credentials.map(({ kind, digest }) => [kind, digest]),
    [
      ['key', undefined],
      ['trust', undefined],
    ],
  );
  const store = await newStore();
  const made = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  await using second = await store.start();
  const there = await adminClient(second, made);
  const imported = await there.send('POST', '/api-users/import', line, NDJSON);
  assert.match(imported.text, /"made":1/);
  const facts = async (client: AdminClient) => {
    const items = (await client.get(`${path}/credentials`)).body['items'] as Json[];
    return items.map(({ id, public_key: jwk, thumbprint, trust_rule: rule }) => [id, jwk, thumbprint, rule]);
  };
  assert.deepEqual(await facts(there), await facts(admin));
  const [{ public_key: jwk }] = record.credentials as [Json];
  const copy = { name: 'Copy', credentials: [{ kind: 'key', name: 'k', public_key: jwk }] };
  const refusedCopy = await admin.send('POST', '/api-users/import', JSON.stringify(copy), NDJSON);
  assert.match(refusedCopy.text, /One of the keys belongs to another credential/);
  const bad = { name: 'Bad', credentials: [{ kind: 'trust', name: 'r', trust_rule: { issuer: 1 } }] };
  const refusedBad = await admin.send('POST', '/api-users/import', JSON.stringify(bad), NDJSON);
  assert.match(refusedBad.text, /credentials\/0\/trust_rule\/subject/);
});
