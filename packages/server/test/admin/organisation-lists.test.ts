// Test setup: long, alone, also on PostgreSQL.
import assert from 'node:assert/strict';
import { after as afterAll, before, test } from 'node:test';
import { sql } from 'kysely';
import { listOrganisations } from '../../src/admin/organisation.ts';
import { listViolations } from '../../src/admin/organisation-violations.ts';
import { API_USER_SORTS, type ApiUserFilter } from '../../src/domain/api-user-list.ts';
import { DEFAULT_POLICY } from '../../src/domain/organisation.ts';
import { policyRecord } from '../../src/domain/organisation-record.ts';
import type { Connections } from '../../src/storage/connections.ts';
import type { Store } from '../../src/storage/store.ts';
import { openStore } from '../../src/store-files/open.ts';
import { temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';

// Lists with 10,000 organisations that have 100 API users each.

const ORGANISATIONS = 10_000;
const API_USERS_EACH = 100;
/** Organisations whose API users one statement inserts. */
const PIECE = 100;
const P95_MS = 100;
const ROUNDS = 40;

let opened: TemporaryStore;
let store: Store;
let connections: Connections;

before(async () => {
  opened = await temporaryStore();
  ({ store, connections } = await openStore(opened.config, { watch: false }));
  const policy = JSON.stringify(policyRecord({ ...DEFAULT_POLICY, scopes: ['a'] }));
  await connections.transaction(async (db) => {
    await sql`
      with recursive n (i) as (select 0 union all select i + 1 from n where i < ${sql.lit(ORGANISATIONS - 1)})
      insert into organisations (id, name, name_key, search_text, enabled, policy, claims, created_at, updated_at, version)
      select 'org_' || i, 'Agency ' || i, 'agency ' || i, 'agency ' || i, 1, ${policy}, '{}', i, i, 1 from n`.execute(
      db,
    );
  });
  // In pieces: PostgreSQL ends a statement that takes too long.
  for (let from = 0; from < ORGANISATIONS; from += PIECE) await insertApiUsers(from, from + PIECE);
  await sql`analyze`.execute(connections.write);
});
afterAll(async () => {
  await store.close();
  await opened[Symbol.asyncDispose]();
});

/** One API user in a hundred has a scope that the policy does not allow. */
async function insertApiUsers(from: number, to: number): Promise<void> {
  await connections.transaction(async (db) => {
    await sql`
      insert into api_users (client_id, name, name_key, search_text, enabled, scopes, audiences, allowed_networks,
        created_at, updated_at, version, organisation_id)
      select 'api_' || k.i || '_' || o.id, 'Importer ' || k.i, 'importer ' || k.i, 'importer ' || k.i || ' of ' || o.id,
        case when k.i = 7 then 0 else 1 end, case when k.i = 3 then '["a","b"]' else '["a"]' end, '[]', '[]',
        1000 + k.i, 1000 + k.i, 1, o.id
      from organisations as o, (
        with recursive n (i) as (select 0 union all select i + 1 from n where i < ${sql.lit(API_USERS_EACH - 1)})
        select i from n) as k
      where o.created_at >= ${from} and o.created_at < ${to}`.execute(db);
  });
}

/** The time that 95 of 100 calls take at most, in milliseconds. */
async function p95(work: (round: number) => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const startedAt = performance.now();
    await work(round);
    times.push(performance.now() - startedAt);
  }
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length * 0.95)] ?? Infinity;
}

function filterOf(round: number, rest: Partial<ApiUserFilter> = {}): ApiUserFilter {
  const organisation = `org_${(round * 251) % ORGANISATIONS}`;
  return { search: null, enabled: null, scope: null, organisation, ...rest };
}

test('lists of organisations and of their API users are fast', async (context) => {
  const figures: [name: string, ms: number][] = [];
  const measure = async (name: string, work: (round: number) => Promise<void>) => {
    const ms = await p95(work);
    figures.push([name, ms]);
    context.diagnostic(`${name}: ${ms.toFixed(1)} ms at p95`);
  };
  for (const sort of API_USER_SORTS) {
    await measure(`API users of an organisation by ${sort}`, async (round) => {
      const page = { sort, descending: round % 2 === 0, after: null, limit: 50 };
      const { items } = await store.apiUserList.page(filterOf(round), page, 0);
      assert.equal(items.length, 50);
    });
  }
  const page = { sort: 'created_at', descending: true, after: null, limit: 50 } as const;
  await measure('with a search', async (round) => {
    const { items } = await store.apiUserList.page(filterOf(round, { search: 'porter 42' }), page, 0);
    assert.equal(items.length, 1);
  });
  await measure('with a scope', async (round) => {
    const { items } = await store.apiUserList.page(filterOf(round, { scope: 'b' }), page, 0);
    assert.equal(items.length, 1);
  });
  await measure('disabled ones', async (round) => {
    const { items } = await store.apiUserList.page(filterOf(round, { enabled: false }), page, 0);
    assert.equal(items.length, 1);
  });
  await measure('by id, as an export reads them', async (round) => {
    assert.equal((await store.apiUserList.byId(filterOf(round), { after: null, limit: 200 }, 0)).length, 100);
  });
  await measure('violations', async (round) => {
    const policy = { ...DEFAULT_POLICY, scopes: ['a'] };
    const organisation = { id: `org_${(round * 251) % ORGANISATIONS}`, policy };
    assert.equal((await listViolations(store, organisation, { after: null, limit: 50 }, 0)).items.length, 1);
  });
  const all = { after: null, limit: 50, search: null, enabled: null };
  await measure('organisations', async () => {
    assert.equal((await listOrganisations(store, all)).length, 50);
  });
  await measure('organisations with a search', async (round) => {
    const listed = await listOrganisations(store, {
      ...all,
      search: `agency ${(round * 251) % ORGANISATIONS}`,
    });
    assert.ok(listed.length > 0 && listed[0]?.apiUsers === API_USERS_EACH);
  });
  await measure('organisations in the middle', async () => {
    const middle = { name: 'Agency 5', id: 'org_5' };
    assert.equal((await listOrganisations(store, { ...all, after: middle })).length, 50);
  });
  const slow = figures.filter(([, ms]) => ms > P95_MS);
  assert.deepEqual(slow, []);
});
