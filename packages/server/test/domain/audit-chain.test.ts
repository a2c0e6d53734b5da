// Test setup: own store.
import assert from 'node:assert/strict';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import { auditHash } from '../../src/domain/audit-entry.ts';
import { exportAudit, verifyAudit } from '../../src/admin/audit.ts';
import { createMaintenance } from '../../src/server/maintenance.ts';
import { createMasterKey } from '../../src/storage/master-key.ts';
import type { Store } from '../../src/storage/store.ts';
import { ADA, append, tamper } from '@mintmark/test-support/audit-log';
import { temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';

const silent = pino({ level: 'silent' });
const DAY_MS = 86_400_000;

async function faultOf(store: Store) {
  return (await verifyAudit(store)).firstBad;
}

test('an audit log that nobody touched is whole: empty, of one entry, of many pages, and after removals', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  const valid = async (entries: number) => {
    const { firstBad, ...found } = await verifyAudit(store);
    assert.equal(firstBad, null);
    assert.deepEqual([found.entries, found.valid], [entries, true]);
    assert.deepEqual(found.head, (await store.audit.head()).last);
  };
  await valid(0);
  await append(store, 1);
  await valid(1);
  await append(store, 999);
  await valid(1000);
  await store.write(({ audit }) => audit.deleteBefore(500, 300));
  await valid(700);
  await store.write(({ audit }) => audit.deleteBefore(1e9, 1000));
  await valid(0);
  await append(store, 3);
  await valid(3);
});

test('each kind of tampering with the audit log is found, with the first bad entry', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  await append(store, 450);
  const [last] = await store.audit.after(449, 1);
  assert.ok(last);
  const forged = { ...last, n: 451, reason: 'forged' };
  const columns = 'at, actor_kind, actor_id, actor_name, action, outcome, subject_kind, hash';
  const tampered: [string, [string, ...SQLInputValue[]][], { n: number; fault: string }][] = [
    ['changed', [["update audit set after = '{}' where n = 300"]], { n: 300, fault: 'changed' }],
    ['removed in the middle', [['delete from audit where n = 300']], { n: 300, fault: 'missing' }],
    ['removed at the start', [['delete from audit where n <= 3']], { n: 1, fault: 'missing' }],
    ['removed at the end', [['delete from audit where n > 440']], { n: 441, fault: 'missing' }],
    ['all removed', [['delete from audit']], { n: 1, fault: 'missing' }],
    [
      'in another order',
      [
        ['update audit set n = 1000 where n = 20'],
        ['update audit set n = 20 where n = 30'],
        ['update audit set n = 30 where n = 1000'],
      ],
      { n: 20, fault: 'changed' },
    ],
    [
      'inserted in the middle',
      [
        ['update audit set n = n + 1000 where n >= 30'],
        ['update audit set n = n - 999 where n >= 1030'],
        [`insert into audit (n, ${columns}) select 30, ${columns} from audit where n = 29`],
      ],
      { n: 30, fault: 'changed' },
    ],
    [
      'added at the end with a hash that follows',
      [
        [
          `insert into audit (n, ${columns}, subject_id, related_kind, related_id, before, after, reason)
           select 451, ${columns}, subject_id, related_kind, related_id, before, after, 'forged' from audit where n = 450`,
        ],
        ['update audit set hash = ? where n = 451', auditHash(forged, last.hash)],
      ],
      { n: 451, fault: 'added' },
    ],
    [
      'added before the start',
      [[`insert into audit (n, ${columns}) select 0, ${columns} from audit where n = 1`]],
      { n: 0, fault: 'added' },
    ],
    [
      'numbered beyond what this program counts to',
      [['update audit set n = 9223372036854775807 where n = 300']],
      { n: 300, fault: 'missing' },
    ],
    [
      'numbered as low',
      [['update audit set n = -9223372036854775807 where n = 300']],
      { n: 300, fault: 'missing' },
    ],
    [
      'the last one numbered so',
      [['update audit set n = 9223372036854775807 where n = 450']],
      { n: 450, fault: 'missing' },
    ],
    [
      'of a time beyond that',
      [['update audit set at = 9223372036854775807 where n = 300']],
      { n: 300, fault: 'changed' },
    ],
    [
      'removed as if it had been kept long enough, and not all of it',
      [
        ['update audit_head set removed_n = 9, removed_hash = (select hash from audit where n = 9)'],
        ['delete from audit where n between 2 and 9'],
      ],
      { n: 1, fault: 'added' },
    ],
  ];
  const before = snapshot(opened);
  for (const [how, statements, expected] of tampered) {
    tamper(opened, ...statements);
    assert.deepEqual(await faultOf(store), expected, how);
    restore(opened, before);
    assert.equal(await faultOf(store), null, `${how}, and put right again`);
  }
  for (const how of ['update audit_head set n = 9223372036854775807', 'delete from audit_head']) {
    tamper(opened, [how]);
    await assert.rejects(verifyAudit(store), /does not say where the audit log ends/);
  }
});

type Rows = Record<'audit' | 'audit_head', Record<string, SQLInputValue>[]>;

function snapshot({ path }: TemporaryStore): Rows {
  using database = new DatabaseSync(path, { readOnly: true });
  const all = (table: string) =>
    database.prepare(`select * from ${table}`).all() as Record<string, SQLInputValue>[];
  return { audit: all('audit'), audit_head: all('audit_head') };
}

function restore({ path }: TemporaryStore, rows: Rows): void {
  using database = new DatabaseSync(path);
  database.exec('pragma synchronous = off; begin');
  for (const table of ['audit', 'audit_head'] as const) {
    database.exec(`delete from ${table}`);
    for (const row of rows[table]) {
      const names = Object.keys(row).map((name) => `"${name}"`);
      const insert = `insert into ${table} (${names.join()}) values (${names.map(() => '?').join()})`;
      database.prepare(insert).run(...Object.values(row));
    }
  }
  database.exec('commit');
}

const ENTRIES = 9;

/** A number that node:sqlite reads back: of a whole one beyond these it says that it cannot. */
const readable = fc.double({ noNaN: true, min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });

/** One row of one of the two tables changed, removed or added. */
const anyTampering = fc.oneof(
  fc.record({
    how: fc.constant('change' as const),
    table: fc.constantFrom('audit' as const, 'audit_head' as const),
    row: fc.nat(ENTRIES - 1),
    column: fc.nat(30),
    value: fc.oneof(fc.constant(null), fc.integer(), readable, fc.string(), fc.constantFrom('', '{}')),
  }),
  fc.record({
    how: fc.constant('remove' as const),
    rows: fc.uniqueArray(fc.nat(ENTRIES - 1), { minLength: 1, maxLength: ENTRIES }),
  }),
  fc.record({
    how: fc.constant('swap' as const),
    rows: fc.uniqueArray(fc.nat(ENTRIES - 1), { minLength: 2, maxLength: 2 }),
  }),
  fc.record({
    how: fc.constant('copy' as const),
    row: fc.nat(ENTRIES - 1),
    n: fc.oneof(fc.integer(), readable, fc.nat(30)),
  }),
);

test(
  'whatever is done to rows of the audit log by hand, a verification finds it',
  { timeout: 120_000 },
  async () => {
    await using opened = await temporaryStore();
    const { store } = opened;
    await append(store, ENTRIES + 3);
    await store.write(({ audit }) => audit.deleteBefore(3, 3));
    const before = snapshot(opened);
    const property = fc.asyncProperty(anyTampering, async (tampering) => {
      const rows = structuredClone(before);
      if (tampering.how === 'change') {
        const list = rows[tampering.table];
        const row = list[tampering.row % list.length]!;
        const names = Object.keys(row);
        row[names[tampering.column % names.length]!] = tampering.value;
      } else if (tampering.how === 'remove') {
        rows.audit = rows.audit.filter((_, i) => !tampering.rows.includes(i));
      } else if (tampering.how === 'swap') {
        const [a, b] = tampering.rows.map((i) => rows.audit[i]!);
        [a!['n'], b!['n']] = [b!['n']!, a!['n']!];
      } else {
        rows.audit.push({ ...rows.audit[tampering.row]!, n: tampering.n });
      }
      try {
        restore(opened, rows);
      } catch {
        return; // the database itself does not take it: a number twice, or none
      }
      if (JSON.stringify(snapshot(opened)) === JSON.stringify(before)) return;
      let valid = false;
      try {
        ({ valid } = await verifyAudit(store));
      } catch (error) {
        assert.match(String(error), /does not say where the audit log ends/);
      }
      assert.equal(valid, false);
    });
    await fc.assert(property, { numRuns: 400 });
  },
);

test('an end of the audit log that was noted elsewhere tells a chain that was made anew from the one it was', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  await append(store, 250);
  const noted = (await verifyAudit(store)).head;
  await append(store, 250);
  assert.equal((await verifyAudit(store, noted)).noted, 'found');
  assert.equal((await verifyAudit(store, (await verifyAudit(store)).head)).noted, 'found');
  assert.deepEqual((await verifyAudit(store, { n: 501, hash: noted.hash })).firstBad, {
    n: 501,
    fault: 'missing',
  });

  await using forged = await temporaryStore();
  await append(forged.store, 500, { after: { name: 'nothing to see here' } });
  const { valid, firstBad } = await verifyAudit(forged.store, noted);
  assert.deepEqual([valid, firstBad], [false, { n: 250, fault: 'unlike' }]);
  assert.equal(await faultOf(forged.store), null, 'by itself it is a chain');

  await store.write(({ audit }) => audit.deleteBefore(250, 250));
  assert.equal((await verifyAudit(store, noted)).noted, 'found', 'the last one that was removed');
  await store.write(({ audit }) => audit.deleteBefore(251, 1));
  assert.equal((await verifyAudit(store, noted)).noted, 'removed');
});

test('what is kept long enough is removed up to the end of the chain, past which an entry set by hand is left to be found', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  await append(store, 10);
  const columns = 'at, actor_kind, actor_id, actor_name, action, outcome, subject_kind, hash';
  for (const n of ['9223372036854775807', '20']) {
    tamper(opened, [`insert into audit (n, ${columns}) select ${n}, ${columns} from audit where n = 1`]);
  }
  tamper(opened, ['update audit set at = 9223372036854775807 where n = 9']);
  const remove = () => store.write(({ audit }) => audit.deleteBefore(1000, 100));
  assert.deepEqual([await remove(), (await store.audit.head()).removed.n], [8, 8]);
  tamper(opened, ['update audit set at = -9223372036854775807 where n = 9']);
  assert.deepEqual([await remove(), (await store.audit.head()).removed.n], [2, 10]);
  assert.deepEqual(await faultOf(store), { n: 11, fault: 'missing' });
});

test('an entry set by hand to before the chain, or to between two of its numbers, is not taken for kept long enough', async () => {
  for (const n of ['-9223372036854775807', '0', '2.5']) {
    await using opened = await temporaryStore();
    const { store } = opened;
    await append(store, 3, { at: 1 });
    await append(store, 3, { at: 2000 });
    const remove = () => store.write(({ audit }) => audit.deleteBefore(1000, 100));
    tamper(opened, [`update audit set n = ${n} where n = 3`]);
    await remove();
    assert.deepEqual([await remove(), (await store.audit.head()).removed.n], [0, 2], n);
    assert.equal((await verifyAudit(store)).valid, false);
    const left = await store.audit.list({}, { before: null, limit: 100 });
    assert.equal(left.length, 4, `the one with ${n} is there to be found`);
  }
});

test('an audit log is whole to a verification while others write and old entries are removed', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  const other = await opened.another();
  await append(store, 2000);
  const stop = new AbortController();
  const write = async () => {
    while (!stop.signal.aborted) await append(other, 20, { at: 5000 });
  };
  const remove = async () => {
    while (!stop.signal.aborted) await other.write(({ audit }) => audit.deleteBefore(2000, 150));
  };
  const busy = [write(), remove()];
  for (let i = 0; i < 20; i++) assert.equal(await faultOf(store), null);
  stop.abort();
  await Promise.all(busy);
  const { removed, head } = await verifyAudit(store);
  assert.ok(removed.n > 0 && head.n > 2000, 'both went on meanwhile');
});

test('an export holds every entry that matches, the oldest first, and is itself recorded with its filter', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  await append(store, 450);
  const exported = async (filter: Parameters<typeof exportAudit>[1]) => {
    const numbers: number[] = [];
    for await (const { n } of exportAudit({ store, actor: ADA, nowMs: 10_000 }, filter)) numbers.push(n);
    return numbers;
  };
  assert.deepEqual(
    await exported({}),
    Array.from({ length: 451 }, (_, i) => i + 1),
  );
  assert.deepEqual(await exported({ actor: 'ada', from: 10, to: 15 }), [11, 13, 15]);
  const [entry] = await store.audit.after(451, 1);
  assert.deepEqual(
    [entry?.action, entry?.after],
    ['audit.export', '{"filter":{"actor":"ada","from":10,"to":15}}'],
  );
});

test('maintenance removes audit entries past their time in batches, and none where they are kept for ever', async () => {
  const now = Date.now();
  for (const [days, kept] of [
    ['3', 20],
    ['0', 1320],
  ] as const) {
    await using opened = await temporaryStore({ MINTMARK_AUDIT_KEPT: days, MINTMARK_KEY_ROTATION: '0' });
    const { store, config } = opened;
    await append(store, 1300, { at: now - 4 * DAY_MS });
    await append(store, 20, { at: now - 2 * DAY_MS });
    await createMaintenance(store, createMasterKey(config), config, silent).run();
    const { entries, valid } = await verifyAudit(store);
    assert.deepEqual([entries, valid], [kept, true]);
  }
});
