// Test setup: also on PostgreSQL.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import type { Clock } from '../../src/lib/clock.ts';
import { createChangeFeed, type ChangeFeed } from '../../src/runtime/change-feed.ts';
import type { Change, ChangeRows } from '../../src/storage/tables/change.ts';
import { temporaryStore } from '@mintmark/test-support/temporary-store';
import { eventually } from '@mintmark/test-support/eventually';

const feeds: ChangeFeed[] = [];
after(() => Promise.all(feeds.map((feed) => feed.stop())));

const noLoad = async (): Promise<void> => undefined;

interface Heard {
  organisations: string[];
  audienceSettings: number;
  apiUsers: string[];
  signingKeys: number;
  revocations: string[];
  usage: number;
  everything: number;
  reach: string[];
}

function listening(changes: ChangeRows, clock?: Clock): { feed: ChangeFeed; heard: Heard } {
  const heard: Heard = {
    organisations: [],
    audienceSettings: 0,
    apiUsers: [],
    signingKeys: 0,
    revocations: [],
    usage: 0,
    everything: 0,
    reach: [],
  };
  const handlers = {
    organisationsChanged: async (ids: readonly string[]) => void heard.organisations.push(...ids),
    audienceSettingsChanged: async () => void (heard.audienceSettings += 1),
    apiUsersChanged: async (ids: readonly string[]) => void heard.apiUsers.push(...ids),
    signingKeysChanged: async () => void (heard.signingKeys += 1),
    revocationsChanged: async (digests: readonly string[]) => void heard.revocations.push(...digests),
    usageRequested: () => void (heard.usage += 1),
    everythingChanged: async () => void (heard.everything += 1),
    lacksSome: () => false,
    reach: (error: Error | null) => void heard.reach.push(error?.message ?? 'in reach'),
  };
  const feed = createChangeFeed(changes, handlers, 10, clock);
  feeds.push(feed);
  return { feed, heard };
}

test('a feed passes on every later change of every noun', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  const write = (noun: Change['noun'], id: string) =>
    store.write((transaction) => transaction.changed(noun, id));
  await write('api_user', 'before');
  const { feed, heard } = listening(store.changes);
  await feed.start(noLoad);
  for (let i = 0; i < 50; i++) await write('api_user', `user ${i}`);
  await write('organisation', 'org_1');
  await write('audience_settings', 'https://api.example.com/');
  await write('usage', 'user 1');
  await write('signing_key', 'kid');
  await eventually(() => heard.signingKeys === 1);
  assert.deepEqual([heard.organisations, heard.audienceSettings, heard.usage], [['org_1'], 1, 1]);
  await feed.stop();
  assert.deepEqual(
    heard.apiUsers,
    Array.from({ length: 50 }, (_, i) => `user ${i}`),
  );
  assert.equal(heard.everything, 0);
  await write('api_user', 'after the stop');
  await sleep(50);
  assert.equal(heard.apiUsers.length, 50);
});

test('changes during the load of a start are handed on after it', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  const { feed, heard } = listening(store.changes);
  const [loading, load] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const started = feed.start(async () => {
    loading.resolve();
    await load.promise;
  });
  await loading.promise;
  store.onWake(feed.wake);
  await store.write(async (transaction) => {
    await transaction.changed('signing_key', 'kid');
    await transaction.changed('revocation', 'digest');
  });
  feed.wake();
  await sleep(50);
  assert.deepEqual([heard.signingKeys, heard.revocations, feed.applied()], [0, [], 0]);
  load.resolve();
  await started;
  assert.deepEqual([heard.signingKeys, heard.revocations, feed.applied()], [1, ['digest'], 2]);
});

test('a feed that fell behind reloads everything once', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  const write = (id: string) => store.write((transaction) => transaction.changed('api_user', id));
  const { feed, heard } = listening(store.changes);
  await feed.start(noLoad);
  await store.write(async (transaction) => {
    for (let i = 0; i < 10; i++) await transaction.changed('api_user', `user ${i}`);
    await transaction.changes.deleteBefore(5, 100);
  });
  await eventually(() => heard.everything === 1);
  assert.deepEqual(heard.apiUsers, []);
  await write('next');
  await eventually(() => heard.apiUsers.length === 1);
  assert.deepEqual([heard.apiUsers, heard.everything], [['next'], 1]);
  await feed.stop();
});

test('a feed whose numbers go backwards reloads everything and continues', async () => {
  let epoch = 100;
  let kept: Change[] = [];
  const { feed, heard } = listening(rowsOf(() => ({ epoch, kept })));
  await feed.start(noLoad);
  epoch = 40;
  await eventually(() => heard.everything === 1);
  epoch = 41;
  kept = [aChange(41, 'next')];
  await eventually(() => heard.apiUsers.length > 0);
  await feed.stop();
  assert.deepEqual([heard.apiUsers, heard.everything], [['next'], 1]);
});

test('a feed with another past reloads everything, whatever its number', async () => {
  for (const ahead of [-1, 0, 1, 5]) {
    let kept = [aChange(1, 'a'), aChange(2, 'b'), aChange(3, 'c')];
    const { feed, heard } = listening(rowsOf(() => ({ epoch: kept.length, kept })));
    await feed.start(noLoad);
    kept = [...kept, aChange(4, 'lost 4'), aChange(5, 'lost 5')];
    await eventually(() => heard.apiUsers.length === 2);
    // A standby that had the first three became the primary, and others wrote there before the next poll.
    const others = Array.from({ length: 2 + ahead }, (_, i) => ({ ...aChange(4 + i, 'other'), at: 100 + i }));
    kept = [...kept.slice(0, 3), ...others];
    await eventually(() => heard.everything === 1);
    kept = [...kept, aChange(kept.length + 1, 'next')];
    await eventually(() => heard.apiUsers.length === 3);
    await feed.stop();
    assert.deepEqual([heard.apiUsers.at(-1), heard.everything], ['next', 1]);
  }
});

test('changes removed during a poll are noticed', async () => {
  const numbered = (from: number, to: number): Change[] =>
    Array.from({ length: to - from + 1 }, (_, i) => aChange(from + i, `user ${from + i}`));
  let kept: Change[] = [];
  let epoch = 0;
  const rows = rowsOf(() => ({ epoch, kept }));
  const { feed, heard } = listening({
    ...rows,
    async after(n, limit) {
      if (n === 0) kept = numbered(6, 10); // maintenance was faster
      return await rows.after(n, limit);
    },
  });
  await feed.start(noLoad);
  kept = numbered(1, 10);
  epoch = 10;
  await eventually(() => heard.everything === 1);
  await feed.stop();
  assert.deepEqual(heard.apiUsers, []);
});

test('a feed without its store grows stale, reports once, catches up later', async () => {
  let nowMs = 0;
  let failing = false;
  let epoch = 0;
  let kept: Change[] = [];
  const rows = rowsOf(() => {
    if (failing) throw new Error('away');
    return { epoch, kept };
  });
  const { feed, heard } = listening(rows, { now: () => nowMs, steady: () => nowMs });
  assert.equal(feed.staleMs(), Number.POSITIVE_INFINITY, 'never in step yet');
  await feed.start(noLoad);
  assert.equal(feed.staleMs(), 0);
  failing = true;
  await eventually(() => heard.reach.length > 0);
  nowMs = 5000;
  await sleep(50);
  assert.equal(feed.staleMs(), 5000);
  epoch = 1;
  kept = [aChange(1, 'missed')];
  failing = false;
  await eventually(() => feed.staleMs() === 0);
  await feed.stop();
  assert.deepEqual([heard.apiUsers, heard.reach], [['missed'], ['away', 'in reach']]);
});

test('a change whose handler fails is handed on again', async () => {
  const kept = [aChange(1, 'stubborn')];
  let epoch = 0;
  let attempts = 0;
  const handlers = {
    organisationsChanged: async () => undefined,
    audienceSettingsChanged: async () => undefined,
    async apiUsersChanged() {
      attempts += 1;
      if (attempts < 3) throw new Error('not yet');
    },
    signingKeysChanged: async () => undefined,
    revocationsChanged: async () => undefined,
    usageRequested: () => undefined,
    everythingChanged: async () => undefined,
    lacksSome: () => false,
    reach: () => undefined,
  };
  const feed = createChangeFeed(
    rowsOf(() => ({ epoch, kept })),
    handlers,
    10,
  );
  await feed.start(noLoad);
  epoch = 1;
  await eventually(() => attempts === 3);
  await sleep(50);
  await feed.stop();
  assert.equal(attempts, 3);
});

test('a sleep and a clock set back count as time without polls', async () => {
  let dayMs = Date.UTC(2030, 0, 1);
  const rows = rowsOf(() => ({ epoch: 0, kept: [] }));
  const away = { ...rows, position: async () => await Promise.reject(new Error('away')) };
  let source: ChangeRows = rows;
  const { feed } = listening(
    { ...rows, position: async (n) => await source.position(n) },
    { now: () => dayMs, steady: () => 1000 },
  );
  await feed.start(noLoad);
  source = away;
  dayMs += 800; // on Linux, the steady clock stands still
  assert.equal(feed.staleMs(), 800);
  dayMs -= 3_600_000; // the clock is set back: nothing tells how long the machine slept before
  assert.equal(feed.staleMs(), 3_599_200);
});

test('a feed misses no write, whenever it is woken', async () => {
  const step = fc.constantFrom('write', 'wake', 'wait', 'fail');
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const kept: Change[] = [];
      let failures = 0;
      const rows = rowsOf(() => {
        if (failures > 0) {
          failures -= 1;
          throw new Error('away');
        }
        return { epoch: kept.length, kept };
      });
      const { feed, heard } = listening(rows);
      await feed.start(noLoad);
      for (const each of steps) {
        if (each === 'write') kept.push(aChange(kept.length + 1, `user ${kept.length}`));
        else if (each === 'wake') feed.wake();
        else if (each === 'fail') failures += 1;
        else await sleep(1);
      }
      await eventually(() => heard.apiUsers.length === kept.length);
      await feed.stop();
      assert.deepEqual(
        heard.apiUsers,
        kept.map(({ id }) => id),
      );
    }),
    { numRuns: 40 },
  );
});

function aChange(n: number, id: string): Change {
  return { n, noun: 'api_user', id, at: n };
}

/** A change table in memory, for moments that a real one cannot be brought to. */
function rowsOf(now: () => { epoch: number; kept: Change[] }): ChangeRows {
  return {
    epoch: async () => now().epoch,
    async position(n) {
      const { epoch, kept } = now();
      return { epoch, change: kept.find((one) => one.n === (n ?? epoch)) ?? null };
    },
    oldest: async () => now().kept[0]?.n ?? null,
    latestAt: async () => null,
    after: async (n, limit) =>
      now()
        .kept.filter((change) => change.n > n)
        .slice(0, limit),
    append: async () => undefined,
    appendAll: async () => undefined,
    deleteBefore: async () => 0,
  };
}
