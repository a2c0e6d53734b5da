import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import pino from 'pino';
import type { KnownApiUser } from '../../src/domain/known-api-user.ts';
import { UNIT_MS } from '../../src/domain/usage.ts';
import type { UsageBatch } from '../../src/storage/tables/usage.ts';
import { createUsageRecorder } from '../../src/runtime/usage/recorder.ts';
import { sqlOn } from '@mintmark/test-support/command-line';
import { eventually } from '@mintmark/test-support/eventually';
import { exchange, FORM } from '@mintmark/test-support/http';
import { seededRandom } from '@mintmark/test-support/seeded-random';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';
import { SQLITE_ONLY } from '@mintmark/test-support/store-under-test';
import { temporaryStore } from '@mintmark/test-support/temporary-store';

// What is counted of requests, as it arrives in the store.

const UNKNOWN = { client_id: 'api_00000000000000000000', client_secret: 'anything' };

test('tokens and refusals are counted exactly, per API user and together', async () => {
  const store = await newStore();
  const [first, second] = [await store.apiUser('Importer'), await store.apiUser('Reports', '--limit', '5')];
  await using server = await store.start({ MINTMARK_USAGE_FLUSH: '100' });
  await Promise.all([
    ...times(25, () => server.post(formOf(first))),
    ...times(3, () => server.post({ ...formOf(first), client_secret: second.client_secret })),
    ...times(2, () => server.post({ ...formOf(first), scope: 'none' })),
    ...times(4, () => server.post(UNKNOWN)),
    ...times(2, () => server.post('a=1&a=2')),
    server.post({ ...formOf(first), grant_type: 'password' }),
  ]);
  for (let calls = 0; calls < 7; calls++) await server.post(formOf(second));
  await eventually(async () => {
    assert.deepEqual(counted(server, first.client_id), {
      tokens: 25,
      refusals: { invalid_scope: 2, unknown_secret: 3 },
    });
    assert.deepEqual(counted(server, second.client_id), { tokens: 5, refusals: { api_user_limit: 2 } });
    assert.deepEqual(counted(server, ''), {
      tokens: 30,
      refusals: {
        api_user_limit: 2,
        invalid_request: 2,
        invalid_scope: 2,
        unknown_client_id: 4,
        unknown_secret: 3,
        unsupported_grant_type: 1,
      },
    });
  });
  const listed = await server.json<{ use_count: number }[]>('credential', 'list', first.client_id);
  assert.equal(listed[0]?.use_count, 25);
});

test('a graceful stop loses no count, and a restart goes on counting', async () => {
  const store = await newStore();
  const user = await store.apiUser('Importer');
  for (const round of [1, 2]) {
    const server = await store.start({ MINTMARK_USAGE_FLUSH: '60000' });
    await Promise.all(times(10, () => server.post(formOf(user))));
    await server.post({ ...formOf(user), client_secret: 'wrong' });
    await server.stop();
    assert.deepEqual(counted(server, user.client_id), {
      tokens: 10 * round,
      refusals: { malformed_secret: round },
    });
    if (round === 2) await server[Symbol.asyncDispose]();
  }
});

test('two servers on one store count together', async () => {
  const store = await newStore();
  const user = await store.apiUser('Importer');
  const env = { MINTMARK_USAGE_FLUSH: '100' };
  await using first = await store.start(env);
  const second = await startServer({ dataDir: store.dataDir, env });
  const servers = [first, second];
  await Promise.all(times(60, (i) => servers[i % 2]!.post(formOf(user))));
  await Promise.all(times(8, (i) => servers[i % 2]!.post(UNKNOWN)));
  await eventually(async () => {
    assert.deepEqual(counted(first, user.client_id), { tokens: 60, refusals: {} });
    assert.deepEqual(counted(first, ''), { tokens: 60, refusals: { unknown_client_id: 8 } });
  });
  await second.stop();
});

test('an introspection is a use of the credential, and no token', async () => {
  const store = await newStore();
  const user = await store.apiUser('Reporting API', '--scope', 'mintmark:introspect');
  const server = await store.start();
  await exchange(server.port, {
    path: '/marketing/oauth2/introspect',
    headers: { 'Content-Type': FORM },
    body: new URLSearchParams({ ...formOf(user), token: 'x' }).toString(),
  });
  await server.stop();
  assert.deepEqual(counted(server, user.client_id), { tokens: 0, refusals: {} });
  const [listed] = await server.json<{ use_count: number }[]>('credential', 'list', user.client_id);
  assert.equal(listed?.use_count, 1);
  await server[Symbol.asyncDispose]();
});

test(
  'usage the store refuses is kept and counted once, recently by minute',
  { skip: SQLITE_ONLY },
  async () => {
    await using opened = await temporaryStore({ MINTMARK_STORE_BUSY_TIMEOUT: '0' });
    const start = 20_000 * UNIT_MS.day;
    let now = start + 59_000;
    const settings = { usageFlushMs: 60_000, usageMax: 1000 };
    const recorder = createUsageRecorder(
      opened.store.recordUsage,
      settings,
      pino({ level: 'silent' }),
      () => now,
    );
    const user = { clientId: 'api_a', useNumber: -1, policy: { organisation: null } } as KnownApiUser;
    const use = () =>
      recorder.noteUse(
        { apiUser: user, credentialId: 'credential', subject: null, nowMs: now },
        '192.0.2.1',
        1,
      );
    const minutes = async () => {
      const points = await opened.store.usage.series(user.clientId, 'minute', start, start + UNIT_MS.day);
      return points.map(({ at, tokens, refusals }) => [(at - start) / UNIT_MS.minute, tokens, refusals]);
    };

    using other = new DatabaseSync(opened.path);
    other.exec('begin immediate');
    use();
    await recorder.flush();
    now += 2000;
    use();
    use();
    recorder.noteRefusal('wrong_secret', user, now);
    await recorder.flush();
    await recorder.flush();
    assert.deepEqual(await minutes(), []);
    assert.deepEqual(recorder.status(), { waiting: 3, failures: 3, lost: 0 });
    other.exec('rollback');
    await recorder.flush();
    assert.deepEqual(await minutes(), [
      [0, 1, {}],
      [1, 2, { wrong_secret: 1 }],
    ]);

    other.exec('begin immediate');
    use();
    await recorder.flush();
    other.exec('rollback');
    now += 20 * UNIT_MS.minute;
    await recorder.flush();
    assert.deepEqual((await minutes()).at(-1), [16, 1, {}], 'what is late is counted five minutes back');
    assert.equal(recorder.status().waiting, 0);
  },
);

test('thousands of uses are counted once, whatever fails on the way', { skip: SQLITE_ONLY }, async () => {
  await using opened = await temporaryStore();
  const random = seededRandom(7);
  const [start, usageMax] = [20_000 * UNIT_MS.day, 100_000];
  let [now, calm] = [start, false];
  /** If not calm, often fails before the store has written a batch, or after it. */
  const recordUsage = async (batch: UsageBatch) => {
    const fate = calm ? 1 : random();
    if (fate < 0.2) throw new Error('not written');
    await opened.store.recordUsage(batch);
    if (fate < 0.4) throw new Error('written, but the answer is lost');
  };
  const settings = { usageFlushMs: 60_000, usageMax };
  const recorder = createUsageRecorder(recordUsage, settings, pino({ level: 'silent' }), () => now);
  const idOf = (i: number) =>
    `${i % 3 === 0 ? 'same' : String(i % 97).padStart(4, 'x')}${String(i).padStart(6, '0')}`;
  const userOf = (i: number) =>
    ({ clientId: `api_${i}`, useNumber: -1, policy: { organisation: null } }) as KnownApiUser;
  const users = times(20_000, userOf);
  const expected = { credentials: new Map<string, unknown[]>(), tokens: new Map<string, number>() };
  for (let calls = 0; calls < 60_000; calls++) {
    const i = Math.floor(random() * users.length);
    // Two credentials each; some API users leave memory and return, as by an eviction.
    const isRule = random() < 0.3;
    const id = idOf(i * 2 + (isRule ? 1 : 0));
    const subject = isRule ? `subject ${calls}` : null;
    if (random() < 0.05) users[i] = userOf(i);
    const [tokens, address] = [random() < 0.9 ? 1 : 0, random() < 0.5 ? '192.0.2.1' : '2001:db8::"%\\é'];
    now += 1;
    const apiUser = users[i] ?? userOf(i);
    recorder.noteUse({ apiUser, credentialId: id, nowMs: now, subject }, address, tokens);
    const before = expected.credentials.get(id)?.[0] as number | undefined;
    expected.credentials.set(id, [(before ?? 0) + 1, now, address, subject]);
    if (tokens > 0) expected.tokens.set(`api_${i}`, (expected.tokens.get(`api_${i}`) ?? 0) + tokens);
    calm = calls % 20_000 > 10_000;
    if (calls % 2500 === 0) await recorder.flush();
  }
  calm = true;
  await recorder.flush();
  assert.ok(recorder.status().failures > 0);
  assert.equal(recorder.status().waiting, 0);
  const rows = sqlOn(opened.path, 'select * from credential_usage') as Record<string, number | string>[];
  const stored = rows.map((row) => [
    row['credential_id'],
    [row['use_count'], row['last_used_at'], row['last_used_address'], row['last_subject']],
  ]);
  assert.deepEqual(new Map(stored as [string, unknown[]][]), expected.credentials);
  const sums = sqlOn(
    opened.path,
    "select client_id, sum(tokens) as n from usage_minutes where client_id <> '' group by 1",
  );
  assert.deepEqual(new Map(sums.map((row) => [String(row['client_id']), row['n']])), expected.tokens);
});

test('memory is bounded: beyond it uses are lost, refusals lose their user', async () => {
  const settings = { usageFlushMs: 60_000, usageMax: 1000 };
  const log = pino({ level: 'silent' });
  const fails = async () => await Promise.reject(new Error('no store'));
  const recorder = createUsageRecorder(fails, settings, log);
  const users = times(
    12_000,
    (i) => ({ clientId: `api_${i}`, useNumber: -1, policy: { organisation: null } }) as KnownApiUser,
  );
  for (const user of users)
    recorder.noteUse(
      { apiUser: user, credentialId: user.clientId, subject: null, nowMs: Date.now() },
      '192.0.2.1',
      1,
    );
  for (const user of users) recorder.noteRefusal('wrong_secret', user, Date.now());
  await recorder.flush();
  const { waiting, lost } = recorder.status();
  assert.deepEqual(
    [waiting, lost],
    [2 * 1000 + 10_000 + 1, 10_000],
    'those in a flush beside those that wait',
  );
});

function times<T>(count: number, each: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => each(i));
}

function formOf({ client_id, client_secret }: MadeApiUser): Record<string, string> {
  return { client_id, client_secret };
}

/** All that the store has of an API user, or of all callers (an empty text). */
function counted(
  { dataDir }: TestServer,
  clientId: string,
): { tokens: number; refusals: Record<string, number> } {
  const path = join(dataDir, 'mintmark.db');
  const [sum] = sqlOn(path, 'select sum(tokens) as n from usage_minutes where client_id = ?', clientId);
  const reasons = sqlOn(
    path,
    'select reason, sum(refusals) as n from refusal_minutes where client_id = ? group by reason order by reason',
    clientId,
  );
  return {
    tokens: Number(sum?.['n'] ?? 0),
    refusals: Object.fromEntries(reasons.map(({ reason, n }) => [String(reason), Number(n)])),
  };
}
