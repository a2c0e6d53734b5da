// Test setup: also on PostgreSQL.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pino from 'pino';
import { createApiUser } from '../../src/admin/api-user.ts';
import { createSecret } from '../../src/admin/credential.ts';
import { moveApiUsers } from '../../src/admin/api-user-move.ts';
import { createOrganisation } from '../../src/admin/organisation.ts';
import { listRefusedRequests } from '../../src/admin/refused-request.ts';
import { SYSTEM, type Actor } from '../../src/domain/actor.ts';
import type { AppError } from '../../src/domain/app-error.ts';
import { UNSET_SETTINGS, type ApiUser } from '../../src/domain/api-user.ts';
import type { Denial } from '../../src/domain/denial.ts';
import type { KnownApiUser } from '../../src/domain/known-api-user.ts';
import { limitedNetwork } from '../../src/domain/network.ts';
import { DEFAULT_POLICY } from '../../src/domain/organisation.ts';
import type { RefusedRequest } from '../../src/domain/refused-request.ts';
import { createRefusedRequestRecorder } from '../../src/runtime/usage/refused-requests.ts';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import { eventually } from '@mintmark/test-support/eventually';
import { exchange, FORM } from '@mintmark/test-support/http';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser, type TestStore } from '@mintmark/test-support/store';
import { temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';
import { batch, use } from '@mintmark/test-support/usage';

// "Why was my call refused?": the last refused requests of each API user.

const NOW = Date.parse('2030-01-01T12:00:00Z');
const HOUR_MS = 3_600_000;

let store: TestStore;
let server: TestServer;
let admin: AdminClient;
let opened: TemporaryStore;

before(async () => {
  store = await newStore();
  const made = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000', MINTMARK_USAGE_FLUSH: '100' });
  admin = await adminClient(server, made);
  opened = await temporaryStore();
});
after(async () => {
  await opened[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

interface Listed {
  at: string;
  client_id: string;
  reason: string;
  trace_id: string;
  address: string;
}

async function call(from: string, form: Record<string, string>): Promise<string> {
  const body = new URLSearchParams(form).toString();
  const reply = await exchange(server.port, { headers: { 'Content-Type': FORM }, body, from });
  const { access_token: token } = reply.body;
  if (typeof token === 'string') server.noteSecret(token);
  return String(reply.headers['x-request-id']);
}

async function refusedOf({ client_id }: MadeApiUser, query = ''): Promise<Listed[]> {
  const reply = await admin.get(`/api-users/${client_id}/refused-requests?limit=200${query}`);
  assert.equal(reply.status, 200, reply.text);
  return reply.body['items'] as Listed[];
}

async function apiUser(name: string): Promise<MadeApiUser> {
  const made = await store.apiUser(name, '--scope', 'campaigns:read');
  server.noteSecret(made.client_secret);
  const { client_id, client_secret } = made;
  await eventually(async () => assert.equal((await server.post({ client_id, client_secret })).status, 200));
  return made;
}

/** Well-formed, and unknown. */
const UNKNOWN_SECRET = 'mms_Xn1TuFLDee_0000000000000000000000000000000000000000000000000';

test('a refused call is found by its x-request-id, with its reason', async () => {
  const user = await apiUser('Importer');
  const { client_id, client_secret } = user;
  const traceId = await call('127.0.0.2', { client_id, client_secret, scope: 'campaigns:write' });
  await call('127.0.0.2', { client_id, client_secret });
  await call('127.0.0.2', { client_id: 'api_00000000000000000000', client_secret });
  await eventually(async () => assert.equal((await refusedOf(user)).length, 1));
  const [found] = await refusedOf(user, `&trace_id=${traceId.toUpperCase()}`);
  const { at, ...others } = found as Listed;
  assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000, at);
  const { credential_id: credentialId } = user;
  assert.deepEqual(others, {
    client_id,
    api_user_name: 'Importer',
    address: '127.0.0.2',
    reason: 'invalid_scope',
    credential_id: credentialId,
    detail: null,
    trace_id: traceId,
  });
  const everywhere = await admin.get(`/refused-requests?trace_id=${traceId}`);
  assert.deepEqual(everywhere.body['items'], [found]);
  assert.deepEqual(await server.json('api-user', 'refused', client_id, '--trace-id', traceId), [found]);
  assert.deepEqual(await refusedOf(user, `&trace_id=${'0'.repeat(32)}`), []);
  assertProblem(await admin.get('/refused-requests?trace_id=1'), 400, 'invalid');
  assertProblem(await admin.get('/refused-requests?client_id=nobody'), 404, 'not_found');
});

test('a flood from a stranger hides no call of the own callers', async () => {
  const user = await apiUser('Importer');
  const { client_id, client_secret } = user;
  const own = await call('127.0.0.3', { client_id, client_secret, scope: 'other' });
  const mistyped = await call('127.0.0.4', { client_id, client_secret: 'mms_mistyped' });
  for (let flood = 0; flood < 30; flood++) {
    const calls = Array.from({ length: 20 }, () =>
      call('127.0.0.9', { client_id, client_secret: UNKNOWN_SECRET }),
    );
    await Promise.all(calls);
  }
  await eventually(async () => {
    const ids = (await refusedOf(user)).map(({ trace_id: id }) => id);
    assert.ok(ids.includes(own) && ids.includes(mistyped), `${ids.length} without the calls of its caller`);
    assert.ok(ids.length > 40 && ids.length <= 100, `${ids.length} requests`);
  });
});

test('pages of refused calls leave none out and repeat none', async () => {
  const user = await apiUser('Importer');
  const { client_id, client_secret } = user;
  for (let calls = 0; calls < 7; calls++)
    await call('127.0.0.5', { client_id, client_secret, scope: 'other' });
  await eventually(async () => assert.equal((await refusedOf(user)).length, 7));
  const ids: string[] = [];
  let cursor = '';
  do {
    const page = await admin.get(`/refused-requests?client_id=${client_id}&limit=3${cursor}`);
    assert.equal(page.status, 200, page.text);
    ids.push(...(page.body['items'] as Listed[]).map(({ trace_id: id }) => id));
    const next = page.body['next'] as string | null;
    cursor = next === null ? '' : `&after=${next}`;
  } while (cursor !== '');
  assert.deepEqual(
    ids,
    (await refusedOf(user)).map(({ trace_id: id }) => id),
  );
  assert.equal(new Set(ids).size, 7);
});

test('a member finds the refused calls of the own organisation only', async () => {
  const change = { store: opened.store, actor: SYSTEM, nowMs: NOW };
  const policy = { ...DEFAULT_POLICY, scopes: ['a'] };
  const settings = { name: 'Agency', contact: null, externalId: null, policy, claims: {} };
  const [one, two] = [await createOrganisation(change, settings), await createOrganisation(change, settings)];
  const users: ApiUser[] = [];
  for (const organisationId of [one.id, two.id, null])
    users.push(
      await createApiUser(change, { ...UNSET_SETTINGS, name: 'Importer', scopes: ['a'], organisationId }),
    );
  const [ofOne, ofTwo] = users as [ApiUser, ApiUser];
  const requests = users.map(({ clientId }, i) => request(clientId, NOW - HOUR_MS + i, '192.0.2.1'));
  await opened.store.recordRefusedRequests(requests);

  const member = (organisationId: string): Actor => {
    return {
      kind: 'member',
      id: 'op_1',
      name: 'eve@example.com',
      address: null,
      role: 'admin',
      organisationId,
    };
  };
  const found = async (organisationId: string, search: { owner?: string; traceId?: string } = {}) => {
    const reader = { store: opened.store, actor: member(organisationId), nowMs: NOW };
    const listed = await listRefusedRequests(
      reader,
      { owner: null, traceId: null, ...search },
      { before: null, limit: 100 },
    );
    return listed.map(({ clientId }) => clientId);
  };
  assert.deepEqual(await found(one.id), [ofOne.clientId]);
  assert.deepEqual(await found(one.id, { traceId: requests[0]!.traceId }), [ofOne.clientId]);
  assert.deepEqual(await found(one.id, { traceId: requests[1]!.traceId }), []);
  await assert.rejects(
    found(one.id, { owner: ofTwo.clientId }),
    (error: AppError) => error.code === 'not_found',
  );

  const { clientId } = ofOne;
  await moveApiUsers(change, {
    apiUsers: [clientId],
    organisationId: two.id,
    keepCredentials: false,
    force: true,
  });
  assert.deepEqual(await found(two.id), [ofTwo.clientId]);
});

test('each network keeps its last refused calls, and callers keep theirs', async () => {
  const change = { store: opened.store, actor: SYSTEM, nowMs: NOW };
  const { clientId } = await createApiUser(change, { ...UNSET_SETTINGS, name: 'Importer', scopes: ['a'] });
  const credential = await known(clientId, '2001:db8:0:1::7');
  await opened.store.recordUsage(batch(NOW, [use(credential, NOW, 1, '2001:db8:0:1::7')]));
  const of = (network: string, count: number, proved = false) =>
    Array.from({ length: count }, (_, i) => request(clientId, NOW + i, network, proved));
  const flood = Array.from({ length: 4 }, (_, i) => of(`203.0.113.${i}`, 100)).flat();
  const first = [...of('192.0.2.1', 3), ...of('2001:db8:0:1::9', 30), ...of('192.0.2.2', 30, true)];
  await opened.store.recordRefusedRequests(first);
  await opened.store.recordRefusedRequests(flood);
  await opened.store.recordRefusedRequests(flood); // with an unknown outcome, it is written twice
  const counts = await networksOf(clientId);
  // The quiet network keeps its three; the flooding ones share the rest.
  assert.equal(counts.get('192.0.2.1'), 3);
  assert.equal(counts.get('2001:db8:0:1::9'), 25);
  assert.equal(counts.get('192.0.2.2'), 25);
  const flooding = [0, 1, 2, 3].map((i) => counts.get(`203.0.113.${i}`) ?? 0);
  assert.deepEqual([Math.min(...flooding), Math.max(...flooding)], [11, 12]);

  const end = NOW + HOUR_MS * 24;
  const remove = async (at: number) =>
    await opened.store.write(({ refusedRequests }) => refusedRequests.deleteBefore(at, 60));
  await remove(NOW); // those of other tests
  assert.equal(await remove(NOW), 0);
  assert.equal(await remove(end), 60);
  assert.equal(await remove(end), 40);
  assert.equal((await networksOf(clientId)).size, 0);
});

test('calls that cannot be written are kept, and memory is bounded', async () => {
  const written: RefusedRequest[] = [];
  let fails = true;
  const recorder = createRefusedRequestRecorder(
    async (requests) => {
      if (fails) throw new Error('no database');
      written.push(...requests);
    },
    { usageFlushMs: 1000 },
    pino({ level: 'silent' }),
  );
  const wrong: Denial = { denied: 'invalid_client', reason: 'wrong_secret' };
  const scope: Denial = { denied: 'invalid_scope', description: 'other' };
  for (let api = 0; api < 500; api++) {
    for (let calls = 0; calls < 10; calls++)
      recorder.note(refusal(wrong, api, `10.0.0.${api % 30}`), NOW + calls);
  }
  for (let api = 0; api < 20; api++) recorder.note(refusal(scope, api, '10.1.0.1'), NOW);
  recorder.note({ ...refusal(wrong, 0, '10.2.0.1'), apiUser: undefined }, NOW);
  await recorder.flush();
  assert.equal(written.length, 0);
  fails = false;
  await recorder.flush();
  assert.equal(written.filter(({ proved }) => !proved).length, 1500);
  assert.equal(written.filter(({ proved }) => proved).length, 20);
  const ofOne = written.filter(({ network }) => network === '10.0.0.1');
  assert.ok(ofOne.length > 0 && ofOne.length <= 300, `${ofOne.length} of one network`);
  for (let calls = 0; calls < 100; calls++) recorder.note(refusal(wrong, 7, '10.0.0.1'), NOW + calls);
  await recorder.stop();
  const last = written.slice(1520).map(({ at }) => at - NOW);
  assert.deepEqual(
    last,
    Array.from({ length: 20 }, (_, i) => 80 + i),
  );
});

let requests = 0;
function request(clientId: string, at: number, address: string, proved = false): RefusedRequest {
  requests += 1;
  return {
    clientId,
    at,
    traceId: requests.toString(16).padStart(32, '0'),
    address,
    network: limitedNetwork(address),
    proved,
    reason: proved ? 'invalid_scope' : 'wrong_secret',
    credentialId: null,
    detail: null,
  };
}

function refusal(denial: Denial, api: number, address: string) {
  const caller = { clientId: '', clientSecret: 'wrong', assertion: null, address, traceId: String(api) };
  return { denial, caller, apiUser: { clientId: `api_${api}` } as KnownApiUser };
}

async function known(clientId: string, name: string): Promise<{ id: string; clientId: string }> {
  const change = { store: opened.store, actor: SYSTEM, nowMs: NOW };
  const { credential } = await createSecret(change, { owner: clientId, name, expiresAt: null });
  return credential;
}

async function networksOf(clientId: string): Promise<Map<string, number>> {
  const reader = { store: opened.store, actor: SYSTEM, nowMs: NOW };
  const search = { owner: clientId, traceId: null };
  const listed = await listRefusedRequests(reader, search, { before: null, limit: 1000 });
  const counts = new Map<string, number>();
  for (const { address } of listed) counts.set(address, (counts.get(address) ?? 0) + 1);
  return counts;
}
