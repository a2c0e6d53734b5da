// Test setup: own store.
// Pages of the audit log, also of one whose numbers and times somebody set by hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { listAudit } from '../../src/admin/audit.ts';
import { SYSTEM } from '../../src/domain/actor.ts';
import type { Store } from '../../src/storage/store.ts';
import { append, tamper } from '@mintmark/test-support/audit-log';
import { temporaryStore } from '@mintmark/test-support/temporary-store';

const ENTRIES = 8;

test('pages of the audit log continue, and an invented page is refused', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  await append(store, 7);
  const seen: number[] = [];
  let after: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof listAudit>> = await listAudit(
      { store, actor: SYSTEM },
      { subject: 'api_1' },
      { after, limit: 3 },
    );
    seen.push(...page.items.map(({ n }) => n));
    after = page.next;
    if (seen.length === 3) await append(store, 1, { at: 100 });
  } while (after !== null);
  assert.deepEqual(seen, [7, 6, 5, 4, 3, 2, 1]);
  for (const wrong of ['x', '1', "1.1' or 1=1", '']) {
    await assert.rejects(
      listAudit({ store, actor: SYSTEM }, {}, { after: wrong, limit: 3 }),
      /is not a page of the audit log/,
    );
  }
});

const HUGE = 9_223_372_036_854_775_807n;

/** Numbers of the entries, page by page; fails where there are more pages than can be. */
async function listedNumbers(store: Store, limit: number, filter = {}): Promise<number[]> {
  const seen: number[] = [];
  let after: string | null = null;
  for (let page = 0; page === 0 || after !== null; page++) {
    assert.ok(page <= 2 * ENTRIES, 'the list does not end');
    const found: Awaited<ReturnType<typeof listAudit>> = await listAudit({ store, actor: SYSTEM }, filter, {
      after,
      limit,
    });
    seen.push(...found.items.map(({ n }) => n));
    after = found.next;
  }
  return seen;
}

test('an entry with a forged number or time is listed once', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  for (const value of [HUGE, -HUGE, Number.MIN_SAFE_INTEGER, 0, 2.5, 'a text', '']) {
    for (const column of ['n', 'at']) {
      tamper(opened, ['delete from audit'], ['update audit_head set n = 0']);
      for (const at of [1, 2, 3]) await append(store, 2, { at });
      tamper(opened, [`update audit set ${column} = ? where n = 3`, value]);
      for (const filter of [{}, { subject: 'api_1' }]) {
        const all = await listedNumbers(store, 10, filter);
        assert.equal(all.length, 6);
        if (value === 2.5) continue; // what is next to it may be left out
        for (const limit of [1, 2, 3, 4]) assert.deepEqual(await listedNumbers(store, limit, filter), all);
      }
    }
  }
});

test('the list of the audit log ends despite forged numbers and times', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  const value = fc.oneof(
    fc.constantFrom(HUGE, HUGE - 1n, -HUGE, 1n - HUGE, -8.64e15, 8.64e15, 'a text', ''),
    fc.integer({ min: -2, max: 20 }),
    fc.double({ noNaN: true, min: -10, max: 10 }),
  );
  const changes = fc.array(
    fc.record({ column: fc.constantFrom('n', 'at'), row: fc.nat(ENTRIES - 1), value }),
    {
      maxLength: 6,
    },
  );
  const property = fc.asyncProperty(changes, fc.integer({ min: 1, max: 3 }), async (made, limit) => {
    tamper(opened, ['delete from audit'], ['update audit_head set n = 0']);
    for (const at of [1, 2, 3, 4]) await append(store, ENTRIES / 4, { at });
    for (const { column, row, value: set } of made) {
      tamper(opened, [
        `update or ignore audit set ${column} = ? where rowid = (select rowid from audit limit 1 offset ${row})`,
        set,
      ]);
    }
    await listedNumbers(store, limit);
    await listedNumbers(store, limit, { subject: 'api_1' });
  });
  await fc.assert(property, { numRuns: 150 });
});
