// Test setup: also on PostgreSQL.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { updateApiUser } from '../../src/admin/api-user.ts';
import { createApiUserWithSecret } from '../../src/admin/api-user-with-secret.ts';
import { SYSTEM } from '../../src/domain/actor.ts';
import { API_USER_SORTS, type ApiUserFilter, type ApiUserPosition } from '../../src/domain/api-user-list.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { openStore } from '../../src/store-files/open.ts';
import { apiUserListRows } from '../../src/storage/tables/api-user-list.ts';
import type { Connections } from '../../src/storage/connections.ts';
import type { Store } from '../../src/storage/store.ts';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import type { TestServer } from '@mintmark/test-support/server';
import { recordsOf } from '@mintmark/test-support/usage';
import { newStore } from '@mintmark/test-support/store';
import { databaseUrlOf } from '@mintmark/test-support/store-under-test';
import { apiUserSettings } from '@mintmark/test-support/temporary-store';

// Lists of API users: what they find, in which order, and page by page.

interface Item {
  client_id: string;
  name: string;
  enabled: boolean;
  created_at: string;
  last_used_at: string | null;
  live_credentials: number;
  next_expiry_at: string | null;
}

const COUNT = 60;
const EXPIRES_AT = Date.parse('2100-01-01T00:00:00Z');

let server: TestServer;
let admin: AdminClient;
let store: Store;
let connections: Connections;

before(async () => {
  const made = await newStore();
  const caller = await made.apiUser('Deployment', '--scope', 'mintmark:admin');
  const env = { MINTMARK_DATA_DIR: made.dataDir, DATABASE_URL: databaseUrlOf(made.dataDir) };
  ({ store, connections } = await openStore(loadConfig(env), { watch: false }));
  for (let i = 0; i < COUNT; i++) {
    const settings = apiUserSettings({
      name: `${i % 2 === 0 ? 'Été' : 'winter'} ${String(i).padStart(2, '0')} 100%_${i}\\`,
      username: i % 3 === 0 ? `User.${i}@Example.com` : null,
      contact: i % 4 === 0 ? 'Team Blau' : i === 3 ? 'not user.9@example.com' : null,
      scopes: i % 5 === 0 ? ['campaigns:read', 'campaigns:manage'] : ['campaigns:read'],
    });
    const secret = { name: 'first', expiresAt: i === 7 ? EXPIRES_AT : null };
    // Several of the same millisecond, so that the id decides.
    const { user, credential } = await createApiUserWithSecret(
      { store, actor: SYSTEM, nowMs: 1000 + (i >> 2) },
      settings,
      secret,
    );
    if (i % 10 === 9)
      await updateApiUser({ store, actor: SYSTEM, nowMs: 5000 }, user.clientId, { enabled: false });
    if (i % 2 === 0) {
      const lastUsedAt = 9000 + (i >> 3);
      const use = {
        credentialId: credential.id,
        lastUsedAt,
        lastUsedAddress: '::1',
        count: 1,
        tokens: 1,
        of: user,
      };
      await store.recordUsage({
        minute: lastUsedAt,
        uses: recordsOf([use]),
        refusals: [],
        noteLastUse: true,
      });
    }
  }
  server = await made.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000' });
  admin = await adminClient(server, caller);
});
after(async () => {
  await store.close();
  await server[Symbol.asyncDispose]();
});

async function page(query: string): Promise<{ items: Item[]; next: string | null }> {
  const reply = await admin.get(`/api-users?${query}`);
  assert.equal(reply.status, 200, reply.text);
  return reply.body as unknown as { items: Item[]; next: string | null };
}

/** All pages of a list; `between` is done after each. */
async function walk(query: string, between: () => Promise<void> = async () => undefined): Promise<Item[]> {
  const items: Item[] = [];
  for (let cursor = ''; ;) {
    const { items: more, next }: { items: Item[]; next: string | null } = await page(
      cursor === '' ? query : `${query}&after=${cursor}`,
    );
    items.push(...more);
    if (next === null) return items;
    cursor = next;
    await between();
  }
}

const search = async (text: string, more = '') =>
  (await walk(`search=${encodeURIComponent(text)}&limit=7${more}`)).map(({ name }) => name);

test('search finds parts of name, id, username and contact, ignoring case', async () => {
  assert.equal((await search('ÉTÉ')).length, COUNT / 2);
  assert.equal((await search('E\u0301te\u0301')).length, COUNT / 2, 'however a letter was typed');
  assert.equal((await search('user.')).length, COUNT / 3);
  assert.equal((await search('@EXAMPLE')).length, COUNT / 3);
  assert.equal((await search('team blau')).length, COUNT / 4);
  const [some] = (await page('limit=1')).items;
  assert.deepEqual(await search(some?.client_id.slice(5, 16).toUpperCase() ?? ''), [some?.name]);
  assert.deepEqual(await search('nobody'), []);
});

test('a search for an id or username lists its API user first', async () => {
  const [nine, three] = ['winter 09 100%_9\\', 'winter 03 100%_3\\'];
  for (const sort of ['name', '-name', 'created_at', '-created_at', 'last_used_at', '-last_used_at']) {
    assert.deepEqual(await search('USER.9@example.com', `&sort=${sort}`), [nine, three], sort);
  }
  assert.deepEqual(await search('user.9@example.com', '&state=enabled'), [three], 'the other is disabled');
  const [last] = (await page('sort=-name&limit=1')).items;
  assert.deepEqual(await search(last!.client_id), [last!.name]);
  const walked = async (...limits: number[]) => {
    const found: string[] = [];
    let cursor = '';
    for (const limit of [...limits, 50]) {
      const { items, next }: { items: Item[]; next: string | null } = await page(
        `search=user.9@example.com&sort=name&limit=${limit}${cursor}`,
      );
      found.push(...items.map(({ name }) => name));
      if (next === null) break;
      cursor = `&after=${next}`;
    }
    return found;
  };
  assert.deepEqual(await walked(1, 3), [three, nine], 'on a page where it may not fit it is in its place');
  assert.deepEqual(await walked(3, 1), [nine, three]);
});

test('security 16: characters with a meaning in patterns are searched literally', async () => {
  assert.equal((await search('100%_3\\')).length, 1);
  assert.equal((await search('%')).length, COUNT);
  assert.equal((await search('0%0')).length, 0);
  assert.equal((await search('1__')).length, 0);
  assert.equal((await search("' or 1=1 --")).length, 0);
});

test('filters by state and scope combine with a search', async () => {
  const disabled = await walk('state=disabled&limit=2');
  assert.deepEqual(
    disabled.map(({ enabled }) => enabled),
    Array<boolean>(6).fill(false),
  );
  assert.equal((await walk('state=enabled')).length, COUNT + 1 - 6);
  assert.equal((await walk('scope=campaigns:manage')).length, 12);
  assert.equal((await walk('scope=campaigns')).length, 0);
  assert.equal((await walk('scope=mintmark:admin')).length, 1);
  assert.equal((await search('winter', '&state=disabled&scope=campaigns:read')).length, 6);
});

test('an item shows the last use and its live and expiring credentials', async () => {
  const [seventh] = (await page('search=winter%2007')).items;
  assert.deepEqual(
    [seventh?.live_credentials, seventh?.next_expiry_at, seventh?.last_used_at],
    [1, '2100-01-01T00:00:00.000Z', null],
  );
  const [eighth] = (await page('search=%C3%A9t%C3%A9%2008')).items;
  assert.deepEqual([eighth?.next_expiry_at, eighth?.last_used_at], [null, new Date(9001).toISOString()]);
});

test('the pages together are the whole list in every order', async () => {
  const compare: Record<string, (a: Item, b: Item) => number> = {
    created_at: (a, b) => Date.parse(a.created_at) - Date.parse(b.created_at),
    name: (a, b) => (key(a.name) < key(b.name) ? -1 : 1),
    last_used_at: (a, b) => Date.parse(a.last_used_at ?? '') - Date.parse(b.last_used_at ?? ''),
  };
  for (const sort of Object.keys(compare)) {
    for (const direction of ['', '-']) {
      for (const limit of [1, 7, 200]) {
        const all = await walk(`sort=${direction}${sort}&limit=${limit}`);
        // The caller itself is used meanwhile, and then it moves between pages that are sorted by that.
        if (sort !== 'last_used_at') assert.equal(all.length, COUNT + 1);
        const items = all.filter(({ name }) => name !== 'Deployment');
        assert.equal(items.length, COUNT);
        assert.equal(new Set(items.map(({ client_id: id }) => id)).size, COUNT);
        // Those that were never used come last, whichever way.
        const used = sort === 'last_used_at' ? items.slice(0, COUNT / 2) : items;
        const rest = items.slice(used.length);
        assert.ok(rest.every(({ last_used_at: at }) => at === null || sort !== 'last_used_at'));
        const sign = direction === '' ? 1 : -1;
        for (const [i, item] of used.entries()) {
          const previous = used[i - 1];
          assert.ok(previous === undefined || sign * (compare[sort]?.(previous, item) ?? 0) <= 0, sort);
        }
      }
    }
  }
});

test('a list ordered by id and read in stretches is complete', async () => {
  const bounds = { lookedAtFirst: 3, tableMax: 5, countMs: 1000, lookMs: 0, scopeMax: 1, stretch: 7 };
  const inStretches = apiUserListRows(connections.read, bounds);
  for (const text of [null, 'winter', '07 1', 'user.9@example.com', 'nobody']) {
    const filter = { search: text, enabled: null, scope: null, organisation: null };
    const at = (from: string | null, limit: number) => ({ after: from, limit });
    const whole = await store.apiUserList.byId(filter, at(null, 1000), 0);
    const ids = whole.map(({ user }) => user.clientId);
    assert.deepEqual(ids, ids.toSorted());
    assert.equal(whole.length > 7, text === null || text === 'winter', String(text));
    const read: string[] = [];
    for (;;) {
      const part = await inStretches.byId(filter, at(read.at(-1) ?? null, 4), 0);
      read.push(...part.map(({ user }) => user.clientId));
      if (part.length < 4) break;
    }
    assert.deepEqual(read, ids);
  }
});

test('filtered pages of a huge store together are every match', async () => {
  const filters: Partial<ApiUserFilter>[] = [
    { enabled: false },
    { enabled: true },
    { enabled: false, search: 'winter' },
    { search: '07 1' },
    { search: 'nobody' },
    { search: 'user.9@example.com' },
    { scope: 'campaigns:manage' },
    { scope: 'campaigns:read', search: 'été' },
    { scope: 'mintmark:admin' },
    { scope: 'nobody:has' },
  ];
  // It looks at three, then at six …, and for no page longer than at least that takes; of scopes it reads those of 1 at most.
  const bounds = { lookedAtFirst: 3, tableMax: 5, countMs: 1000, lookMs: 0, scopeMax: 1 };
  const list = apiUserListRows(connections.read, bounds);
  const whole = store.apiUserList;
  for (const some of filters) {
    const filter = { search: null, enabled: null, scope: null, organisation: null, ...some };
    for (const sort of API_USER_SORTS) {
      for (const descending of [false, true]) {
        const order = { sort, descending };
        const { items } = await whole.page(filter, { ...order, after: null, limit: 200 }, 0);
        const ids: string[] = [];
        let position: ApiUserPosition | null = null;
        do {
          const part = await list.page(filter, { ...order, after: position, limit: 4 }, 0);
          assert.ok(part.items.length <= 4);
          ids.push(...part.items.map(({ user }) => user.clientId));
          position = part.next;
        } while (position !== null);
        const what = JSON.stringify([some, order]);
        assert.deepEqual(
          ids,
          items.map(({ user }) => user.clientId),
          what,
        );
      }
    }
  }
});

test('a page ends early in a store that is slow to count', async () => {
  const nobody = { search: 'nobody', enabled: null, scope: null, organisation: null };
  const first = { sort: 'created_at', descending: false, after: null, limit: 4 } as const;
  for (const [countMs, endsEarly] of [
    [0, true],
    [10_000, false],
  ] as const) {
    const bounds = { lookedAtFirst: 3, tableMax: 10_000, countMs, lookMs: 0, scopeMax: 1 };
    const { items, next } = await apiUserListRows(connections.read, bounds).page(nobody, first, 0);
    assert.deepEqual([items.length, next !== null], [0, endsEarly]);
  }
});

test('pages hold each API user once while others are made and changed', async () => {
  const known = new Set((await walk('limit=200')).map(({ client_id: id }) => id));
  for (const sort of ['created_at', '-created_at', 'name', '-name']) {
    let made = 0;
    const items = await walk(`sort=${sort}&limit=20`, async () => {
      for (const name of [`Été new ${made}`, `zz ${made}`, `00 ${made}`]) {
        const reply = await admin.send('POST', '/api-users', { name, secret: false });
        assert.equal(reply.status, 201, reply.text);
      }
      made += 1;
    });
    const ids = items.map(({ client_id: id }) => id);
    assert.equal(new Set(ids).size, ids.length, sort);
    for (const id of known) assert.ok(ids.includes(id), sort);
  }
});

test('security 16: a cursor of another order, or none of ours, is refused', async () => {
  const { next } = await page('sort=name&limit=1');
  const forged = (position: unknown) => Buffer.from(JSON.stringify(position)).toString('base64url');
  for (const cursor of [
    'x',
    forged(['api-users name', 1, 'a']),
    forged(['api-users name', 'a']),
    forged(['api-users name', 'a', "a' or 1=1"]).slice(0, -3),
    forged(['api-users name', { a: 1 }, 'a']),
    forged(['api-users -name', 'a', 'a']),
  ]) {
    const reply = await admin.get(`/api-users?sort=name&after=${cursor}`);
    assertProblem(reply, 400, 'invalid');
    assert.deepEqual((reply.body['errors'] as { pointer: string }[])[0]?.pointer, '?after');
  }
  assertProblem(await admin.get(`/api-users?sort=-name&after=${next}`), 400, 'invalid');
  assert.deepEqual(
    (await page(`sort=name&after=${forged(['api-users name', "x' or 1=1 --", ''])}`)).items.length > 0,
    true,
  );
});

test('security 16: unknown, repeated and out-of-range parameters are refused', async () => {
  for (const [query, pointer] of [
    ['sort=client_id', '?sort'],
    ['sort=name;drop table api_users', '?sort'],
    ['sort=name&sort=name', '?sort'],
    ['limit=0', '?limit'],
    ['limit=201', '?limit'],
    ['limit=1.5', '?limit'],
    ['limit=many', '?limit'],
    ['state=deleted', '?state'],
    ['where=1=1', '?where'],
    [`search=${'x'.repeat(201)}`, '?search'],
  ] as const) {
    const reply = await admin.get(`/api-users?${query.replaceAll(' ', '%20')}`);
    assertProblem(reply, 400, 'invalid');
    const pointers = (reply.body['errors'] as { pointer: string }[]).map((error) => error.pointer);
    assert.ok(pointers.includes(pointer), `${query}: ${reply.text}`);
  }
});

function key(name: string): string {
  return name.normalize('NFC').toLowerCase();
}
