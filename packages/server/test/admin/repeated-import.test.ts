import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { importLines } from '../../src/admin/api-user-import-lines.ts';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import { testStore } from '@mintmark/test-support/command-line';
import { auditOf } from '@mintmark/test-support/operators';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore } from '@mintmark/test-support/store';

// Imports that are tried first, sent again, and in other forms than one JSON object per line.

const NDJSON = { 'Content-Type': 'application/x-ndjson' };

type Json = Record<string, unknown>;

let server: TestServer;
let admin: AdminClient;

before(async () => {
  const store = await newStore();
  const made = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000' });
  admin = await adminClient(server, made);
});
after(async () => await server[Symbol.asyncDispose]());

function linesOf(text: string): Json[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Json);
}

function ndjson(lines: readonly unknown[]): string {
  return lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
}

async function imported(body: string, query = '', headers: Record<string, string> = NDJSON): Promise<Json[]> {
  const reply = await admin.send('POST', `/api-users/import${query}`, body, headers);
  assert.equal(reply.status, 200, reply.text);
  return linesOf(reply.text);
}

async function named(name: string): Promise<Json[]> {
  const { body } = await admin.get(`/api-users?search=${encodeURIComponent(name)}&limit=200`);
  return (body['items'] as Json[]).filter((item) => item['name'] === name);
}

const outcomes = (report: readonly Json[]) => report.map((line) => line['outcome']);

test('the same file a second time makes nothing, with and without keys', async () => {
  const file = ndjson([
    { name: 'Resent plain', scopes: ['a'] },
    { name: 'Resent with a username', username: 'resent@example.com' },
    { name: 'Resent with a key', external_id: 'crm-1' },
  ]);
  const first = await imported(file);
  assert.deepEqual(outcomes(first), ['made', 'made', 'made', 'done']);
  const again = await imported(file);
  assert.deepEqual(outcomes(again), ['exists', 'exists', 'exists', 'done']);
  assert.deepEqual(
    again.map((line) => line['client_id']),
    first.map((line) => line['client_id']),
  );
  assert.deepEqual(again.at(-1), { outcome: 'done', made: 0, exists: 3, refused: 0, not_read: 0 });
  assert.equal((await named('Resent plain')).length, 1);
});

test('a mended file makes only what was refused before', async () => {
  const good = { name: 'Mended good', contact: 'team@example.com' };
  const first = await imported(ndjson([good, { name: 'Mended bad', limit_per_minute: 'ten' }]));
  assert.deepEqual(outcomes(first), ['made', 'refused', 'done']);
  // Members in another order, defaults written out, other spacing, in a JSON array: it says the same.
  const same = {
    contact: 'team@example.com',
    scopes: [],
    enabled: true,
    username: null,
    name: 'Mended good',
  };
  const mended = JSON.stringify([same, { name: 'Mended bad', limit_per_minute: 10 }], null, 2);
  assert.deepEqual(outcomes(await imported(mended)), ['exists', 'made', 'done']);
  const csv = 'limit_per_minute,contact,name\n,team@example.com,Mended good\n10,,Mended bad\n';
  assert.deepEqual(outcomes(await imported(csv)), ['exists', 'exists', 'done']);
  for (const name of ['Mended good', 'Mended bad']) assert.equal((await named(name)).length, 1, name);
});

test('an external id finds its API user whatever else changed', async () => {
  const line = { external_id: 'crm-2', name: 'Keyed', scopes: ['a'] };
  const [made] = await imported(ndjson([line]));
  const path = `/api-users/${String(made?.['client_id'])}`;
  await admin.send('PATCH', path, { name: 'Renamed', scopes: ['b'] }, { 'If-Match': '*' });
  const [exists] = await imported(ndjson([line]));
  assert.deepEqual(exists, {
    line: 1,
    outcome: 'exists',
    client_id: made?.['client_id'],
    differs: ['name', 'scopes'],
  });
  assert.equal((await admin.get(path)).body['name'], 'Renamed');
  const [other] = await imported(ndjson([{ ...line, client_id: 'another-id' }]));
  assert.deepEqual([other?.['outcome'], other?.['code']], ['refused', 'conflict']);
  const [error] = (other?.['errors'] ?? []) as Json[];
  assert.equal(error?.['pointer'], '/external_id');
});

test('an external id is unique, set, changed, taken back and exported', async () => {
  const created = await admin.send('POST', '/api-users', {
    name: 'First',
    external_id: 'erp-1',
    secret: false,
  });
  assert.equal(created.status, 201, created.text);
  const { client_id: id } = created.body['api_user'] as { client_id: string };
  const twice = { name: 'Second', external_id: 'erp-1', secret: false };
  const conflict = await admin.send('POST', '/api-users', twice);
  assertProblem(conflict, 409, 'conflict');
  assert.deepEqual(
    (conflict.body['errors'] as Json[]).map(({ pointer }) => pointer),
    ['/external_id'],
  );
  assertProblem(await admin.send('POST', '/api-users', { ...twice, external_id: ' erp-2' }), 400, 'invalid');
  const any = { 'If-Match': '*' };
  const changed = await admin.send('PATCH', `/api-users/${id}`, { external_id: 'erp-3' }, any);
  assert.equal(changed.body['external_id'], 'erp-3');
  const exported = linesOf((await admin.get('/api-users/export')).text);
  assert.equal(exported.find((line) => line['client_id'] === id)?.['external_id'], 'erp-3');
  await admin.send('PATCH', `/api-users/${id}`, { external_id: null }, any);
  assert.equal((await admin.send('POST', '/api-users', { ...twice, external_id: 'erp-3' })).status, 201);
});

test('a dry run reports what each line would do, and creates nothing', async () => {
  await imported(ndjson([{ name: 'Dry there', external_id: 'dry-1' }]));
  const changes = async () =>
    (await auditOf(server)).filter(({ action }) => action !== 'audit.export').length;
  const recorded = await changes();
  const lines = [
    { name: 'Dry new', external_id: 'dry-2' },
    { name: 'Dry there', external_id: 'dry-1' },
    { client_id: 'dry-id', name: 'Dry id' },
    { client_id: 'dry-id', name: 'Dry id twice' },
    { name: 'Dry new again', external_id: 'dry-2' },
    { name: 'Dry plain' },
    { name: 'Dry plain' },
    { name: '' },
  ];
  const report = await imported(ndjson(lines), '?dry_run=true');
  const summary = { outcome: 'checked', would_make: 3, exists: 3, refused: 2, not_read: 0 };
  assert.deepEqual(report.pop(), summary);
  assert.deepEqual(
    report.map((line) => [line['line'], line['outcome'], line['client_id']]),
    [
      [1, 'would_make', null],
      [2, 'exists', (await named('Dry there'))[0]?.['client_id']],
      [3, 'would_make', 'dry-id'],
      [4, 'refused', undefined],
      [5, 'exists', null],
      [6, 'would_make', null],
      [7, 'exists', null],
      [8, 'refused', undefined],
    ],
  );
  assert.equal((await named('Dry new')).length + (await named('Dry plain')).length, 0);
  assert.equal(await changes(), recorded);
  // More than one batch: what an earlier batch would take counts in a later one.
  const many = Array.from({ length: 401 }, (_, i) => ({
    name: 'Dry batch',
    external_id: `batch-${i % 400}`,
  }));
  assert.equal((await imported(ndjson(many), '?dry_run=true')).at(-1)?.['would_make'], 400);
  assert.deepEqual(outcomes(await imported(ndjson(lines))), [
    'made',
    'exists',
    'made',
    'refused',
    'exists',
    'made',
    'exists',
    'refused',
    'done',
  ]);
});

test('CSV may have commas, semicolons, quotation marks and a byte order mark', async () => {
  const csv =
    '\ufeffname;scopes;limit_per_minute;enabled;external_id\r\n' +
    '"Semi ""quoted""; name";campaigns:read campaigns:manage;60;TRUE;csv-1\r\n' +
    '"Two\nlines";;;;csv-2\r\n' +
    'Off;;;false;csv-3\r\n' +
    'Wrong;;many;;csv-4\r\n' +
    ';;;;\r\n\r\n';
  const report = await imported(csv, '', { 'Content-Type': 'text/csv' });
  assert.deepEqual(outcomes(report), ['made', 'refused', 'made', 'refused', 'done'], JSON.stringify(report));
  assert.deepEqual(
    report.slice(0, 4).map((line) => line['line']),
    [2, 3, 5, 6],
  );
  const { body } = await admin.get(`/api-users/${String(report[0]?.['client_id'])}`);
  assert.deepEqual(
    [body['name'], body['scopes'], body['limit_per_minute'], body['enabled']],
    ['Semi "quoted"; name', ['campaigns:read', 'campaigns:manage'], 60, true],
  );
  const [error] = (report[3]?.['errors'] ?? []) as Json[];
  assert.equal(error?.['pointer'], '/limit_per_minute');
});

test('an empty first cell of tab-separated values is a cell', async () => {
  const report = await imported('external_id\tname\ntab-1\tTabbed\n\tWithout an external id\n');
  assert.deepEqual(outcomes(report), ['made', 'made', 'done']);
  assert.equal((await named('Without an external id'))[0]?.['external_id'], null);
});

test('a file of another form is refused whole with one text', async () => {
  for (const body of ['client,secret\na,b\n', 'name,name\na,b\n', 'hello', '<xml/>']) {
    const reply = await admin.send('POST', '/api-users/import', body, NDJSON);
    assertProblem(reply, 400, 'invalid');
    assert.match(reply.body['detail'] as string, /not one JSON object per line, a JSON array or CSV/);
  }
  const json = await admin.send('POST', '/api-users/import', '[{"name":"a"}]');
  assertProblem(json, 415, 'unsupported_media_type');
  assert.match(json.body['detail'] as string, /application\/x-ndjson .*JSON array.* text\/csv/);
});

test('a JSON array cut off or too long creates its complete items', async () => {
  const cut = await imported('[{"name":"Cut 1"}, {"name":"Cut 2"');
  assert.deepEqual(outcomes(cut), ['made', 'refused', 'done']);
  const more = await imported('[{"name":"More ]} 1"}] {"name":"More 2"}');
  assert.deepEqual(outcomes(more), ['made', 'refused', 'done']);
  assert.deepEqual(outcomes(await imported('[ ]')), ['done']);
});

test('every JSON array gives its items, however it arrives', async () => {
  const anything = fc.array(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(anything, fc.integer({ min: 1, max: 40 }), fc.boolean(), async (items, size, pretty) => {
      const bytes = Buffer.from(`\n ${JSON.stringify(items, null, pretty ? 2 : 0)}\n`);
      async function* pieces(): AsyncGenerator<Buffer> {
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
      }
      const read: unknown[] = [];
      for await (const { text } of importLines(pieces(), 1_000_000)) read.push(JSON.parse(text as string));
      assert.deepEqual(read, JSON.parse(JSON.stringify(items)));
    }),
    { numRuns: 200 },
  );
});

test('the command line tries an import out, and repeats it', async () => {
  using store = await testStore();
  const file = join(store.dataDir, 'api-users.csv');
  writeFileSync(file, 'name,external_id\nOne,1\nTwo,2\n');
  const dry = await store.run(['api-user', 'import', '--dry-run', file]);
  assert.equal(dry.code, 0, dry.err);
  assert.match(dry.err, /2 would be made, 0 refused, 0 there already/);
  assert.deepEqual(await store.json('api-user', 'list'), []);
  assert.match((await store.run(['api-user', 'import', file])).err, /2 made, 0 refused, 0 there already/);
  const again = await store.run(['api-user', 'import', file]);
  assert.equal(again.code, 0, again.err);
  assert.match(again.err, /0 made, 0 refused, 2 there already/);
  const made = await store.json<Json>(
    'api-user',
    'create',
    '--name',
    'Three',
    '--external-id',
    '3',
    '--no-secret',
  );
  assert.equal(made['external_id'], '3');
  assert.equal((await store.run(['api-user', 'create', '--name', 'Four', '--external-id', '3'])).code, 3);
});
