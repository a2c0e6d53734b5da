// Test setup: also on PostgreSQL.
import { newOrganisationId } from '../../src/domain/organisation-id.ts';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { decodeJwt } from 'jose';
import { createSecret } from '../../src/admin/credential.ts';
import { revokeOrganisation } from '../../src/admin/revocation.ts';
import { SYSTEM } from '../../src/domain/actor.ts';
import { eventually } from '@mintmark/test-support/eventually';
import { basic, exchange, FORM } from '@mintmark/test-support/http';
import {
  changeOrganisation,
  changeUser,
  newOrganisation,
  setAudience,
  userOf,
  type OrganisationApiUser,
} from '@mintmark/test-support/organisation-store';
import { startServer, type TestServer, type TokenResponse } from '@mintmark/test-support/server';
import { temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';

// What an organisation adds to the tokens of its API users, and when it refuses them.

const API = 'https://api.example.com/';
const REPORTS = 'https://reports.example.com/';
const TOKEN_LIFE = 600;

let opened: TemporaryStore;
let server: TestServer;

before(async () => {
  opened = await temporaryStore();
  const env = { MINTMARK_TOKEN_LIFE: String(TOKEN_LIFE), MINTMARK_FIRST_API_USER: 'false' };
  server = await startServer({ dataDir: opened.dataDir, env });
});
after(async () => {
  await server.stop();
  await opened[Symbol.asyncDispose]();
});

const ask = (user: OrganisationApiUser, more: Record<string, string> = {}): Promise<TokenResponse> =>
  server.post({ ...user.form, ...more });

/** The claims of a token. Waits until the server knows the API user. */
async function claimsOf(user: OrganisationApiUser, more: Record<string, string> = {}) {
  return await eventually(async () => {
    const { status, body } = await ask(user, more);
    assert.equal(status, 200, JSON.stringify(body));
    return decodeJwt(body['access_token'] as string);
  });
}

test('the most specific static claim wins, and org_id names the organisation', async () => {
  const { store } = opened;
  await setAudience(store, API, { claims: { tier: 'audience', region: 'eu', beta: false } });
  const { id } = await newOrganisation(store, { claims: { tier: 'organisation', seats: 3, region: null } });
  const own = await userOf(store, id, { audiences: [API, REPORTS], claims: { tier: ['own', { é: 1 }] } });
  const plain = await userOf(store, id, { audiences: [API] });
  const other = await userOf(store, null, { audiences: [API] });
  const standard = new Set(['aud', 'client_id', 'exp', 'iat', 'iss', 'jti', 'scope', 'sub']);
  const addedTo = async (user: OrganisationApiUser, more: Record<string, string> = {}) => {
    const claims = await claimsOf(user, more);
    return Object.fromEntries(Object.entries(claims).filter(([name]) => !standard.has(name)));
  };
  const inherited = { org_id: id, tier: 'organisation', seats: 3, region: null, beta: false };
  assert.deepEqual(await addedTo(own), { ...inherited, tier: ['own', { é: 1 }] });
  assert.deepEqual(await addedTo(plain), inherited);
  assert.deepEqual(await addedTo(other), { tier: 'audience', region: 'eu', beta: false });
  const elsewhere = { org_id: id, tier: ['own', { é: 1 }], seats: 3, region: null };
  assert.deepEqual(await addedTo(own, { resource: REPORTS }), elsewhere);
});

test('a change of claims and life holds for the next token', async () => {
  const { store } = opened;
  const { id } = await newOrganisation(store, { claims: { plan: 'old' } });
  const user = await userOf(store, id, { audiences: [REPORTS] });
  assert.equal((await claimsOf(user))['plan'], 'old');
  await changeOrganisation(store, id, { claims: { plan: 'new' }, policy: { tokenLifeSeconds: 120 } });
  await setAudience(store, REPORTS, { claims: { plan: 'of the audience', kind: 'report' } });
  await eventually(async () => {
    const { plan, kind, exp = 0, iat = 0 } = await claimsOf(user);
    assert.deepEqual([plan, kind], ['new', 'report']);
    assert.ok(exp - iat >= 120 && exp - iat <= 121);
  });
});

test('the most specific life wins, up to that of the server', async () => {
  const { store } = opened;
  const audience = 'https://short.example.com/';
  const policy = { audiences: [audience] };
  await setAudience(store, audience, { tokenLifeSeconds: 60 });
  const silent = await newOrganisation(store, { policy });
  const spoken = await newOrganisation(store, { policy: { ...policy, tokenLifeSeconds: 300 } });
  const lifeOf = async (organisationId: string | null, tokenLifeSeconds: number | null) => {
    const user = await userOf(store, organisationId, { audiences: [audience], tokenLifeSeconds });
    return await eventually(async () => {
      const { status, body } = await ask(user);
      assert.equal(status, 200);
      const { exp = 0, iat = 0 } = decodeJwt(body['access_token'] as string);
      const life = body['expires_in'] as number;
      assert.ok(exp - iat >= life && exp - iat <= life + 1, `${exp - iat} and not ${life}`);
      return life;
    });
  };
  assert.equal(await lifeOf(null, null), 60);
  assert.equal(await lifeOf(silent.id, null), 60);
  assert.equal(await lifeOf(spoken.id, null), 300);
  assert.equal(await lifeOf(spoken.id, 30), 30);
  assert.equal(await lifeOf(spoken.id, 86_400), TOKEN_LIFE);
});

test('a disabled organisation is refused like a disabled API user', async () => {
  const { store } = opened;
  const { id } = await newOrganisation(store);
  const user = await userOf(store, id);
  const disabled = await userOf(store, null);
  await claimsOf(user);
  await claimsOf(disabled);
  await changeUser(store, disabled.clientId, { enabled: false });
  await changeOrganisation(store, id, { enabled: false });
  const changedAt = Date.now();
  const refusal = async (one: OrganisationApiUser) => {
    const { status, body, headers } = await ask(one);
    assert.equal(status, 403);
    const { trace_id: _, ...rest } = body;
    const names = Array.from(headers.keys()).filter((name) => name !== 'x-request-id');
    return { rest, names };
  };
  const expected = await eventually(() => refusal(disabled));
  assert.deepEqual(await eventually(() => refusal(user)), expected);
  assert.ok(Date.now() - changedAt < 2000, 'within a second, and the time of a busy machine');
  await changeOrganisation(store, id, { enabled: true });
  assert.equal((await claimsOf(user))['org_id'], id);
});

test('an API user of a missing organisation gets no token', async () => {
  const { store } = opened;
  const id = newOrganisationId();
  const user = await userOf(store, null);
  await claimsOf(user);
  await changeUser(store, user.clientId, { organisationId: id });
  await eventually(async () => assert.equal((await ask(user)).status, 403));
});

test('a call must come from the networks of API user and organisation', async () => {
  const { store } = opened;
  const loopback = ['127.0.0.0/8', '::1/128'];
  const { id } = await newOrganisation(store, { policy: { allowedNetworks: ['192.0.2.0/24'] } });
  const user = await userOf(store, id, { allowedNetworks: [] });
  await eventually(async () => {
    const { status, body } = await ask(user);
    assert.deepEqual([status, body['error']], [403, 'unauthorized_client']);
  });
  await changeOrganisation(store, id, { policy: { allowedNetworks: loopback } });
  await claimsOf(user);
  await changeUser(store, user.clientId, { allowedNetworks: ['192.0.2.0/24'] });
  await eventually(async () => assert.equal((await ask(user)).body['error'], 'unauthorized_client'));
});

test('introspection shows an organisation its own tokens, unless it sees all', async () => {
  const { store } = opened;
  const claims = { plan: 'gold' };
  const [own, other] = [await newOrganisation(store, { claims }), await newOrganisation(store)];
  const api = await userOf(store, own.id, { audiences: [API] });
  await changeUser(store, api.clientId, { scopes: ['mintmark:introspect'] });
  const users = {
    own: await userOf(store, own.id, { audiences: [API] }),
    other: await userOf(store, other.id, { audiences: [API] }),
    platform: await userOf(store, null, { audiences: [API] }),
  };
  const introspect = async (user: OrganisationApiUser) => {
    const { body } = await ask(user);
    return await exchange(server.port, {
      path: '/marketing/oauth2/introspect',
      headers: { 'Content-Type': FORM, Authorization: basic(api.clientId, api.secret) },
      body: new URLSearchParams({ token: String(body['access_token']) }).toString(),
    });
  };
  await eventually(async () => {
    const { body } = await introspect(users.own);
    assert.deepEqual([body['active'], body['org_id'], body['plan']], [true, own.id, 'gold']);
  });
  for (const name of ['other', 'platform'] as const) {
    await claimsOf(users[name]);
    assert.equal((await introspect(users[name])).text, '{"active":false}', name);
  }
  await changeOrganisation(store, own.id, { policy: { introspectsAll: true } });
  await eventually(async () => {
    assert.equal((await introspect(users.other)).body['org_id'], other.id);
    assert.equal((await introspect(users.platform)).body['active'], true);
  });
});

test('one revocation of an organisation stops all its tokens, and no others', async () => {
  const { store } = opened;
  const { id } = await newOrganisation(store);
  const users = await Promise.all([1, 2, 3].map(() => userOf(store, id, { audiences: [API] })));
  const stranger = await userOf(store, null, { audiences: [API] });
  const api = await userOf(store, null, { audiences: [API], scopes: ['mintmark:introspect'] });
  const tokens = await Promise.all(
    [...users, stranger].map(async (user) => {
      await claimsOf(user);
      return String((await ask(user)).body['access_token']);
    }),
  );
  const isActive = async (token: string) => {
    const { body } = await exchange(server.port, {
      path: '/marketing/oauth2/introspect',
      headers: { 'Content-Type': FORM, Authorization: basic(api.clientId, api.secret) },
      body: new URLSearchParams({ token }).toString(),
    });
    return body['active'];
  };
  await eventually(async () => assert.equal(await isActive(tokens[0] ?? ''), true));
  await store.write(async (transaction) => await revokeOrganisation(transaction, id));
  await eventually(async () => {
    const active = await Promise.all(tokens.map(isActive));
    assert.deepEqual(active, [false, false, false, true]);
  });
  const listed = await store.revocations.page('', 100);
  assert.equal(listed.length, 1 + users.length, 'one of the organisation, and one of each API user');
});

test('a second secret of an API user gets the same claims', async () => {
  const { store } = opened;
  const { id } = await newOrganisation(store, { claims: { plan: 'gold' } });
  const user = await userOf(store, id);
  const change = { store, actor: SYSTEM, nowMs: Date.now() };
  const { secret } = await createSecret(change, { owner: user.clientId, name: 'second', expiresAt: null });
  const second = { ...user, form: { client_id: user.clientId, client_secret: secret } };
  assert.deepEqual([(await claimsOf(second))['org_id'], (await claimsOf(second))['plan']], [id, 'gold']);
});
