import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import { newSigner } from '@mintmark/test-support/assertions';
import { auditOf, browser, makeOperator } from '@mintmark/test-support/operators';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';
import { certificate, startIssuer, type Issuer } from '../runtime/issuer.ts';

// Keys and trust rules that are refused, or created twice, through the admin API.

let server: TestServer;
let admin: AdminClient;
let issuer: Issuer;
let powerful: MadeApiUser;
let path: string;

before(async () => {
  const tls = certificate('localhost');
  issuer = await startIssuer(tls);
  const store = await newStore();
  powerful = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  const plain = await store.apiUser('Importer', '--scope', 'campaigns:read');
  path = `/api-users/${plain.client_id}/credentials`;
  server = await store.start({ MINTMARK_PRIVATE_KEY_HOSTS: `localhost=${tls.caFile}` });
  admin = await adminClient(server, powerful);
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});

const rule = (subject: string) => ({ name: 'CI', trust_rule: { issuer: issuer.url, subject } });

test('an operator causes no fetch for an API user of admins', async () => {
  await makeOperator(server, 'duty@example.com', 'operator');
  const duty = browser(server);
  await duty.signIn('duty@example.com');
  const credentials = `/api-users/${powerful.client_id}/credentials`;
  assertProblem(await duty.send('POST', credentials, rule('a')), 403, 'forbidden');
  const key = { name: 'CI', jwks_url: `${issuer.url}/keys` };
  assertProblem(await duty.send('POST', credentials, key), 403, 'forbidden');
  assert.deepEqual(issuer.requests, []);
});

test('a refused key or trust rule is on record, without a secret', async () => {
  const { jwk } = await newSigner();
  const refused: [object, RegExp][] = [
    [rule('*'), /A \* alone lets in every token/],
    [{ name: 'CI', public_key: JSON.stringify({ ...jwk, d: 'private-key-of-a-test' }) }, /private key/],
    [{ name: 'CI', jwks_url: 'https://ann:password-of-a-test@keys.example.com/' }, /a password/],
    [{ name: 'CI', jwks_url: `${issuer.url}/nothing` }, /No keys can be fetched/],
  ];
  for (const [body, reason] of refused) {
    const reply = await admin.send('POST', path, body);
    assertProblem(reply, 400, 'invalid');
    assert.doesNotMatch(reply.text, /-of-a-test/);
    const entry = (await auditOf(server)).findLast(({ action }) => action.startsWith('credential.'));
    assert.equal(entry?.outcome, 'refused');
    assert.match(JSON.stringify(entry), reason);
    assert.doesNotMatch(JSON.stringify(entry), /-of-a-test/);
  }
  const nobody = await admin.send('POST', '/api-users/api_nobody/credentials', rule('*'));
  assertProblem(nobody, 404, 'not_found');
});

test('a repeated creation gets its answer while the issuer is away', async () => {
  const headers = { 'Idempotency-Key': randomUUID() };
  assert.equal((await admin.send('POST', path, rule('b'), headers)).status, 201);
  await issuer.stop();
  const reply = await admin.send('POST', path, rule('b'), headers);
  assertProblem(reply, 409, 'replayed');
});

test('imported keys and trust rules have the bounds of created ones', async () => {
  const { jwk } = await newSigner();
  const keys = { from: 'inline', more: 'x', jwks: { more: 'x', keys: [{ ...jwk, x5c: ['x'], note: 'x' }] } };
  const imported = { issuer: 'https://ci.example.com', subject: 'a', keys };
  const { status, text } = await importTrust(imported);
  assert.match(text, /"outcome":"made"/, `${status} ${text}`);
  const id = /"client_id":"(\w+)"/.exec(text)?.[1] ?? '';
  const { body } = await admin.get(`/api-users/${id}/credentials`);
  const [credential] = body['items'] as { trust_rule: { keys: unknown } }[];
  assert.deepEqual(credential?.trust_rule.keys, { from: 'inline', jwks: { keys: [jwk] } });
  const preset = await importTrust({
    issuer: 'https://ci.example.com',
    subject: 'a',
    keys,
    preset: 'x'.repeat(600),
  });
  assert.match(preset.text, /"pointer":"\/credentials\/0\/trust_rule\/preset"/);
  for (const url of [`https://ci.example.com/${'x'.repeat(2000)}`, 'https://ci.example.com/\n']) {
    const reply = await importLine({ kind: 'key', name: 'CI', jwks_url: url });
    assert.match(reply.text, /"pointer":"\/credentials\/0\/jwks_url"/);
  }
});

async function importTrust(changes: object) {
  const unset = { preset: null, audience: 'a', other_audiences: false, claims: {} };
  const trust = { ...unset, life_seconds_max: 60, reuse: 'once', ...changes };
  return await importLine({ kind: 'trust', name: 'CI', trust_rule: trust });
}

async function importLine(credential: object) {
  const line = JSON.stringify({ name: 'Imported', credentials: [credential] });
  return await admin.send('POST', '/api-users/import', line, { 'content-type': 'application/x-ndjson' });
}
