import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  NO_TOKENS,
  ownQuota,
  quotaWaitMs,
  takeToken,
  turnCount,
  type QuotaCount,
} from '../../src/domain/quota.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const DAY = Date.UTC(2026, 10, 29);

const newCount = (): QuotaCount => ({ ...NO_TOKENS });
const quota = (tokensPerHour: number | null, tokensPerDay: number | null) =>
  ({ mode: 'enforce', tokensPerHour, tokensPerDay }) as const;

/** Takes a token at a time. */
function take(count: QuotaCount, per: ReturnType<typeof quota>, nowMs: number): string | null {
  turnCount(count, nowMs);
  const { refusedBy, hour, day } = takeToken(ownQuota(per, count, 1), count);
  Object.assign(count, { hour, day });
  return refusedBy;
}

test('a quota starts again with each hour and day, in UTC', () => {
  const count = newCount();
  const per = quota(2, 3);
  const last = DAY + HOUR_MS - 1;
  assert.deepEqual(
    [1, 2, 3].map(() => take(count, per, last)),
    [null, null, 'hour'],
  );
  assert.equal(take(count, per, last + 1), null, 'another hour');
  assert.equal(take(count, per, last + 1), 'day', 'the same day');
  assert.equal(take(count, per, DAY + DAY_MS - 1), 'day');
  assert.equal(take(count, per, DAY + DAY_MS), null);
});

test('a refused token waits for the end of its hour or day', () => {
  assert.equal(quotaWaitMs('hour', DAY + HOUR_MS - 1), 1);
  assert.equal(quotaWaitMs('hour', DAY), HOUR_MS);
  assert.equal(quotaWaitMs('day', DAY + HOUR_MS), DAY_MS - HOUR_MS);
});

test('a quota that is only observed counts and refuses nothing', () => {
  const count = newCount();
  turnCount(count, DAY);
  const per = { ...quota(1, 1), mode: 'observe' } as const;
  for (let i = 0; i < 5; i++) {
    const { refusedBy, hour, day } = takeToken(ownQuota(per, count, 1), count);
    assert.equal(refusedBy, null);
    Object.assign(count, { hour, day });
  }
  assert.deepEqual([count.hour, count.day], [5, 5]);
});

test('parts of a quota never exceed what was left', () => {
  const tokens = fc.nat(200);
  fc.assert(
    fc.property(tokens, tokens, fc.integer({ min: 2, max: 9 }), (limit, used, parts) => {
      let issued = 0;
      for (let part = 0; part < parts; part++) {
        const count = { ...newCount(), hour: used, day: used };
        turnCount(count, DAY);
        Object.assign(count, { hour: used, day: used });
        while (true) {
          const { refusedBy, hour } = takeToken(ownQuota(quota(limit, null), count, parts), count);
          if (refusedBy !== null) break;
          count.hour = hour;
          count.hourAlone += 1;
          issued += 1;
        }
      }
      assert.ok(issued <= Math.max(0, limit - used), `${issued} of ${limit - used}`);
      assert.ok(issued > Math.max(0, limit - used) - parts, 'only a rest smaller than the parts is lost');
    }),
  );
});
