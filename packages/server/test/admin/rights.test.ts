import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import { adminDocument } from '@mintmark/test-support/described';
import { auditOf, browser, makeOperator, type Browser } from '@mintmark/test-support/operators';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// Who may do what through the admin API, and that nobody gets further by a way around.

let server: TestServer;
let reader: AdminClient;
let admin: AdminClient;
let onDuty: Browser;
let viewer: Browser;
let powerful: MadeApiUser;
let plain: MadeApiUser;

before(async () => {
  const store = await newStore();
  const read = await store.apiUser('Dashboard', '--scope', 'mintmark:read');
  powerful = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  plain = await store.apiUser('Importer', '--scope', 'campaigns:read');
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000' });
  reader = await adminClient(server, read);
  admin = await adminClient(server, powerful);
  onDuty = await signedIn('duty@example.com', 'operator');
  viewer = await signedIn('viewer@example.com', 'viewer');
});
after(async () => await server[Symbol.asyncDispose]());

async function signedIn(email: string, role: 'operator' | 'viewer'): Promise<Browser> {
  await makeOperator(server, email, role);
  const made = browser(server);
  await made.signIn(email);
  return made;
}

/** Every change that is documented, as a method and a path of things that there are. */
async function changes(): Promise<[method: string, path: string][]> {
  const { paths } = await adminDocument(server.port);
  return Object.entries(paths).flatMap(([path, operations]) => {
    // What is one's own is not asked of the role: tests of operators have it.
    if (/^\/(session|profile|invitations|secret-links)/.test(path)) return [];
    if (/\/(trust-check|token-preview)$/.test(path)) return []; // change nothing
    const filled = path.replace('{client_id}', plain.client_id).replace('{id}', plain.credential_id);
    return Object.keys(operations)
      .filter((method) => method !== 'get')
      .map((method): [string, string] => [method.toUpperCase(), filled]);
  });
}

test('security 17: mintmark:read and viewers are refused every change, on record', async () => {
  // Those that the entries below are about first: the log keeps twenty of a caller in a minute.
  const first = ([, path]: [string, string]) => Number(!path.startsWith('/credentials/'));
  const tried = (await changes()).toSorted((a, b) => first(a) - first(b));
  assert.ok(tried.length >= 16, `${tried.length}`);
  for (const [method, path] of tried) {
    for (const send of [reader.send, viewer.send]) {
      const reply = await send(method, path, method === 'DELETE' ? undefined : {});
      assertProblem(reply, 403, 'forbidden');
    }
  }
  const refused = (await auditOf(server)).filter(({ outcome }) => outcome === 'refused');
  assert.ok(refused.length >= tried.length);
  const disabling = refused.find(
    ({ action, actor }) => action === 'api_user.disable' && actor.kind === 'operator',
  );
  assert.equal(disabling?.actor.name, 'viewer@example.com');
  assert.deepEqual(disabling?.subject, { kind: 'api_user', id: plain.client_id, name: 'Importer' });
  assert.match(disabling?.reason ?? '', /needs the role operator or admin/);
  const retiring = refused.find(({ action }) => action === 'credential.retire');
  assert.deepEqual(retiring?.subject, { kind: 'credential', id: plain.credential_id, name: 'first secret' });
  assert.equal((await admin.get(`/api-users/${plain.client_id}`)).body['version'], 1);
});

test('whoever may change nothing cannot fill the audit log by trying', async () => {
  const recorded = (await auditOf(server)).length;
  for (let i = 0; i < 60; i++) {
    assertProblem(await reader.send('POST', '/api-users', {}), 403, 'forbidden');
  }
  assert.ok((await auditOf(server)).length - recorded <= 21);
});

test('security 17: no operator becomes an admin through an all-powerful API user', async () => {
  const path = `/api-users/${powerful.client_id}`;
  const any = { 'If-Match': '*', 'Sec-Fetch-Site': 'same-origin' };
  const granted = { name: 'Mine', scopes: ['campaigns:read', 'mintmark:admin'] };
  for (const reply of [
    await onDuty.send('POST', '/api-users', granted),
    await onDuty.send('POST', '/api-users', { ...granted, secret: false }),
    await onDuty.send('PATCH', `/api-users/${plain.client_id}`, { scopes: ['mintmark:admin'] }, any),
    await onDuty.send('PATCH', path, { allowed_networks: [] }, any),
    await onDuty.send('POST', `${path}/enable`),
    await onDuty.send('POST', `${path}/credentials`, { name: 'mine' }),
    await onDuty.send('POST', `${path}/reset`, { name: 'mine', overlap_seconds: 3600 }),
    await onDuty.send('POST', `${path}/secret-links`, { name: 'mine' }),
    await onDuty.send('POST', `${path}/cut-off`, { new_secret: true }),
    await onDuty.send('PATCH', `/credentials/${powerful.credential_id}`, { expires_at: null }),
  ]) {
    assertProblem(reply, 403, 'forbidden');
    assert.match(reply.body['detail'] as string, /mintmark:admin/);
  }
  const last = (await auditOf(server)).findLast(({ action }) => action !== 'audit.export');
  assert.deepEqual([last?.action, last?.outcome], ['credential.update', 'refused']);
});

test('in an incident an operator stops an all-powerful API user, deleting nothing', async () => {
  const made = await admin.send('POST', '/api-users', { name: 'Leaked', scopes: ['mintmark:admin'] });
  server.noteSecret(made.body['client_secret'] as string);
  const { client_id: clientId } = made.body['api_user'] as { client_id: string };
  const path = `/api-users/${clientId}`;
  for (const action of ['cut-off', 'revoke-tokens', 'disable']) {
    assert.equal((await onDuty.send('POST', `${path}/${action}`, {})).status, 200, action);
  }
  assertProblem(await onDuty.send('DELETE', path), 403, 'forbidden');
  assertProblem(await onDuty.send('POST', `${path}/enable`), 403, 'forbidden');
});

test('an operator manages other API users, neither signing keys nor operators', async () => {
  const made = await onDuty.send('POST', '/api-users', { name: 'Ordinary', scopes: ['mintmark:read'] });
  assert.equal(made.status, 201, made.text);
  server.noteSecret(made.body['client_secret'] as string);
  assertProblem(await onDuty.send('POST', '/signing-keys/rotate', {}), 403, 'forbidden');
  const invited = { email: 'friend@example.com', role: 'admin' };
  assertProblem(await onDuty.send('POST', '/operators', invited), 403, 'forbidden');
});
