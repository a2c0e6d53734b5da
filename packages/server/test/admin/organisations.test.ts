// Test setup: also on PostgreSQL.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import { auditOf, browser, makeOperator } from '@mintmark/test-support/operators';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore } from '@mintmark/test-support/store';

// Organisations through the admin API.

let server: TestServer;
let admin: AdminClient;

before(async () => {
  const store = await newStore();
  const caller = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000' });
  admin = await adminClient(server, caller);
});
after(async () => await server[Symbol.asyncDispose]());

interface Organisation {
  id: string;
  version: number;
  enabled: boolean;
  policy: Record<string, unknown>;
}

interface Named {
  client_id: string;
  organisation_id: string | null;
}

async function create(body: object): Promise<Organisation> {
  const reply = await admin.send('POST', '/organisations', body);
  assert.equal(reply.status, 201, reply.text);
  assert.equal(reply.headers['etag'], `"${String(reply.body['version'])}"`);
  return reply.body as unknown as Organisation;
}

async function change(id: string, body: object, version = '*') {
  return await admin.send('PATCH', `/organisations/${id}`, body, { 'If-Match': version });
}

async function createApiUser(body: object): Promise<{ user: Named; secret: string; credentialId: string }> {
  const reply = await admin.send('POST', '/api-users', body);
  assert.equal(reply.status, 201, reply.text);
  const { api_user: user, client_secret: secret, credential } = reply.body;
  return {
    user: user as Named,
    secret: secret as string,
    credentialId: (credential as { id: string }).id,
  };
}

function pointers(reply: { body: Record<string, unknown> }): string[] {
  return (reply.body['errors'] as { pointer: string }[]).map(({ pointer }) => pointer);
}

test('an organisation is created, read, changed and deleted', async () => {
  const policy = {
    scopes: ['campaigns:read'],
    api_users_max: 5,
    quota: { mode: 'enforce', tokens_per_hour: 100, tokens_per_day: null },
  };
  const made = await create({ name: 'Blue', contact: 'ops@blue.example', external_id: 'crm-1', policy });
  assert.match(made.id, /^org_[0-9A-Za-z]{20}$/);
  const { body } = await admin.get(`/organisations/${made.id}`);
  assert.deepEqual(body['policy'], made.policy);
  assert.deepEqual(
    [made.policy['scopes'], made.policy['credential_kinds']],
    [['campaigns:read'], ['secret', 'key', 'trust']],
  );
  assertProblem(
    await admin.send('PATCH', `/organisations/${made.id}`, { name: 'Red' }),
    428,
    'precondition_required',
  );
  assertProblem(await change(made.id, { name: 'Red' }, '"7"'), 412, 'stale');
  const changed = await change(made.id, { name: 'Red', policy: { api_users_max: 6 } }, '"1"');
  assert.equal(changed.status, 200, changed.text);
  const { policy: changedPolicy } = changed.body as unknown as Organisation;
  assert.deepEqual(changedPolicy, { ...made.policy, api_users_max: 6 });
  assert.equal((await admin.send('DELETE', `/organisations/${made.id}`)).status, 204);
  assertProblem(await admin.get(`/organisations/${made.id}`), 404, 'not_found');
});

test('all faults of an organisation are reported at once', async () => {
  const policy = {
    scopes: ['mintmark:read'],
    audiences: ['not a uri'],
    allowed_networks: ['10.0.0.0/99'],
    api_user_limit_max: 0,
    credential_kinds: [],
    token_life_seconds: 1,
    api_users_max: 100_000,
  };
  const reply = await admin.send('POST', '/organisations', { name: ' ', claims: { iss: 'x' }, policy });
  assertProblem(reply, 400, 'invalid');
  const expected = ['/name', '/claims/iss', ...Object.keys(policy).map((name) => `/policy/${name}`)];
  assert.deepEqual(pointers(reply).toSorted(), expected.toSorted());
});

test('a second organisation with the same external id is refused', async () => {
  const { id } = await create({ name: 'Twice', external_id: 'crm-2' });
  const reply = await admin.send('POST', '/organisations', { name: 'Twice', external_id: 'crm-2' });
  assertProblem(reply, 409, 'conflict');
  assert.ok(String(reply.body['detail']).includes(id), reply.text);
});

test('a repeated request with the same key makes one organisation', async () => {
  const headers = { 'Idempotency-Key': 'organisation-1' };
  const first = await admin.send('POST', '/organisations', { name: 'Once' }, headers);
  const second = await admin.send('POST', '/organisations', { name: 'Once' }, headers);
  assert.deepEqual([first.status, second.status], [201, 201]);
  assert.equal(second.body['id'], first.body['id']);
});

test('the list of organisations is complete page by page', async () => {
  const made = [];
  for (let i = 0; i < 7; i++) made.push((await create({ name: `Page ${i % 3}`, contact: 'pages' })).id);
  const listed: string[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const from: string = cursor === '' ? '' : `&after=${cursor}`;
    const { body } = await admin.get(`/organisations?search=PAGES&limit=2${from}`);
    listed.push(...(body['items'] as Organisation[]).map(({ id }) => id));
    cursor = body['next'] as string | null;
  }
  assert.deepEqual(listed.toSorted(), made.toSorted());
  const none = await admin.get('/organisations?search=pages&state=disabled');
  assert.deepEqual(none.body['items'], []);
});

test('an organisation with API users is not deleted', async () => {
  const { id } = await create({ name: 'Kept', policy: { scopes: ['a'] } });
  const { user } = await createApiUser({ name: 'Importer', scopes: ['a'], organisation_id: id });
  assert.equal(user.organisation_id, id);
  assertProblem(await admin.send('DELETE', `/organisations/${id}`), 409, 'conflict');
  const { body } = await admin.get(`/organisations?search=${id}`);
  assert.deepEqual(
    (body['items'] as { api_users: number }[]).map((each) => each.api_users),
    [1],
  );
});

test('an API user of an unknown organisation is refused', async () => {
  const reply = await admin.send('POST', '/api-users', { name: 'Importer', organisation_id: 'org_unknown' });
  assertProblem(reply, 400, 'invalid');
  assert.deepEqual(pointers(reply), ['/organisation_id']);
});

test('the list of API users finds those of one organisation', async () => {
  const { id } = await create({ name: 'Filtered', policy: { scopes: ['a'] } });
  const ids = [];
  for (let i = 0; i < 5; i++)
    ids.push((await createApiUser({ name: `F ${i}`, scopes: ['a'], organisation_id: id })).user.client_id);
  for (const sort of ['created_at', '-created_at', 'name', '-name', 'last_used_at', '-last_used_at']) {
    const found: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const from: string = cursor === '' ? '' : `&after=${cursor}`;
      const { body } = await admin.get(`/api-users?organisation_id=${id}&limit=2&sort=${sort}${from}`);
      const items = body['items'] as (Named & { organisation_name: string })[];
      found.push(...items.map(({ client_id }) => client_id));
      assert.ok(items.every((each) => each.organisation_name === 'Filtered'));
      cursor = body['next'] as string | null;
    }
    assert.deepEqual(found.toSorted(), ids.toSorted(), sort);
  }
  const platform = await admin.get('/api-users?organisation_id=none&limit=200');
  const items = platform.body['items'] as Named[];
  assert.ok(items.length > 0 && items.every((each) => each.organisation_id === null), platform.text);
  const exported = await admin.get(`/api-users/export?organisation_id=${id}`);
  assert.equal(exported.text.trim().split('\n').length, 5);
});

test('a stricter policy reports what exists, or ends it', async () => {
  const { id } = await create({ name: 'Strict', policy: { scopes: ['a', 'b'] } });
  const wide = await createApiUser({ name: 'Wide', scopes: ['a', 'b'], organisation_id: id });
  const narrow = await createApiUser({ name: 'Narrow', scopes: ['a'], organisation_id: id });
  const stricter = { scopes: ['a'], credential_days_max: 30 };
  const checked = await admin.send('POST', `/organisations/${id}/policy-check`, { policy: stricter });
  assert.equal(checked.status, 200, checked.text);
  assert.deepEqual((await admin.get(`/organisations/${id}/violations`)).body['items'], []);
  assert.equal((await change(id, { policy: stricter })).status, 200);
  const { body } = await admin.get(`/organisations/${id}/violations`);
  assert.deepEqual(body, checked.body);
  const seen = (body['items'] as Record<string, unknown>[]).map((each) => [
    each['client_id'],
    each['credential_id'],
    each['member'],
  ]);
  const expected = [
    [wide.user.client_id, null, 'scopes'],
    [wide.user.client_id, wide.credentialId, 'expires_at'],
    [narrow.user.client_id, narrow.credentialId, 'expires_at'],
  ];
  const sorted = (rows: unknown[]) => rows.map((row) => JSON.stringify(row)).toSorted();
  assert.deepEqual(sorted(seen), sorted(expected));

  const { version } = (await admin.get(`/organisations/${id}`)).body as unknown as Organisation;
  assert.equal((await change(id, { policy: { violations: 'end' } }, `"${version}"`)).status, 200);
  assert.deepEqual((await admin.get(`/api-users/${wide.user.client_id}`)).body['enabled'], false);
  assert.deepEqual((await admin.get(`/api-users/${narrow.user.client_id}`)).body['enabled'], true);
  const credentials = await admin.get(`/api-users/${narrow.user.client_id}/credentials`);
  assert.deepEqual(
    (credentials.body['items'] as { state: string }[]).map(({ state }) => state),
    ['retired'],
  );
  const entries = (await auditOf(server)).filter((entry) => entry.organisation_id === id);
  const actions = entries.map(({ action }) => action).filter((action) => !action.endsWith('create'));
  assert.deepEqual(actions.toSorted(), [
    'api_user.disable',
    'credential.retire',
    'credential.retire',
    'organisation.update',
    'organisation.update',
  ]);
});

test('a move ends credentials, unless the same people keep them', async () => {
  const { id } = await create({ name: 'Target', policy: { scopes: ['a'] } });
  const moving = await createApiUser({ name: 'Moving', scopes: ['a'] });
  const keeping = await createApiUser({ name: 'Keeping', scopes: ['a'] });
  const forbidden = await createApiUser({ name: 'Forbidden', scopes: ['a', 'mintmark:read'] });
  const token = async ({ user, secret }: typeof moving) =>
    (await server.post({ client_id: user.client_id, client_secret: secret })).status;
  const move = async (body: object) =>
    await admin.send('POST', '/api-users/move', { organisation_id: id, ...body });

  const ids = [keeping, forbidden].map(({ user }) => user.client_id);
  const refused = await move({ client_ids: ids });
  assertProblem(refused, 400, 'invalid');
  assert.deepEqual(pointers(refused), [`/api_users/${forbidden.user.client_id}/scopes`]);
  assert.equal((await admin.get(`/api-users/${ids[0]}`)).body['organisation_id'], null);

  assert.equal(await token(keeping), 200);
  assertProblem(await move({ client_ids: [keeping.user.client_id] }), 409, 'unsafe');
  const kept = await move({ client_ids: [keeping.user.client_id], keep_credentials: true });
  assert.deepEqual(kept.body, { moved: [keeping.user.client_id], unchanged: [] });
  assert.equal(await token(keeping), 200);

  const ended = await move({ client_ids: [moving.user.client_id, keeping.user.client_id] });
  assert.deepEqual(ended.body, { moved: [moving.user.client_id], unchanged: [keeping.user.client_id] });
  assert.equal(await token(moving), 403);
  // Their names and last addresses are of the people before the move.
  const left = await admin.get(`/api-users/${moving.user.client_id}/credentials`);
  assert.deepEqual(left.body, { items: [] });

  const back = await admin.send('POST', '/api-users/move', {
    filter: { organisation_id: id },
    organisation_id: null,
    keep_credentials: true,
  });
  assert.deepEqual((back.body['moved'] as string[]).length, 2);
  assert.equal((await admin.get(`/api-users/${moving.user.client_id}`)).body['organisation_id'], null);
});

test('only admins change organisations and audiences', async () => {
  const { id } = await create({ name: 'Guarded' });
  await makeOperator(server, 'duty@example.com', 'operator');
  const duty = browser(server);
  await duty.signIn('duty@example.com');
  assert.equal((await duty.get(`/organisations/${id}`)).status, 200);
  assert.equal((await duty.send('POST', '/organisations', { name: 'Own' })).status, 403);
  assert.equal((await duty.send('POST', `/organisations/${id}/disable`, {})).status, 403);
  assert.equal(
    (await duty.send('PUT', '/audience-settings', { audience: 'https://a.example/' })).status,
    403,
  );
  const move = { client_ids: ['api_unknown'], organisation_id: id };
  assert.equal((await duty.send('POST', '/api-users/move', move)).status, 403);
});

test('settings of an audience are set and removed', async () => {
  const audience = 'https://campaigns.example/';
  const put = async (body: object) => await admin.send('PUT', '/audience-settings', { audience, ...body });
  const refused = await put({ claims: { sub: 'x' }, token_life_seconds: 1 });
  assert.deepEqual(pointers(refused).toSorted(), ['/claims/sub', '/token_life_seconds']);
  const set = await put({ claims: { tier: 'gold' }, token_life_seconds: 300 });
  assert.equal(set.status, 200, set.text);
  const { body } = await admin.get('/audience-settings');
  assert.deepEqual(body['items'], [set.body]);
  assert.deepEqual([set.body['claims'], set.body['version']], [{ tier: 'gold' }, 1]);
  assert.equal((await put({})).body['version'], 0);
  assert.deepEqual((await admin.get('/audience-settings')).body['items'], []);
});

test('disabling an organisation revokes its tokens unless they are kept', async () => {
  const revoked = async (body: object): Promise<unknown> => {
    const { id } = await create({ name: 'Stopped' });
    const { status, text } = await admin.send('POST', `/organisations/${id}/disable`, body);
    assert.equal(status, 200, text);
    const entries = await admin.get(`/audit?subject=${id}&action=organisation.disable`);
    const [entry] = entries.body['items'] as { after: Record<string, unknown> }[];
    return entry?.after['tokens_revoked'];
  };
  assert.equal(await revoked({}), true);
  assert.equal(await revoked({ revoke_tokens: true }), true);
  assert.equal(await revoked({ revoke_tokens: false }), undefined);
});

test('a disabled organisation is enabled', async () => {
  const { id } = await create({ name: 'Paused' });
  const disabled = await admin.send('POST', `/organisations/${id}/disable`, {});
  assert.equal(disabled.body['enabled'], false);
  const enabled = await admin.send('POST', `/organisations/${id}/enable`, {});
  assert.deepEqual([enabled.body['enabled'], enabled.body['version']], [true, 3]);
});

test('a preview shows the token with claims that are not saved', async () => {
  const policy = { scopes: ['a'], token_life_seconds: 300 };
  const { id } = await create({ name: 'Preview', claims: { tier: 'gold', region: 'eu' }, policy });
  const { user } = await createApiUser({ name: 'Importer', scopes: ['a'], organisation_id: id });
  const preview = async (body: object) => await admin.send('POST', '/token-preview', body);
  const own = await preview({ client_id: user.client_id, claims: { tier: 'silver' } });
  assert.equal(own.status, 200, own.text);
  const { tier, region, org_id: organisation, scope } = own.body['claims'] as Record<string, unknown>;
  assert.deepEqual([tier, region, organisation, scope], ['silver', 'eu', id, 'a']);
  assert.equal(own.body['life_seconds'], 300);
  const saved = await preview({ client_id: user.client_id });
  assert.equal((saved.body['claims'] as Record<string, unknown>)['tier'], 'gold');
  const draft = await preview({ organisation_id: id, claims: {}, token_life_seconds: 60 });
  assert.equal((draft.body['claims'] as Record<string, unknown>)['tier'], undefined);
  assert.equal(draft.body['life_seconds'], 60);
  assert.deepEqual(pointers(await preview({ claims: { sub: 'x' } })), ['/claims/sub']);
  assertProblem(await preview({ client_id: 'api_unknown' }), 404, 'not_found');
});

test('claims that make a token too long are refused', async () => {
  const text = 'x'.repeat(750);
  const scopes = Array.from({ length: 9 }, (_, i) => `${i}`.repeat(99));
  const audience = 'https://long.example/';
  const { id } = await create({
    name: 'Long',
    claims: { a: text },
    policy: { scopes, audiences: [audience] },
  });
  await admin.send('PUT', '/audience-settings', { audience, claims: { b: text } });
  const body = { name: 'Long', scopes, audiences: [audience], organisation_id: id };
  const reply = await admin.send('POST', '/api-users', { ...body, claims: { c: text } });
  assertProblem(reply, 400, 'invalid');
  assert.deepEqual(pointers(reply), ['/claims']);
  const { user } = await createApiUser({ ...body, scopes: [] });
  const changed = async (claims: object) =>
    await admin.send('PATCH', `/api-users/${user.client_id}`, { claims, scopes }, { 'If-Match': '*' });
  assert.deepEqual(pointers(await changed({ c: text })), ['/claims']);
});
