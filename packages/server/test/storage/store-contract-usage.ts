import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REFUSAL_REASONS } from '../../src/domain/refusal.ts';
import { UNIT_MS, USAGE_UNITS, type UsageUnit } from '../../src/domain/usage.ts';
import type { UsageKept } from '../../src/storage/tables/usage-history.ts';
import { apiUser, credential, insert, type OpenedStore } from './store-contract.ts';
import { seededRandom } from '@mintmark/test-support/seeded-random';
import { batch, refused, use } from '@mintmark/test-support/usage';

type Open = () => Promise<OpenedStore>;

const { minute: MINUTE, hour: HOUR, day: DAY } = UNIT_MS;
/** The start of a day. */
const START = 20_000 * DAY;

/** What every database must do with what is counted. */
export function usageContract(open: Open): void {
  usesContract(open);
  seriesContract(open);
  historyContract(open);
  attentionContract(open);
}

function usesContract(open: Open): void {
  test('recorded uses add up, the newest time and address win, deleted credentials are not found', async () => {
    await using opened = await open();
    const { store } = opened;
    const user = apiUser();
    const [used, unused, gone] = [credential(user), credential(user), credential(user)];
    await insert(store, user);
    await store.write(async (transaction) => {
      for (const each of [used, unused]) await transaction.credentials.insert(each);
    });
    await store.recordUsage(batch(START, [use(used, 2000, 3, '192.0.2.2'), use(gone, 9000, 1)]));
    await store.recordUsage(batch(START, [use(used, 1000, 4, '192.0.2.1')]));
    await store.recordUsage(batch(START, []));
    const twice = [use(used, 2500, 1, '2001:db8::1'), use(used, 2400, 1, '192.0.2.5')];
    await store.recordUsage(batch(START, twice));
    const found = await store.credentials.find(used.id);
    assert.deepEqual([found?.useCount, found?.lastUsedAt, found?.lastUsedAddress], [9, 2500, '2001:db8::1']);
    await store.recordUsage(batch(START, [use(used, START, 1, '192.0.2.3')]));
    const later = await store.credentials.find(used.id);
    assert.deepEqual([later?.useCount, later?.lastUsedAt, later?.lastUsedAddress], [10, START, '192.0.2.3']);
    assert.deepEqual(await store.credentials.find(unused.id), unused);
    assert.equal(await store.credentials.find(gone.id), undefined);
  });

  test('uses of credentials that are no more are swept out, a few at a time, and no others', async () => {
    await using opened = await open();
    const { store } = opened;
    const user = apiUser();
    const kept = Array.from({ length: 5 }, () => credential(user));
    const gone = Array.from({ length: 6 }, () => credential(user));
    await insert(store, user);
    await store.write(async (transaction) => {
      for (const each of kept) await transaction.credentials.insert(each);
    });
    const all = [...kept, ...gone].map((each) => use(each, 5000, 1));
    await store.recordUsage(batch(START, all));
    let after: string | null = '';
    for (let steps = 0; after !== null; steps++) {
      const from: string = after;
      after = await store.write((transaction) => transaction.credentials.sweepUses(from, 4));
      assert.ok(steps <= 3);
    }
    await store.write(async (transaction) => {
      for (const each of gone) await transaction.credentials.insert(each);
    });
    for (const { id } of kept) assert.equal((await store.credentials.find(id))?.useCount, 1);
    for (const { id } of gone) assert.equal((await store.credentials.find(id))?.useCount, 0);
  });

  test('uses and refusals recorded by several processes at once are all counted', async () => {
    await using opened = await open();
    const user = apiUser();
    const owned = credential(user);
    await insert(opened.store, user);
    await opened.store.write((transaction) => transaction.credentials.insert(owned));
    const stores = [opened.store, await opened.another()];
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        const what = batch(START, [use(owned, START + i, 2)], [refused(user.clientId, 'wrong_secret', 1)]);
        return stores[i % 2]!.recordUsage(what);
      }),
    );
    const found = await opened.store.credentials.find(owned.id);
    assert.deepEqual([found?.useCount, found?.lastUsedAt], [40, START + 19]);
    const expected = [{ at: START, tokens: 40, refusals: { wrong_secret: 20 } }];
    for (const whose of [user.clientId, null]) {
      assert.deepEqual(await opened.store.usage.series(whose, 'minute', START, START + HOUR), expected);
    }
  });
}

function seriesContract(open: Open): void {
  test('usage of one API user is told by minute, hour and day, and is part of that of all callers', async () => {
    await using opened = await open();
    const { store } = opened;
    const [first, second] = [apiUser(), apiUser()];
    const [a, b] = [credential(first), credential(first)];
    await store.recordUsage(
      batch(
        START,
        [use(a, START, 2), use(b, START, 3), use(credential(second), START, 10)],
        [
          refused(first.clientId, 'wrong_secret', 1),
          refused(first.clientId, 'api_user_limit', 4),
          refused(null, 'unknown_client_id', 7),
          refused(null, 'wrong_secret', 1),
        ],
      ),
    );
    await store.recordUsage(batch(START + 61 * MINUTE, [use(a, START, 1)], []));
    await store.recordUsage(batch(START + 25 * HOUR, [], [refused(first.clientId, 'wrong_secret', 5)]));
    const of = (clientId: string | null, unit: UsageUnit, hours: number) =>
      store.usage.series(clientId, unit, START, START + hours * HOUR);
    const refusals = { wrong_secret: 1, api_user_limit: 4 };
    assert.deepEqual(await of(first.clientId, 'minute', 26), [
      { at: START, tokens: 5, refusals },
      { at: START + 61 * MINUTE, tokens: 1, refusals: {} },
      { at: START + 25 * HOUR, tokens: 0, refusals: { wrong_secret: 5 } },
    ]);
    assert.deepEqual(await of(first.clientId, 'hour', 3), [
      { at: START, tokens: 5, refusals },
      { at: START + HOUR, tokens: 1, refusals: {} },
    ]);
    assert.deepEqual(await of(first.clientId, 'day', 48), [
      { at: START, tokens: 6, refusals },
      { at: START + DAY, tokens: 0, refusals: { wrong_secret: 5 } },
    ]);
    assert.deepEqual(await of(null, 'hour', 1), [
      { at: START, tokens: 15, refusals: { wrong_secret: 2, api_user_limit: 4, unknown_client_id: 7 } },
    ]);
    assert.deepEqual(await of('api_of_nobody', 'day', 48), []);
  });

  test('units begin from the first time up to, and not at, the second', async () => {
    await using opened = await open();
    const { store } = opened;
    const owned = credential(apiUser());
    for (let i = 0; i < 5; i++) {
      await store.recordUsage(batch(START + i * 30 * MINUTE, [use(owned, START, 1)]));
    }
    const starts = async (unit: UsageUnit, from: number, to: number) =>
      (await store.usage.series(owned.clientId, unit, START + from, START + to)).map(({ at, tokens }) => [
        (at - START) / MINUTE,
        tokens,
      ]);
    assert.deepEqual(await starts('minute', 30 * MINUTE, 60 * MINUTE), [[30, 1]]);
    assert.deepEqual(await starts('hour', 1, HOUR + 1), [[60, 2]]);
    assert.deepEqual(await starts('hour', 0, HOUR), [[0, 2]]);
    assert.deepEqual(await starts('day', 0, 1), [[0, 5]]);
    assert.deepEqual(await starts('day', HOUR, HOUR + 1), []);
  });
}

function historyContract(open: Open): void {
  test('however far usage is summed up, and by two processes at a time, every series stays the same', async () => {
    await using opened = await open();
    const stores = [opened.store, await opened.another()];
    const credentials = Array.from({ length: 700 }, () => credential(apiUser()));
    const random = seededRandom(7);
    // Two days, mostly empty; one minute in which more happens than a step takes.
    for (let i = 0; i < 40; i++) {
      const at = START + 20 * HOUR + Math.floor(random() * 30 * 60) * MINUTE;
      await stores[0]!.recordUsage(someUsage(at, credentials.slice(0, 5), random));
    }
    await stores[0]!.recordUsage(someUsage(START + 47 * HOUR, credentials, random));
    const watched = [null, credentials[0]!.clientId, credentials[699]!.clientId];
    const read = async () =>
      await Promise.all(
        watched.flatMap((of) =>
          USAGE_UNITS.map((unit) => opened.store.usage.series(of, unit, START, START + 3 * DAY)),
        ),
      );
    const before = await read();
    const hours = () => opened.store.usage.recent([watched[1]!, watched[2]!], START, START + 3 * DAY);
    const sparksBefore = summed(await hours());
    let steps = 0;
    for (let more = true; more; steps++) {
      const now = START + 50 * HOUR + steps * 10 * MINUTE;
      const results = await Promise.all(stores.map((store) => store.usageHistory.sumUp(now)));
      more = results.includes(true) || now < START + 60 * HOUR;
      assert.deepEqual(await read(), before);
      assert.deepEqual(summed(await hours()), sparksBefore);
    }
    assert.ok(steps > 30, 'an hour of 700 API users takes several steps');
    const kept: UsageKept = { minute: HOUR, hour: 12 * HOUR, day: 400 * DAY };
    while (await opened.store.usageHistory.removeOld(START + 72 * HOUR, kept));
    const after = await read();
    const [minutes, , days] = after;
    assert.deepEqual(minutes, [], 'minutes are removed when they are summed up');
    assert.deepEqual(days, before[2], 'days stay');
  });

  test('an hour is not summed up before it has settled, and what is not summed up is not removed', async () => {
    await using opened = await open();
    const { store } = opened;
    const owned = credential(apiUser());
    const kept: UsageKept = { minute: MINUTE, hour: MINUTE, day: MINUTE };
    const sumUp = async (nowMs: number) => {
      while (await store.usageHistory.sumUp(nowMs));
      while (await store.usageHistory.removeOld(nowMs, kept));
    };
    const tokens = async (unit: UsageUnit) =>
      (await store.usage.series(owned.clientId, unit, START, START + 2 * DAY)).map((point) => point.tokens);
    await store.recordUsage(batch(START, [use(owned, START, 1)]));
    await sumUp(START + HOUR + 9 * MINUTE);
    await store.recordUsage(batch(START + 59 * MINUTE, [use(owned, START, 1)]));
    assert.deepEqual([await tokens('minute'), await tokens('hour')], [[1, 1], [2]]);
    await sumUp(START + HOUR + 10 * MINUTE);
    assert.deepEqual([await tokens('minute'), await tokens('hour'), await tokens('day')], [[], [2], [2]]);
    await sumUp(START + 23 * HOUR);
    assert.deepEqual(await tokens('hour'), [2], 'its day is not over');
    await sumUp(START + DAY + 10 * MINUTE);
    assert.deepEqual([await tokens('hour'), await tokens('day')], [[], []]);
  });

  test('removing what is old takes little at a time, and leaves what is newer', async () => {
    await using opened = await open();
    const { store } = opened;
    const credentials = Array.from({ length: 6000 }, () => credential(apiUser()));
    const used = (at: number) =>
      batch(
        at,
        credentials.map((each) => use(each, at, 1)),
      );
    for (const at of [START, START + MINUTE, START + 3 * HOUR]) {
      await store.recordUsage({ ...used(at), noteLastUse: false });
    }
    while (await store.usageHistory.sumUp(START + 2 * HOUR));
    const kept: UsageKept = { minute: HOUR, hour: DAY, day: DAY };
    let steps = 1;
    while (await store.usageHistory.removeOld(START + 3 * HOUR, kept)) steps += 1;
    assert.equal(steps, 3, '12,002 rows, at most 5,001 at a time');
    const minutes = await store.usage.series(null, 'minute', START, START + DAY);
    assert.deepEqual(
      minutes.map(({ at, tokens }) => [at, tokens]),
      [[START + 3 * HOUR, 6000]],
    );
  });
}

function attentionContract(open: Open): void {
  test('what needs attention is found: what expires, what is unused, whose limit was hit, the most pressing first', async () => {
    await using opened = await open();
    const { store } = opened;
    const [used, idle, never, fresh] = [apiUser(), apiUser(), apiUser(), apiUser({ createdAt: START })];
    const disabled = apiUser({ enabled: false });
    await insert(store, used, idle, never, fresh, disabled);
    const ends = [
      credential(used, { expiresAt: START + 2 * DAY }),
      credential(idle, { expiresAt: START + DAY }),
      credential(used, { expiresAt: START + 20 * DAY }),
      credential(used, { expiresAt: START - 1 }),
      credential(used, { expiresAt: START + DAY, retiredAt: 5 }),
      credential(disabled, { expiresAt: START + DAY }),
    ];
    await store.write(async (transaction) => {
      for (const each of ends) await transaction.credentials.insert(each);
    });
    await store.recordUsage(batch(START - 91 * DAY, [use(ends[1]!, START, 1)]));
    const hits = [
      refused(used.clientId, 'api_user_limit', 3),
      refused(idle.clientId, 'wrong_secret', 9),
      refused(null, 'api_user_limit', 1),
    ];
    await store.recordUsage(batch(START - HOUR, [use(ends[0]!, START, 1)], hits));
    await store.recordUsage(batch(START, [], [refused(used.clientId, 'api_user_limit', 2)]));
    const told = (found: readonly { clientId: string | null; at: number | null }[]) =>
      found.map(({ clientId, at }) => [clientId, at]);
    const { attention } = store;
    assert.deepEqual(told(await attention.expiring(START, START + 14 * DAY, 10)), [
      [idle.clientId, START + DAY],
      [used.clientId, START + 2 * DAY],
    ]);
    assert.deepEqual(told(await attention.unused(START - 90 * DAY, 10)), [
      [never.clientId, null],
      [idle.clientId, START - 91 * DAY],
    ]);
    assert.deepEqual(told(await attention.unused(START - 90 * DAY, 1)), [[never.clientId, null]]);
    const callers = await attention.refused(START - HOUR, 5, 10);
    assert.deepEqual(
      callers.map(({ clientId, at, count, reason }) => [clientId, at, count, reason]),
      [[idle.clientId, START - HOUR, 9, 'wrong_secret']],
    );
    assert.deepEqual(await attention.refused(START - HOUR + 1, 5, 10), []);
    const limited = await attention.limited(START - HOUR, 10);
    assert.deepEqual(
      limited.map(({ clientId, at, count }) => [clientId, at, count]),
      [[used.clientId, START, 5]],
    );
    for (const unhurried of [false, true]) {
      assert.deepEqual(await attention.count(START - DAY, unhurried), { total: 5, enabled: 4, active: 1 });
    }
  });

  test('where much is used, API users are told of it when the hour is summed up', async () => {
    await using opened = await open();
    const { store } = opened;
    const user = apiUser();
    await insert(store, user);
    const active = async () => (await store.attention.count(START, false)).active;
    await store.recordUsage({ ...batch(START + MINUTE, [use(credential(user), 1, 1)]), noteLastUse: false });
    assert.equal(await active(), 0);
    while (await store.usageHistory.sumUp(START + 2 * HOUR));
    assert.equal(await active(), 1);
  });
}

function someUsage(
  at: number,
  credentials: readonly { id: string; clientId: string }[],
  random: () => number,
): ReturnType<typeof batch> {
  return batch(
    at,
    credentials.map((each) => use(each, at, 1 + Math.floor(random() * 9))),
    [
      ...credentials.map(({ clientId }) =>
        refused(clientId, REFUSAL_REASONS[Math.floor(random() * 19)]!, 1 + Math.floor(random() * 3)),
      ),
      refused(null, 'unknown_client_id', 2),
    ],
  );
}

function summed(hours: readonly { clientId: string; at: number; tokens: number }[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { clientId, at, tokens } of hours) {
    sums.set(`${clientId} ${at}`, (sums.get(`${clientId} ${at}`) ?? 0) + tokens);
  }
  return new Map(Array.from(sums).sort(([a], [b]) => (a < b ? -1 : 1)));
}
