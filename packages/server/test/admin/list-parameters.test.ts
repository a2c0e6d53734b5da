import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { API_USER_SORTS, type ApiUserPosition } from '../../src/domain/api-user-list.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { openStore } from '../../src/store-files/open.ts';
import { apiUserListRows } from '../../src/storage/tables/api-user-list.ts';
import type { Connections } from '../../src/storage/connections.ts';
import type { Store } from '../../src/storage/store.ts';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import { testStore } from '@mintmark/test-support/command-line';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore } from '@mintmark/test-support/store';
import { changeStore, databaseUrlOf } from '@mintmark/test-support/store-under-test';

// Parameters of lists: each row is on one page exactly, and what no list means is refused alike on both stores.

/** Every character that a client id may begin with, and ids of which one begins another. */
const IDS = ['~', '~~', '~a', '~~~z', 'a~', '-', '_', '.a', '0', '00', 'Z', 'z', 'zz', 'api_x', 'A.b', '~0'];

let server: TestServer;
let admin: AdminClient;
/** Its own last use is written at some time during these tests, and moves it. */
let callerId: string;
let store: Store;
let connections: Connections;

interface Row {
  client_id: string;
  name: string;
  enabled: boolean;
  created_at: string;
  last_used_at: string | null;
}

before(async () => {
  const made = await newStore();
  const caller = await made.apiUser('Deployment', '--scope', 'mintmark:admin');
  callerId = caller.client_id;
  server = await made.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000' });
  admin = await adminClient(server, caller);
  const lines = IDS.map((clientId, i) =>
    JSON.stringify({
      client_id: clientId,
      name: ['Same', 'same', 'Übung', `Name ${i}`][i % 4],
      enabled: i % 3 !== 0,
      scopes: i % 2 === 0 ? ['campaigns:read'] : [],
      created_at: new Date(1_700_000_000_000 + (i % 5)).toISOString(),
    }),
  );
  const reply = await admin.send('POST', '/api-users/import', lines.join('\n'), {
    'Content-Type': 'application/x-ndjson',
  });
  assert.match(reply.text, new RegExp(`"made":${IDS.length},`));
  const used = IDS.flatMap((id, i) => (i % 4 < 2 ? [] : [`when '${id}' then ${1000 + (i % 3)}`]));
  changeStore(
    server.dataDir,
    `update api_users set last_used_at = case client_id ${used.join(' ')} else null end`,
  );
  const env = { MINTMARK_DATA_DIR: server.dataDir, DATABASE_URL: databaseUrlOf(server.dataDir) };
  ({ store, connections } = await openStore(loadConfig(env), { watch: false }));
});
after(async () => {
  await store.close();
  await server[Symbol.asyncDispose]();
});

async function walk(query: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (let next: string | null = ''; next !== null;) {
    const reply = await admin.get(`/api-users?${query}${next === '' ? '' : `&after=${next}`}`);
    assert.equal(reply.status, 200, reply.text);
    const page = reply.body as unknown as { items: Row[]; next: string | null };
    rows.push(...page.items);
    next = page.next;
    assert.ok(rows.length < 10 * IDS.length, 'the list ends');
  }
  return rows;
}

const bytewise = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** By the value, then by the client id, those without a value last. */
function inOrder(rows: readonly Row[], sort: string, descending: boolean): string[] {
  const value = ({ name, created_at, last_used_at }: Row) =>
    sort === 'name' ? name.toLowerCase() : sort === 'created_at' ? created_at : last_used_at;
  const sign = descending ? -1 : 1;
  const compared = (a: Row, b: Row) => {
    const [left, right] = [value(a), value(b)];
    if ((left === null) !== (right === null)) return left === null ? 1 : -1;
    return sign * (bytewise(left ?? '', right ?? '') || bytewise(a.client_id, b.client_id));
  };
  return rows.toSorted(compared).map((row) => row.client_id);
}

test('pages of every sort list each API user exactly once, in order', async () => {
  const all = await walk('limit=200');
  assert.deepEqual(new Set(all.map((row) => row.client_id)).size, IDS.length + 1);
  const filters: [string, (row: Row) => boolean][] = [
    ['', () => true],
    ['&state=enabled', (row) => row.enabled],
    ['&state=disabled', (row) => !row.enabled],
    ['&search=~', (row) => row.client_id.includes('~')],
    ['&search=s', (row) => /s/i.test(`${row.name} ${row.client_id}`)],
  ];
  const asked = fc.record({
    sort: fc.constantFrom(...API_USER_SORTS),
    descending: fc.boolean(),
    filter: fc.constantFrom(...filters),
    limit: fc.constantFrom(1, 2, 3, 5, 50),
  });
  await fc.assert(
    fc.asyncProperty(asked, async ({ sort, descending, filter: [query, fits], limit }) => {
      const found = await walk(`sort=${descending ? '-' : ''}${sort}&limit=${limit}${query}`);
      const listed = found.map((row) => row.client_id);
      const expected = inOrder(all.filter(fits), sort, descending);
      // An API user whose client id is the search itself comes first, on pages with room for it.
      const first = query === '&search=~' && limit > 2 ? ['~'] : [];
      assert.deepEqual(listed.toSorted(), expected.toSorted());
      const others = (ids: string[]) => ids.filter((id) => id !== callerId);
      assert.deepEqual(others(listed), others([...first, ...expected.filter((id) => !first.includes(id))]));
    }),
    { numRuns: 120 },
  );
});

test('pages that end early list each API user exactly once', async () => {
  const bounds = { lookedAtFirst: 2, tableMax: 0, countMs: 0, lookMs: 0, scopeMax: 0 };
  const lists = apiUserListRows(connections.read, bounds);
  for (const sort of API_USER_SORTS) {
    for (const descending of [true, false]) {
      for (const limit of [1, 2, 3, 7]) {
        for (const scope of ['campaigns:read', null]) {
          const filter = { search: scope === null ? 'a' : null, enabled: null, scope, organisation: null };
          const listed: string[] = [];
          let position: ApiUserPosition | null = null;
          do {
            const page = await lists.page(filter, { sort, descending, after: position, limit }, Date.now());
            listed.push(...page.items.map(({ user }) => user.clientId));
            position = page.next;
          } while (position !== null);
          const found = await walk(`limit=200&${scope === null ? 'search=a' : `scope=${scope}`}`);
          const expected = found.map((row) => row.client_id);
          assert.deepEqual(listed.toSorted(), expected.toSorted(), `${sort} ${descending} ${limit} ${scope}`);
        }
      }
    }
  }
});

/** Every parameter of every list that is a text, with the path up to it. */
test('a scope filter tells letter case apart', async () => {
  for (const scopes of [['Orders:read'], ['orders:read']])
    assert.equal(
      (await admin.send('POST', '/api-users', { name: 'cased', scopes, secret: false })).status,
      201,
    );
  const { body } = await admin.get('/api-users?scope=Orders:read&search=cased');
  const items = body['items'] as { scopes: string[] }[];
  assert.deepEqual(
    items.map(({ scopes }) => scopes),
    [['Orders:read']],
  );
});

const TEXTS = [
  '/api-users?search=',
  '/api-users?scope=',
  '/api-users?sort=',
  '/api-users?after=',
  '/api-users/x/usage?from=',
  '/usage?to=',
  '/usage/recent?ids=',
  '/audit?actor=',
  '/audit?subject=',
  '/audit?action=',
  '/audit?after=',
  '/audit/export?subject=',
  '/operators?after=',
  '/events?client_id=',
];

test('a control character or malformed escape in any parameter is refused', async () => {
  for (const path of TEXTS) {
    for (const text of [
      '%00',
      'a%00b',
      '%0A',
      '%0d',
      '%1F',
      '%7f',
      '%C2%85',
      '%ff',
      '%C3',
      '%ED%A0%80',
      '%',
      '%zz',
    ]) {
      const reply = await admin.get(path + text);
      assertProblem(reply, 400, 'invalid');
    }
  }
  for (const path of [
    '/api-users/%00',
    '/api-users/%00/usage',
    '/api-users/a%0ab/history',
    '/credentials/%00/retire',
  ]) {
    const reply = await admin.send(path.endsWith('retire') ? 'POST' : 'GET', path);
    assertProblem(reply, 400, 'invalid');
  }
});

test('every parameter and member refuses a time on no calendar', async () => {
  const wrong = [
    '2026-02-30T00:00:00Z',
    '2026-02-29T12:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01T00:00:00%2B24:00',
    '2026-01-01T00:00:00%2B01:60',
    '2026-01-01%2000:00:00Z',
    '9999-12-31T23:59:59-01:00',
    '1%20January%202026',
    '2026',
    '0',
    'yesterday',
  ];
  for (const time of [...wrong, '2026-02-30']) {
    for (const path of ['/usage?unit=day&', '/api-users/x/usage?unit=day&', '/audit?', '/audit/export?']) {
      for (const name of ['from', 'to']) {
        const reply = await admin.get(`${path}${name}=${time}`);
        assertProblem(reply, 400, 'invalid');
        assert.deepEqual((reply.body['errors'] as { pointer: string }[])[0]?.pointer, `?${name}`, reply.text);
      }
    }
    const plain = decodeURIComponent(time);
    const secret = { secret: { expires_at: plain } };
    assertProblem(await admin.send('POST', '/api-users', { name: 'n', ...secret }), 400, 'invalid');
    const line = JSON.stringify({ name: 'n', created_at: plain });
    const { text } = await admin.send('POST', '/api-users/import', line, {
      'Content-Type': 'application/x-ndjson',
    });
    assert.match(text, /"outcome":"refused".*created_at/, plain);
  }
  for (const time of ['2028-02-29T23:59:59Z', '2026-01-01T00:00:00.123456%2B05:30', '2026-12-31t23:59:59z']) {
    assert.equal((await admin.get(`/audit?from=${time}`)).status, 200, time);
    assert.equal((await admin.get(`/usage?unit=day&to=${time}`)).status, 200, time);
  }
  assert.equal((await admin.get('/usage?unit=day&to=2026-03-01')).status, 200, 'a day is its start, UTC');
  const { body } = await admin.get('/usage?unit=minute&from=2026-03-01T10:00:00&to=2026-03-01T10:01:00');
  const [point] = body['points'] as { at: string }[];
  assert.equal(point?.at, '2026-03-01T10:00:00.000Z', 'without an offset it is UTC');
});

test('a command refuses a time that is on no calendar', async () => {
  using other = await testStore();
  for (const time of [
    '2026-02-30',
    '2026-02-29T10:00Z',
    '2026-01-01T24:00',
    '2026-01-01T10:00+24:00',
    '2026',
  ]) {
    const { code, err } = await other.run(['audit', 'list', '--from', time]);
    assert.equal(code, 2, time);
    assert.match(err, /Give a day or a time/);
  }
  await other.cli('audit', 'list', '--from', '2028-02-29', '--to', '2028-02-29T10:00:00.5+01:00');
});

const cursor = (...values: unknown[]) => Buffer.from(JSON.stringify(values)).toString('base64url');

test('a cursor with texts that no list gave out is refused', async () => {
  for (const text of ['\0', 'a\nb', '\ud800', '\u0085']) {
    for (const [path, forged] of [
      ['/api-users', cursor('api-users -created_at', 1, text)],
      ['/api-users?sort=name', cursor('api-users name', text, 'a')],
      ['/api-users?sort=last_used_at', cursor('api-users last_used_at', null, text)],
      ['/api-users', cursor('api-users -created_at', 1, 'a', text)],
      ['/operators', cursor('operators', text)],
    ] as const) {
      assertProblem(
        await admin.get(`${path}${path.includes('?') ? '&' : '?'}after=${forged}`),
        400,
        'invalid',
      );
    }
  }
  for (const position of ['0', '1.', '1.5.2', '1e3.2', ' 1.2', '99999999999999999999.1', '+1.2', 'NaN.1']) {
    assertProblem(await admin.get(`/audit?after=${encodeURIComponent(position)}`), 400, 'invalid');
  }
});

test('a number, choice or flag in another spelling is refused', async () => {
  for (const query of [
    ...['0', '-1', '201', '1.5', '1e1', '0x10', '+5', ' 5', '5 ', 'NaN', '', '99999999999999999999', '٣'].map(
      (limit) => `limit=${encodeURIComponent(limit)}`,
    ),
    ...['NAME', 'name ', '--name', 'client_id', ''].map((sort) => `sort=${encodeURIComponent(sort)}`),
    ...['Enabled', 'all', ''].map((state) => `state=${state}`),
    'Limit=5',
    'limit=5&limit=5',
  ]) {
    assertProblem(await admin.get(`/api-users?${query}`), 400, 'invalid');
  }
  for (const digests of ['TRUE', '1', 'yes', '']) {
    assertProblem(await admin.get(`/api-users/export?digests=${digests}`), 400, 'invalid');
  }
});
