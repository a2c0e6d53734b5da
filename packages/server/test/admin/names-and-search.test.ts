import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import { eventually } from '@mintmark/test-support/eventually';
import type { AuditJson } from '@mintmark/test-support/operators';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// Exports that honour the filters of a list, names in the audit log, and callers that are refused all the time.

let server: TestServer;
let admin: AdminClient;
let importer: MadeApiUser;
let reports: MadeApiUser;
let gone: MadeApiUser;

before(async () => {
  const store = await newStore();
  const caller = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  importer = await store.apiUser(
    'Ärger importer',
    '--scope',
    'campaigns:read',
    '--contact',
    'feeds@example.com',
  );
  reports = await store.apiUser('Reports 100%', '--scope', 'reports:read');
  gone = await store.apiUser('Old bidder', '--scope', 'campaigns:read');
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000', MINTMARK_USAGE_FLUSH: '100' });
  admin = await adminClient(server, caller);
  await admin.send('POST', `/api-users/${reports.client_id}/disable`, {});
  await admin.send('PATCH', `/credentials/${gone.credential_id}`, { name: 'night shift' });
  await admin.send('POST', `/api-users/${gone.client_id}/disable`, {});
  await admin.send('DELETE', `/api-users/${gone.client_id}`);
});
after(async () => await server[Symbol.asyncDispose]());

function namesIn(lines: string): string[] {
  const records = lines.split('\n').filter((line) => line !== '');
  return records.map((line) => (JSON.parse(line) as { name: string }).name).sort();
}

type Named = AuditJson & {
  n: number;
  subject: { kind: string; id: string | null; name: string | null };
  related: { kind: string; id: string | null; name: string | null } | null;
};

async function found(query: string): Promise<Named[]> {
  const items: Named[] = [];
  for (let next: string | null = ''; next !== null;) {
    const reply = await admin.get(`/audit?limit=200${query}${next === '' ? '' : `&after=${next}`}`);
    assert.equal(reply.status, 200, reply.text);
    items.push(...(reply.body['items'] as Named[]));
    next = reply.body['next'] as string | null;
  }
  return items;
}

test('an export of API users has those that the list has', async () => {
  for (const [query, names] of [
    ['', ['Deployment', 'Reports 100%', 'Ärger importer']],
    ['?search=FEEDS@', ['Ärger importer']],
    ['?search=%20%C3%A4rger%20', ['Ärger importer']],
    ['?search=0%25', ['Reports 100%']],
    ['?state=disabled', ['Reports 100%']],
    ['?state=enabled&scope=campaigns:read', ['Ärger importer']],
    ['?scope=campaigns', []],
    ['?search=100&state=enabled', []],
  ] as const) {
    const exported = await fetch(`${server.url}/admin/v1/api-users/export${query}`, {
      headers: { authorization: `Bearer ${admin.token}` },
    });
    assert.deepEqual(namesIn(await exported.text()), names, query);
    const list = await admin.get(`/api-users${query}`);
    const listed = (list.body['items'] as { name: string }[]).map(({ name }) => name);
    assert.deepEqual(listed.sort(), names, query);
  }
  assertProblem(await admin.get('/api-users/export?state=bogus'), 400, 'invalid');
});

test('the command line exports the API users that its options name', async () => {
  for (const [options, names] of [
    [['--search', 'IMPORTER'], ['Ärger importer']],
    [['--state', 'disabled'], ['Reports 100%']],
    [['--scope', 'reports:read'], ['Reports 100%']],
    [['--scope', 'reports:read', '--state', 'enabled'], []],
  ] as const) {
    assert.deepEqual(namesIn(await server.cli('api-user', 'export', ...options)), names, options.join(' '));
  }
});

test('an export with digests records which API users it had', async () => {
  await admin.get('/api-users/export?digests=true&search=importer');
  const [entry] = await found('&action=api_user.export');
  assert.deepEqual(entry?.after, { digests: true, search: 'importer' });
});

test('audit entries name what they are about, deleted things too', async () => {
  const entries = await found('');
  const namesOf = (id: string) =>
    new Set(
      entries
        .flatMap(({ subject, related }) => [subject, related])
        .filter((one) => one?.id === id)
        .map((one) => one?.name),
    );
  assert.deepEqual([...namesOf(importer.client_id)], ['Ärger importer']);
  assert.deepEqual([...namesOf(importer.credential_id)], ['first secret']);
  assert.deepEqual([...namesOf(gone.client_id)], ['Old bidder'], 'a deleted API user');
  assert.equal([...namesOf(gone.credential_id)].length, 1, 'a deleted credential');
  const history = await admin.get(`/api-users/${gone.client_id}/history`);
  assert.deepEqual(
    (history.body['items'] as Named[]).map(({ subject, related }) => (related ?? subject).name),
    (history.body['items'] as Named[]).map(() => 'Old bidder'),
  );
});

test('the audit log is searched by parts of values and names', async () => {
  const actions = async (query: string) => (await found(query)).map(({ action }) => action);
  assert.deepEqual(await actions('&search=old%20BID'), [
    'api_user.delete',
    'api_user.disable',
    'credential.update',
    'credential.create',
    'api_user.create',
  ]);
  assert.deepEqual(await actions(`&search=${gone.client_id.slice(4, 16)}`), await actions('&search=bidder'));
  assert.deepEqual(
    await actions('&search=night'),
    ['credential.update', 'credential.create'],
    'a value that was changed',
  );
  assert.deepEqual(await actions('&search=%C3%84RGER&action=api_user.create'), ['api_user.create']);
  assert.deepEqual(await actions('&search=%25'), await actions('&search=100%25'), 'no wildcard');
  assert.deepEqual(await actions('&search=nothing%20has%20this'), []);
  assert.ok((await actions('&search=deployment')).includes('api_user.disable'), 'the name of the actor');
  const listed = await server.json<{ items: unknown[] }>('audit', 'list', '--search', 'bidder');
  assert.equal(listed.items.length, 5);
});

test('an export of the audit log honours a search', async () => {
  const { text } = await admin.get('/audit/export?search=bidder');
  const lines = text.split('\n').filter((line) => line !== '');
  const actions = lines.map((line) => (JSON.parse(line) as { action: string }).action);
  assert.deepEqual(actions.slice(0, 5), [
    'api_user.create',
    'credential.create',
    'credential.update',
    'api_user.disable',
    'api_user.delete',
  ]);
});

test('the overview names callers that are refused, why and how often', async () => {
  for (let i = 0; i < 24; i++) {
    await server.post({ client_id: importer.client_id, client_secret: reports.client_secret });
  }
  for (let i = 0; i < 6; i++) await server.post({ client_id: 'api_nobody', client_secret: 'x' });
  await server.post({ client_id: reports.client_id, client_secret: reports.client_secret });
  await eventually(async () => {
    const { body, text } = await admin.get('/overview');
    const attention = body['attention'] as Record<string, unknown>[];
    const refused = attention
      .filter(({ kind }) => kind === 'refused')
      .map(({ at: _at, detail: _d, ...rest }) => rest);
    assert.deepEqual(
      refused,
      [
        {
          kind: 'refused',
          client_id: importer.client_id,
          name: 'Ärger importer',
          reason: 'unknown_secret',
          count: 24,
        },
        { kind: 'refused', name: 'Unknown client ids', reason: 'unknown_client_id', count: 6 },
      ],
      text,
    );
  }, 30_000);
});
