// Test setup: faketime.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { decodeJwt } from 'jose';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';
import { revocationDigest } from '../../src/domain/revocation.ts';
import { eventually } from '@mintmark/test-support/eventually';
import { fakeClock, faketimeMissing } from '@mintmark/test-support/faketime';
import { basic, exchange, FORM, type Reply } from '@mintmark/test-support/http';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// POST {base}/oauth2/revoke (RFC 7009), asked over HTTP, and what the revocation list says afterwards.

const PATH = '/marketing/oauth2/revoke';
const HOUR_S = 3600;

let server: TestServer;
let owner: MadeApiUser;
let other: MadeApiUser;

before(async () => {
  const store = await newStore();
  owner = await store.apiUser('Owner', '--scope', 'mintmark:introspect');
  other = await store.apiUser('Other');
  server = await store.start();
});
after(async () => await server[Symbol.asyncDispose]());

async function tokenOf(user: MadeApiUser, at = server): Promise<string> {
  const { status, body } = await at.post({ client_id: user.client_id, client_secret: user.client_secret });
  assert.equal(status, 200, JSON.stringify(body));
  return body['access_token'] as string;
}

const revoke = (user: MadeApiUser, token: string, at = server): Promise<Reply> =>
  exchange(at.port, {
    path: PATH,
    headers: { 'Content-Type': FORM, Authorization: basic(user.client_id, user.client_secret) },
    body: new URLSearchParams({ token }).toString(),
  });

/** The digests of single tokens on the list. */
async function listed(at = server): Promise<string[]> {
  const body = Buffer.from(await (await fetch(`${at.url}/oauth2/revocations`)).arrayBuffer());
  return Array.from({ length: body.readUInt32BE(8) }, (_, i) =>
    body.toString('hex', 16 + 16 * i, 32 + 16 * i),
  );
}

const digestOf = (token: string) => revocationDigest(decodeJwt(token).jti ?? '');

async function isActive(token: string): Promise<boolean> {
  const { body } = await exchange(server.port, {
    path: '/marketing/oauth2/introspect',
    headers: { 'Content-Type': FORM, Authorization: basic(owner.client_id, owner.client_secret) },
    body: new URLSearchParams({ token }).toString(),
  });
  return body['active'] as boolean;
}

test('security 13: a revoked token is listed when the answer arrives', async () => {
  const [token, kept] = [await tokenOf(owner), await tokenOf(owner)];
  const reply = await revoke(owner, token);
  const list = await listed();
  assert.deepEqual([reply.status, reply.text], [200, '']);
  assert.equal(reply.headers['cache-control'], 'no-store');
  assert.ok(list.includes(digestOf(token)));
  assert.ok(!list.includes(digestOf(kept)));
  assert.deepEqual([await isActive(token), await isActive(kept)], [false, true]);
});

test('security 13: a revoked token stays listed after a kill and restart', async () => {
  const store = await newStore();
  const user = await store.apiUser('User');
  await using first = await store.start();
  const token = await tokenOf(user, first);
  assert.equal((await revoke(user, token, first)).status, 200);
  await first.kill();
  await using second = await startServer({ dataDir: first.dataDir });
  second.noteSecret(token);
  assert.ok((await listed(second)).includes(digestOf(token)));
});

test('a token is revoked when the clock was set back since', { skip: faketimeMissing() }, async () => {
  using clock = fakeClock(HOUR_S);
  const store = await newStore();
  const user = await store.apiUser('User');
  await using at = await store.start(clock.variables);
  const token = await tokenOf(user, at);
  clock.set(0);
  await eventually(async () => {
    const { iat = 0 } = decodeJwt(await tokenOf(user, at));
    assert.ok(iat < Date.now() / 1000 + HOUR_S / 2, 'the server sees its clock set back');
  });
  assert.equal((await revoke(user, token, at)).status, 200);
  await eventually(async () => assert.ok((await listed(at)).includes(digestOf(token))));
});

test('a token is revoked while the clock is ahead of its end', { skip: faketimeMissing() }, async () => {
  using clock = fakeClock(0);
  const store = await newStore();
  const user = await store.apiUser('User');
  await using at = await store.start(clock.variables);
  const token = await tokenOf(user, at);
  clock.set(HOUR_S);
  await eventually(async () => {
    const { iat = 0 } = decodeJwt(await tokenOf(user, at));
    assert.ok(iat > Date.now() / 1000 + HOUR_S / 2, 'the server sees its clock set ahead');
  });
  assert.equal((await revoke(user, token, at)).status, 200);
  clock.set(0);
  await eventually(async () => assert.ok((await listed(at)).includes(digestOf(token))));
});

test('the token of another is refused, and stays good', async () => {
  const token = await tokenOf(owner);
  const reply = await revoke(other, token);
  assert.deepEqual([reply.status, reply.body['error']], [403, 'unauthorized_client']);
  assert.equal(await isActive(token), true);
  assert.ok(!(await listed()).includes(digestOf(token)));
});

test('revoking again or revoking nonsense succeeds and adds nothing', async () => {
  const token = await tokenOf(owner);
  await revoke(owner, token);
  const listedBefore = await listed();
  for (const text of [token, 'nonsense', `${token}x`, token.slice(0, -2), '…']) {
    const reply = await revoke(owner, text);
    assert.deepEqual([reply.status, reply.text], [200, ''], text.slice(0, 8));
  }
  assert.deepEqual(await listed(), listedBefore);
});

test('an API user without credentials that are right revokes nothing', async () => {
  const token = await tokenOf(owner);
  const reply = await revoke({ ...owner, client_secret: other.client_secret }, token);
  assert.deepEqual([reply.status, reply.body['error']], [401, 'invalid_client']);
  assert.equal(await isActive(token), true);
});

test('beyond the bound on revoked tokens the answer is 503', async () => {
  const store = await newStore();
  const user = await store.apiUser('User');
  await using full = await store.start({ MINTMARK_TEST_REVOKED_TOKENS_MAX: '3' });
  const tokens = await Promise.all(Array.from({ length: 8 }, () => tokenOf(user, full)));
  const replies = await Promise.all(tokens.map((token) => revoke(user, token, full)));
  const done = tokens.filter((_, i) => replies[i]?.status === 200);
  assert.equal(done.length, 3);
  for (const { status, headers } of replies.filter((reply) => reply.status !== 200)) {
    assert.equal(status, 503);
    assert.equal(headers['retry-after'], '1');
  }
  assert.deepEqual((await listed(full)).sort(), done.map(digestOf).sort());
  assert.equal((await revoke(user, done[0] ?? '', full)).status, 200, 'revoked already');
});

test('clients that are not ours revoke: oauth4webapi, openid-client', async () => {
  const options = { [oauth.allowInsecureRequests]: true };
  const issuer = new URL(server.url);
  const as = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options }),
  );
  const mine = { client_id: owner.client_id };
  const first = await tokenOf(owner);
  const authentication = oauth.ClientSecretPost(owner.client_secret);
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(as, mine, authentication, first, options),
  );
  const configuration = await client.discovery(issuer, owner.client_id, owner.client_secret, undefined, {
    algorithm: 'oauth2',
    execute: [client.allowInsecureRequests],
  });
  const second = await tokenOf(owner);
  await client.tokenRevocation(configuration, second);
  assert.deepEqual([await isActive(first), await isActive(second)], [false, false]);
});
