import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import type { AuditJson } from '@mintmark/test-support/operators';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// The audit log through the admin API.

let server: TestServer;
let admin: AdminClient;
let caller: MadeApiUser;
let user: MadeApiUser;

type Entry = AuditJson & { n: number; at: string; hash: string };

before(async () => {
  const store = await newStore();
  caller = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  user = await store.apiUser('Importer', '--scope', 'campaigns:read');
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000' });
  admin = await adminClient(server, caller);
  const path = `/api-users/${user.client_id}`;
  await admin.send('PATCH', path, { name: 'Renamed' }, { 'If-Match': '"1"' });
  await admin.send('PATCH', path, { name: 'Lost' }, { 'If-Match': '"1"' });
  await admin.send('PATCH', `/credentials/${user.credential_id}`, { name: 'production' });
  await admin.send('POST', `${path}/disable`, { revoke_tokens: true });
});
after(async () => await server[Symbol.asyncDispose]());

async function entries(path: string): Promise<Entry[]> {
  const reply = await admin.get(path);
  assert.equal(reply.status, 200, reply.text);
  return reply.body['items'] as Entry[];
}

test('the history of an API user has its changes and those of its credentials, the newest first', async () => {
  const history = await entries(`/api-users/${user.client_id}/history`);
  assert.deepEqual(
    history.map(({ action, outcome }) => `${action} ${outcome}`),
    [
      'api_user.disable done',
      'credential.update done',
      'api_user.update refused',
      'api_user.update done',
      'credential.create done',
      'api_user.create done',
    ],
  );
  const [disabled, renamed, stale, changed] = history;
  assert.deepEqual(
    { kind: 'api_user', id: caller.client_id, name: 'Deployment', address: '127.0.0.1', role: null },
    disabled?.actor,
  );
  assert.match(disabled?.after?.['tokens_revoked_issued_before'] as string, /Z$/);
  assert.deepEqual(renamed?.related, { kind: 'api_user', id: user.client_id, name: 'Renamed' });
  assert.match(stale?.reason ?? '', /was last changed at/);
  assert.deepEqual([changed?.before, changed?.after], [{ name: 'Importer' }, { name: 'Renamed' }]);
});

test('a history is read page by page, and of an API user that was deleted too', async () => {
  const made = await admin.send('POST', '/api-users', { name: 'Gone', username: 'gone-user', secret: false });
  const { client_id: clientId } = made.body['api_user'] as MadeApiUser;
  const byName = await entries('/api-users/gone-user/history');
  await admin.send('DELETE', `/api-users/${clientId}`);
  const first = await admin.get(`/api-users/${clientId}/history?limit=1`);
  const [deleted] = first.body['items'] as Entry[];
  assert.equal(deleted?.action, 'api_user.delete');
  const next = first.body['next'] as string;
  assert.deepEqual(await entries(`/api-users/${clientId}/history?limit=1&after=${next}`), byName);
  assertProblem(await admin.get('/api-users/api_00000000000000000000/history'), 404, 'not_found');
  assertProblem(await admin.get(`/api-users/${clientId}/history?after=x`), 400, 'invalid');
});

test('the log is filtered by who, what, whom, outcome and time', async () => {
  const ofCaller = await entries(`/audit?actor=${caller.client_id}&limit=200`);
  assert.ok(ofCaller.length >= 4 && ofCaller.every(({ actor }) => actor.id === caller.client_id));
  const disabled = await entries('/audit?action=api_user.disable');
  assert.deepEqual(
    disabled.map(({ subject }) => subject.id),
    [user.client_id],
  );
  assert.deepEqual(
    (await entries(`/audit?subject=${user.credential_id}`)).map(({ action }) => action),
    ['credential.update', 'credential.create'],
  );
  const refused = await entries('/audit?outcome=refused');
  assert.ok(refused.length > 0 && refused.every(({ outcome }) => outcome === 'refused'));
  const at = encodeURIComponent(disabled[0]?.at.replace('Z', '+00:00') ?? '');
  assert.ok((await entries(`/audit?from=${at}`)).some(({ action }) => action === 'api_user.disable'));
  assert.ok(!(await entries(`/audit?to=${at}`)).some(({ action }) => action === 'api_user.disable'));
  for (const query of ['action=everything', 'from=yesterday', 'outcome=maybe', 'n=1', 'limit=0']) {
    assertProblem(await admin.get(`/audit?${query}`), 400, 'invalid');
  }
});

test('the log is exported a JSON object a line, and the export is in it', async () => {
  const reply = await admin.get('/audit/export');
  assert.equal(reply.status, 200);
  assert.match(reply.headers['content-type'] ?? '', /^application\/x-ndjson/);
  assert.match(reply.headers['content-disposition'] ?? '', /attachment; filename="audit\.ndjson"/);
  const lines = reply.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Entry);
  assert.deepEqual(
    lines.map(({ n }) => n),
    Array.from(lines.keys(), (i) => i + 1),
  );
  const last = lines.at(-1);
  assert.deepEqual([last?.action, last?.actor.id], ['audit.export', caller.client_id]);
  const filtered = await admin.get('/audit/export?action=api_user.disable');
  assert.equal(filtered.text.trimEnd().split('\n').length, 1);
});

test('the chain is followed from end to end, by everybody who asks at once', async () => {
  const replies = await Promise.all(Array.from({ length: 5 }, () => admin.get('/audit/verification')));
  for (const { body } of replies) {
    assert.deepEqual(
      [body['valid'], body['first_bad'], body['fault'], body['removed']],
      [true, null, null, 0],
    );
    assert.match(body['head'] as string, new RegExp(`^${String(body['entries'])}:[0-9a-f]{64}$`));
  }
});
