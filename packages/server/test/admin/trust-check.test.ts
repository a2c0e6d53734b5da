import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import { newSigner, workloadClaims } from '@mintmark/test-support/assertions';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore } from '@mintmark/test-support/store';

// Tokens checked against trust rules through the admin API, and the sources of their keys.

let server: TestServer;
let admin: AdminClient;

before(async () => {
  const store = await newStore();
  const user = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000' });
  admin = await adminClient(server, user);
});
after(async () => await server[Symbol.asyncDispose]());

async function newUser(): Promise<string> {
  const { body } = await admin.send('POST', '/api-users', { name: 'Of a test', scopes: [], secret: false });
  return `/api-users/${(body['api_user'] as { client_id: string }).client_id}`;
}

test('a token passes one rule, and another names the claim that fails', async () => {
  const path = await newUser();
  const signer = await newSigner();
  const rule = {
    issuer: 'https://issuer.example.com',
    subject: 'repo:acme/shop:*',
    audience: 'https://auth.example.com',
    keys: { from: 'inline', jwks: { keys: [signer.jwk] } },
  };
  for (const id of ['1', '2']) {
    const claims = { repository_id: id };
    const body = { name: `shop ${id}`, trust_rule: { ...rule, claims } };
    const { status, text } = await admin.send('POST', `${path}/credentials`, body);
    assert.equal(status, 201, text);
  }
  const token = await signer.sign(workloadClaims({ repository_id: '2' }));
  server.noteSecret(token);
  for (const times of [1, 2]) {
    const { body } = await admin.send('POST', `${path}/trust-check`, { token });
    const rules = body['rules'] as Record<string, unknown>[];
    assert.equal(body['passes'], true, `check ${times}: a check uses no token up`);
    assert.deepEqual(
      rules.map(({ name, failed }) => ({ name, failed })),
      [
        {
          name: 'shop 1',
          failed: { check: 'claim', name: 'repository_id', expected: '"1"', actual: '"2"' },
        },
        { name: 'shop 2', failed: null },
      ],
    );
  }
  const { body } = await admin.get(`${path}/key-sources`);
  assert.deepEqual(body, { items: [] }, 'the rules hold their keys');
});

test('a malformed token and an unknown API user get an answer', async () => {
  const path = await newUser();
  const { status, body } = await admin.send('POST', `${path}/trust-check`, { token: 'not a token' });
  assert.equal(status, 200);
  assert.equal(body['passes'], false);
  assert.match(String(body['problem']), /not a JWT/);
  const nobody = '/api-users/api_00000000000000000000';
  assertProblem(await admin.send('POST', `${nobody}/trust-check`, { token: 'a.b.c' }), 404, 'not_found');
  assertProblem(await admin.get(`${nobody}/key-sources`), 404, 'not_found');
});
