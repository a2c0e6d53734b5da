// Test setup: also on PostgreSQL.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import { testStore } from '@mintmark/test-support/command-line';
import { auditOf, browser, makeOperator } from '@mintmark/test-support/operators';
import type { Reply } from '@mintmark/test-support/http';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// Export and import of API users in bulk, through the admin API and on the command line.

const NDJSON = { 'Content-Type': 'application/x-ndjson' };
const PASSWORD = 'correct horse battery staple';

let server: TestServer;
let admin: AdminClient;
let reader: AdminClient;
let importer: MadeApiUser;
let person: MadeApiUser;

before(async () => {
  const store = await newStore();
  const made = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  const read = await store.apiUser('Dashboard', '--scope', 'mintmark:read');
  importer = await store.apiUser('Importer', '--scope', 'campaigns:read', '--username', 'Import@example.com');
  person = await store.apiUser('A person', '--no-secret', '--scope', 'campaigns:read');
  await store.password(person.client_id, PASSWORD);
  server = await store.start({
    MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000',
    MINTMARK_TEST_ADMIN_IMPORT_LINES_MAX: '1000',
  });
  admin = await adminClient(server, made);
  reader = await adminClient(server, read);
});
after(async () => await server[Symbol.asyncDispose]());

type Json = Record<string, unknown>;

function linesOf(text: string): Json[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Json);
}

async function imported(lines: readonly unknown[]): Promise<Json[]> {
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
  const reply = await admin.send('POST', '/api-users/import', text, NDJSON);
  assert.equal(reply.status, 200, reply.text);
  return linesOf(reply.text);
}

test('security 15: an export has every API user with its settings, and digests for an admin who asks for them only', async () => {
  const settings = await reader.get('/api-users/export');
  assert.match(settings.headers['content-type'] ?? '', /^application\/x-ndjson/);
  assert.match(settings.headers['content-disposition'] ?? '', /filename="api-users\.ndjson"/);
  const found = linesOf(settings.text);
  assert.equal(found.length, 4);
  assert.ok(found.every((line) => line['credentials'] === undefined));
  assert.equal(
    found.find((line) => line['client_id'] === importer.client_id)?.['username'],
    'Import@example.com',
  );
  assertProblem(await reader.get('/api-users/export?digests=true'), 403, 'forbidden');
  await makeOperator(server, 'duty@example.com', 'operator');
  const onDuty = browser(server);
  await onDuty.signIn('duty@example.com');
  assertProblem(await onDuty.get('/api-users/export?digests=true'), 403, 'forbidden');

  const whole = await admin.get('/api-users/export?digests=true');
  const line = linesOf(whole.text).find((each) => each['client_id'] === importer.client_id);
  const [credential] = (line?.['credentials'] ?? []) as Json[];
  assert.equal(credential?.['id'], importer.credential_id);
  assert.match(credential?.['digest'] as string, /^[\w-]{43}$/);
  assert.ok(!whole.text.includes(importer.client_secret) && !whole.text.includes(PASSWORD));
  const recorded = (await auditOf(server)).filter(({ action }) => action === 'api_user.export');
  assert.deepEqual(
    recorded.map(({ outcome }) => outcome),
    ['refused', 'refused', 'done'],
  );
});

test('what one store exports another imports, and the same secrets and passwords work there', async () => {
  const whole = await admin.get('/api-users/export?digests=true');
  const other = await newStore();
  const made = await other.apiUser('Deployment', '--scope', 'mintmark:admin');
  await using second = await other.start();
  const client = await adminClient(second, made);
  second.noteSecret(importer.client_secret);
  second.noteSecret(PASSWORD);
  const reply = await client.send('POST', '/api-users/import', whole.text, NDJSON);
  const report = linesOf(reply.text);
  assert.deepEqual(report.at(-1), { outcome: 'done', made: 4, exists: 0, refused: 0, not_read: 0 });
  const { client_id, client_secret } = importer;
  assert.equal((await second.post({ client_id, client_secret })).status, 200);
  const byName = { client_id: 'import@EXAMPLE.com', client_secret };
  assert.equal((await second.post(byName)).status, 200);
  const byPassword = { client_id: person.client_id, client_secret: PASSWORD };
  assert.equal((await second.post(byPassword)).status, 200);
  const settings = await client.get('/api-users/export?digests=true');
  const exported = new Map(linesOf(settings.text).map((line) => [line['client_id'], line]));
  for (const line of linesOf(whole.text)) assert.deepEqual(exported.get(line['client_id']), line);
  const history = await client.get(`/api-users/${client_id}/history`);
  const [entry] = history.body['items'] as Json[];
  assert.deepEqual(
    [entry?.['action'], (entry?.['actor'] as Json | undefined)?.['id']],
    ['api_user.import', made.client_id],
  );
  const again = await client.send('POST', '/api-users/import', whole.text, NDJSON);
  assert.deepEqual(linesOf(again.text).at(-1), {
    outcome: 'done',
    made: 0,
    exists: 0,
    refused: 4,
    not_read: 0,
  });
});

test('each line is made or refused by itself, and the report says which and why', async () => {
  const digest = 'A'.repeat(43);
  const secret = { id: 'abcdefghij', kind: 'secret', name: 'moved', digest };
  const good = '$argon2id$v=19$m=19456,t=2,p=1$' + 'A'.repeat(22) + '$' + 'A'.repeat(43);
  const lines: [unknown, string, string?][] = [
    [{ name: 'Only a name' }, 'made'],
    [
      { client_id: 'legacy-17', name: 'Kept its id', enabled: false, created_at: '2019-05-01T00:00:00Z' },
      'made',
    ],
    [{ client_id: 'legacy-17', name: 'Twice' }, 'conflict', '/client_id'],
    [{ client_id: importer.client_id, name: 'There' }, 'conflict', '/client_id'],
    [{ client_id: 'IMPORT@example.com', name: 'Not an id' }, 'invalid', '/client_id'],
    [{ name: 'Taken', username: 'import@EXAMPLE.com' }, 'conflict', '/username'],
    [{ name: 'An id of another', username: 'legacy-17' }, 'conflict', '/username'],
    ['{"name": "broken"', 'invalid'],
    ['["name"]', 'invalid'],
    ['', 'blank'],
    [{ name: 'x'.repeat(70_000) }, 'invalid'],
    [{ nam: 'Typo' }, 'invalid', '/nam'],
    ['{"name":"Proto","__proto__":{"enabled":false}}', 'invalid', '/__proto__'],
    [{ name: 7 }, 'invalid', '/name'],
    [{ name: 'a', scopes: [1] }, 'invalid', '/scopes'],
    [{ name: 'a', limit_per_minute: 1.5 }, 'invalid', '/limit_per_minute'],
    [{ name: 'a', allowed_networks: ['nowhere'] }, 'invalid', '/allowed_networks'],
    [{ name: 'a', created_at: 'once' }, 'invalid', '/created_at'],
    [{ client_id: 'export', name: 'A path' }, 'invalid', '/client_id'],
    // Two texts that a database would make the same text of.
    [{ name: 'Half a character', username: 'abc\ud800' }, 'invalid', '/username'],
    [{ name: 'Half a character', username: 'abc\ud801' }, 'invalid', '/username'],
    [{ name: 'Turned \u202e around' }, 'invalid', '/name'],
    [{ name: 'a', credentials: [{ ...secret, name: '\udc00' }] }, 'invalid', '/credentials/0/name'],
    [{ name: 'With a secret', credentials: [secret] }, 'made'],
    [{ name: 'With the same', credentials: [secret] }, 'conflict', '/credentials'],
    [{ name: 'a', credentials: [{ ...secret, digest: 'short' }] }, 'invalid', '/credentials/0/digest'],
    [{ name: 'a', credentials: [{ ...secret, id: 'x' }] }, 'invalid', '/credentials/0/id'],
    [{ name: 'a', credentials: [{ ...secret, secret: 'mine' }] }, 'invalid', '/credentials/0/secret'],
    [{ name: 'a', credentials: [{ kind: 'password', name: 'p', digest: good }] }, 'made'],
    [
      { name: 'a', credentials: [{ kind: 'password', name: 'p', digest: good.replace('19456', '4194304') }] },
      'invalid',
      '/credentials/0/digest',
    ],
    [
      { name: 'a', credentials: [0, 1].map((i) => ({ kind: 'password', name: `${i}`, digest: good })) },
      'invalid',
      '/credentials',
    ],
    [
      { name: 'a', credentials: Array.from({ length: 6 }, (_, i) => ({ ...secret, id: `abcdefghi${i}` })) },
      'invalid',
      '/credentials',
    ],
  ];
  const report = await imported(lines.map(([line]) => line));
  const last = report.pop();
  const byLine = new Map(report.map((line) => [line['line'], line]));
  for (const [i, [line, outcome, pointer]] of lines.entries()) {
    const told = byLine.get(i + 1);
    const what = `${JSON.stringify(line).slice(0, 100)}: ${JSON.stringify(told)}`;
    if (outcome === 'blank') assert.equal(told, undefined);
    else if (outcome === 'made') assert.equal(told?.['outcome'], 'made', what);
    else {
      assert.deepEqual([told?.['outcome'], told?.['code']], ['refused', outcome], what);
      const pointers = ((told?.['errors'] ?? []) as { pointer: string }[]).map((error) => error.pointer);
      if (pointer !== undefined) assert.ok(pointers.includes(pointer), what);
    }
  }
  const made = lines.filter(([, outcome]) => outcome === 'made').length;
  assert.deepEqual(last, { outcome: 'done', made, exists: 0, refused: lines.length - made - 1, not_read: 0 });
  const kept = await admin.get('/api-users/legacy-17');
  assert.deepEqual([kept.body['enabled'], kept.body['created_at']], [false, '2019-05-01T00:00:00.000Z']);
  const summary = (await auditOf(server)).findLast(
    ({ action, subject }) => action === 'api_user.import' && subject.kind === 'store',
  );
  assert.deepEqual(summary?.after, { made, exists: 0, refused: lines.length - made - 1 });
});

test('an operator cannot import an API user that may do everything', async () => {
  await makeOperator(server, 'night@example.com', 'operator');
  const onDuty = browser(server);
  await onDuty.signIn('night@example.com');
  const reply: Reply = await onDuty.send(
    'POST',
    '/api-users/import',
    { name: 'Mine', scopes: ['mintmark:admin'] },
    {
      'Sec-Fetch-Site': 'same-origin',
      ...NDJSON,
    },
  );
  const [line] = linesOf(reply.text);
  assert.deepEqual([line?.['outcome'], line?.['code']], ['refused', 'forbidden']);
  const tried = (await auditOf(server)).findLast(
    ({ action, outcome }) => action === 'api_user.import' && outcome === 'refused',
  );
  assert.deepEqual([tried?.actor.name, tried?.subject.kind], ['night@example.com', 'api_user']);
  assert.match(tried?.reason ?? '', /mintmark:admin/);
});

test('of two imports of the same lines at once each line is made once', async () => {
  const lines = Array.from({ length: 40 }, (_, i) => ({ client_id: `twice-${i}`, name: `Twice ${i}` }));
  const reports = await Promise.all([imported(lines), imported(lines.toReversed())]);
  const made = reports.map((report) => report.at(-1)?.['made'] as number);
  assert.equal(
    made.reduce((sum, each) => sum + each),
    lines.length,
  );
  const refused = reports.flat().filter((line) => line['outcome'] === 'refused');
  assert.ok(refused.every((line) => line['code'] === 'conflict'));
});

test('more lines than there may be are counted and not made', async () => {
  const report = await imported(Array.from({ length: 1203 }, (_, i) => ({ name: `Many ${i}` })));
  assert.deepEqual(report.at(-1), { outcome: 'done', made: 1000, exists: 0, refused: 0, not_read: 203 });
  assert.equal(report.length, 1001);
});

test('an import of another type, and lines sent to another route, are refused', async () => {
  assertProblem(await admin.send('POST', '/api-users/import', '{"name":"a"}'), 415, 'unsupported_media_type');
  assertProblem(await admin.send('POST', '/api-users/import'), 415, 'unsupported_media_type');
  assertProblem(
    await admin.send('POST', '/api-users', '{"name":"a"}', NDJSON),
    415,
    'unsupported_media_type',
  );
  assertProblem(await reader.send('POST', '/api-users/import', '{"name":"a"}', NDJSON), 403, 'forbidden');
});

test('the command line exports and imports the same lines', async () => {
  using from = await testStore();
  using to = await testStore();
  const one = await from.json<MadeApiUser>(
    'api-user',
    'create',
    '--name',
    'One',
    '--scope',
    'a',
    '--limit',
    '7',
  );
  await from.json('api-user', 'create', '--name', 'Two', '--no-secret');
  const exported = await from.cli('api-user', 'export', '--digests');
  assert.ok(!exported.includes(one.client_secret));
  assert.ok(!(await from.cli('api-user', 'export')).includes('digest'));
  const file = join(to.dataDir, 'api-users.ndjson');
  writeFileSync(file, exported);
  const { code, out, err } = await to.run(['api-user', 'import', file]);
  assert.equal(code, 0, err);
  assert.equal(linesOf(out).length, 2);
  assert.match(err, /2 made, 0 refused/);
  assert.equal(await to.cli('api-user', 'export', '--digests'), exported);
  const again = await to.run(['api-user', 'import', '-'], { stdin: exported });
  assert.equal(again.code, 3);
  assert.match(again.err, /0 made, 2 refused/);
  const missing = await to.run(['api-user', 'import', join(to.dataDir, 'nothing')]);
  assert.equal(missing.code, 3);
  assert.match(missing.err, /cannot be read \(ENOENT\)/);
});
