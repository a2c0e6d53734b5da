// Test setup: alone.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { UNIT_MS } from '../../src/domain/usage.ts';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import { eventually } from '@mintmark/test-support/eventually';
import type { TestServer } from '@mintmark/test-support/server';
import { createOverview } from '../../src/runtime/usage/overview.ts';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';
import { SQLITE_ONLY } from '@mintmark/test-support/store-under-test';
import { temporaryStore } from '@mintmark/test-support/temporary-store';

// What the admin API tells of usage, and what needs attention.

interface Point {
  at: string;
  tokens: number;
  refusals: Record<string, number>;
}

let server: TestServer;
let admin: AdminClient;
let users: Record<'admin' | 'busy' | 'limited' | 'quiet', MadeApiUser>;

before(async () => {
  const store = await newStore();
  users = {
    admin: await store.apiUser('Deployment', '--scope', 'mintmark:admin'),
    busy: await store.apiUser('Importer'),
    limited: await store.apiUser('Reports', '--limit', '3'),
    quiet: await store.apiUser('Old bidder'),
  };
  server = await store.start({ MINTMARK_USAGE_FLUSH: '100' });
  admin = await adminClient(server, users.admin);
  for (let i = 0; i < 7; i++) await server.post({ ...formOf(users.busy) });
  for (let i = 0; i < 5; i++) await server.post({ ...formOf(users.limited) });
  await server.post({ ...formOf(users.busy), client_secret: users.quiet.client_secret });
  await server.post({ client_id: 'api_nobody', client_secret: 'x' });
});
after(async () => await server[Symbol.asyncDispose]());

test('usage of one API user has a point with counts per unit', async () => {
  await eventually(async () => {
    for (const unit of ['minute', 'hour', 'day']) {
      const { body, text } = await admin.get(`/api-users/${users.busy.client_id}/usage?unit=${unit}`);
      assert.equal(body['unit'], unit, text);
      const points = body['points'] as Point[];
      assert.equal(points.length, { minute: 60, hour: 24, day: 30 }[unit]);
      assert.deepEqual(sum(points), { tokens: 7, refusals: { unknown_secret: 1 } });
      const length = UNIT_MS[unit as 'hour'];
      for (const [i, { at }] of points.entries()) {
        assert.equal(Date.parse(at), Date.parse(points[0]!.at) + i * length);
        assert.equal(Date.parse(at) % length, 0);
      }
      assert.ok(Date.now() - Date.parse(points.at(-1)!.at) < length, 'the present unit is the last');
    }
  });
});

test('usage of all callers includes callers that are not API users', async () => {
  await eventually(async () => {
    const { body } = await admin.get('/usage?unit=hour');
    assert.deepEqual(sum(body['points'] as Point[]), {
      tokens: 7 + 3 + 1,
      refusals: { api_user_limit: 2, unknown_client_id: 1, unknown_secret: 1 },
    });
  });
});

test('spark lines have the last 24 hours, the current hour last', async () => {
  await eventually(async () => {
    const ids = [users.limited.client_id, users.busy.client_id, 'api_nobody'];
    const { body } = await admin.get(`/usage/recent?ids=${ids.join(',')}`);
    const items = body['items'] as { client_id: string; tokens: number[] }[];
    assert.deepEqual(
      items.map(({ client_id, tokens }) => [client_id, tokens.length, tokens.at(-1)! + tokens.at(-2)!]),
      [
        [ids[0], 24, 3],
        [ids[1], 24, 7],
        [ids[2], 24, 0],
      ],
    );
  });
});

test('an impossible span or list is refused with advice', async () => {
  const asked = `/api-users/${users.busy.client_id}/usage`;
  assertProblem(await admin.get('/api-users/api_nobody/usage'), 404, 'not_found');
  for (const query of [
    'unit=second',
    'from=yesterday',
    'from=2026-01-02&to=2026-01-01',
    'unit=minute&from=2020-01-01T00:00:00Z',
    'limit=1',
  ]) {
    assertProblem(await admin.get(`${asked}?${query}`), 400, 'invalid');
  }
  const many = Array.from({ length: 201 }, (_, i) => `api_${i}`).join(',');
  assertProblem(await admin.get(`/usage/recent?ids=${many}`), 400, 'invalid');
  assertProblem(await admin.get('/usage/recent'), 400, 'invalid');
  const span = await admin.get(`${asked}?unit=day&from=2026-01-01T00:00:00Z&to=2026-01-04T00:00:00Z`);
  assert.deepEqual(
    (span.body['points'] as Point[]).map(({ at }) => at.slice(0, 10)),
    ['2026-01-01', '2026-01-02', '2026-01-03'],
  );
});

test(
  'the overview tells rates, latency, API users, keys, and what needs attention',
  { skip: SQLITE_ONLY },
  async () => {
    const now = Date.now();
    const soon = new Date(now + 3 * UNIT_MS.day).toISOString();
    const busyIds = await server.json<{ id: string }[]>('credential', 'list', users.busy.client_id);
    const path = join(server.dataDir, 'mintmark.db');
    using database = new DatabaseSync(path);
    const run = (statement: string, ...values: (string | number)[]) =>
      database.prepare(statement).run(...values);
    run('update credentials set expires_at = ? where client_id = ?', Date.parse(soon), users.busy.client_id);
    run(
      'update api_users set created_at = ?, last_used_at = ? where client_id = ?',
      now - 200 * UNIT_MS.day,
      now - 100 * UNIT_MS.day,
      users.quiet.client_id,
    );
    await eventually(async () => {
      const { body, text } = await admin.get('/overview');
      assert.equal(typeof body['tokens_per_second'], 'number', text);
      const latency = body['latency_ms'] as { p50: number; p99: number };
      assert.ok(latency.p50 > 0 && latency.p99 >= latency.p50, text);
      assert.deepEqual(body['api_users'], { total: 4, enabled: 4, active_24h: 3 });
      const keys = body['signing_keys'] as { state: string }[];
      assert.deepEqual(
        keys.map(({ state }) => state),
        ['active'],
      );
      assert.equal(body['version'], '0.1.0');
      const attention = body['attention'] as { kind: string; client_id: string; detail: string }[];
      assert.deepEqual(
        attention.map((each) => ({ ...each, detail: '' })),
        [
          {
            kind: 'limit_hit',
            detail: '',
            client_id: users.limited.client_id,
            name: 'Reports',
            at: (attention[0] as unknown as { at: string }).at,
            count: 2,
          },
          {
            kind: 'secret_expires',
            detail: '',
            client_id: users.busy.client_id,
            name: 'Importer',
            credential_id: busyIds[0]!.id,
            at: soon,
          },
          {
            kind: 'unused',
            detail: '',
            client_id: users.quiet.client_id,
            name: 'Old bidder',
            at: new Date(now - 100 * UNIT_MS.day).toISOString(),
          },
        ],
      );
      assert.match(attention[0]!.detail, /refused 2 requests/);
    });
  },
);

test(
  'overview, series and spark lines take under 100 ms at 100,000 users',
  { skip: SQLITE_ONLY },
  async () => {
    await using opened = await temporaryStore();
    const { store } = opened;
    const hour = Date.now() - (Date.now() % UNIT_MS.hour);
    const id = `'api_x' || substr('00000' || n, -6)`;
    const numbers = `with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 100000)`;
    using database = new DatabaseSync(opened.path);
    database.exec(`
    begin;
    insert into api_users (client_id, name, enabled, scopes, audiences, allowed_networks, created_at, updated_at, last_used_at)
      ${numbers} select ${id}, 'API user ' || n, n % 3 > 0, '[]', '[]', '[]', 0, 0, case when n % 2 then ${hour} end
      from numbers;
    insert into credentials (id, client_id, kind, name, digest, created_at, expires_at)
      ${numbers} select substr('000000000' || n, -10), ${id}, 'secret', 's', 'd', 0, ${hour + UNIT_MS.day} + n from numbers;
    insert into refusal_minutes ${numbers} select ${hour} - (n % 30) * 60000, ${id}, 'api_user_limit', 1 from numbers;
    insert into usage_minutes ${numbers} select ${hour} - (n % 30) * 60000, ${id}, 1 from numbers;
    insert into usage_hours ${numbers} select ${hour - 4 * UNIT_MS.hour}, ${id}, n from numbers;
    commit;`);
    const ids = Array.from({ length: 200 }, (_, i) => `api_x${String(1 + i * 7).padStart(6, '0')}`);
    const [from, to] = [hour - 23 * UNIT_MS.hour, hour + UNIT_MS.hour];
    const asked: Record<string, () => Promise<unknown>> = {
      overview: createOverview(store, Date.now, assert.fail),
      'spark lines': () => store.usage.recent(ids, from, to),
      days: () => store.usage.series(ids[0]!, 'day', hour - 400 * UNIT_MS.day, to),
      minutes: () => store.usage.series(null, 'minute', hour - 3 * UNIT_MS.hour, to),
    };
    for (const [name, ask] of Object.entries(asked)) {
      // Not the time on the clock, in which other work on the machine is.
      const startedAt = process.cpuUsage();
      await ask();
      const { user, system } = process.cpuUsage(startedAt);
      const ms = (user + system) / 1000;
      assert.ok(ms < 100, `${name}: ${ms.toFixed(0)} ms of CPU`);
    }
  },
);

function sum(points: readonly Point[]): { tokens: number; refusals: Record<string, number> } {
  const refusals: Record<string, number> = {};
  let tokens = 0;
  for (const point of points) {
    tokens += point.tokens;
    for (const [reason, count] of Object.entries(point.refusals)) {
      refusals[reason] = (refusals[reason] ?? 0) + count;
    }
  }
  return { tokens, refusals };
}

function formOf({ client_id, client_secret }: MadeApiUser): Record<string, string> {
  return { client_id, client_secret };
}
