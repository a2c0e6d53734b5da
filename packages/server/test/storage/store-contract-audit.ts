import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SYSTEM, type Actor } from '../../src/domain/actor.ts';
import { auditHash, AUDIT_START, type AuditRecord } from '../../src/domain/audit-entry.ts';
import type { Store } from '../../src/storage/store.ts';
import type { OpenedStore } from './store-contract.ts';

const WRITERS = 16;
const WRITES_EACH = 10;

type Open = () => Promise<OpenedStore>;

/** The part of the store contract that the audit log rests on. */
export function auditContract(open: Open): void {
  entriesContract(open);
  chainContract(open);
  retentionContract(open);
}

function entriesContract(open: Open): void {
  test('an audit entry is read as recorded, with its chain place', async () => {
    await using opened = await open();
    const actor: Actor = {
      kind: 'operator',
      id: 'op_1',
      name: 'ada@example.com',
      address: '192.0.2.1',
      role: 'admin',
    };
    await append(opened.store, {
      actor,
      at: 2 ** 41,
      action: 'credential.create',
      outcome: 'refused',
      subject: { kind: 'credential', id: null },
      related: { kind: 'api_user', id: 'api_1' },
      before: { name: 'ü "quoted" \' \0 name', list: [1, null] },
      after: {},
      reason: 'no half characters: \uD83D, no NUL: \0.',
    });
    const [entry, ...none] = await (await opened.another()).audit.list({}, { before: null, limit: 10 });
    assert.ok(entry);
    assert.equal(none.length, 0);
    const { hash, ...texts } = entry;
    assert.deepEqual(texts, {
      n: 1,
      at: 2 ** 41,
      actorKind: 'operator',
      actorId: 'op_1',
      actorName: 'ada@example.com',
      actorAddress: '192.0.2.1',
      actorRole: 'admin',
      action: 'credential.create',
      outcome: 'refused',
      subjectKind: 'credential',
      subjectId: null,
      relatedKind: 'api_user',
      relatedId: 'api_1',
      before: JSON.stringify({ name: 'ü "quoted" \' \0 name', list: [1, null] }),
      after: '{}',
      reason: 'no half characters: \u{FFFD}, no NUL: \u{FFFD}.',
      organisationId: null,
    });
    assert.equal(hash, auditHash(texts, AUDIT_START.hash));
  });

  test('the audit log is listed newest first, filtered and paged', async () => {
    await using opened = await open();
    const { store } = opened;
    for (let i = 1; i <= 12; i++) {
      await append(store, {
        at: i * 1000,
        actor: i % 2 === 0 ? SYSTEM : { kind: 'command_line', id: 'ada', name: 'ada', address: null },
        action: i % 3 === 0 ? 'credential.retire' : 'api_user.update',
        outcome: i % 4 === 0 ? 'refused' : 'done',
        subject: i % 3 === 0 ? { kind: 'credential', id: `cred ${i}` } : { kind: 'api_user', id: 'a' },
        related: i % 3 === 0 ? { kind: 'api_user', id: i === 9 ? 'b' : 'a' } : null,
      });
    }
    const list = async (filter: Parameters<Store['audit']['list']>[0], before: number | null = null) =>
      (
        await store.audit.list(filter, {
          before: before === null ? null : { at: before * 1000, n: before },
          limit: 5,
        })
      ).map(({ n }) => n);
    assert.deepEqual(await list({}), [12, 11, 10, 9, 8]);
    assert.deepEqual(await list({}, 8), [7, 6, 5, 4, 3]);
    assert.deepEqual(await list({}, 3), [2, 1]);
    assert.deepEqual(await list({ actor: 'ada' }), [11, 9, 7, 5, 3]);
    assert.deepEqual(await list({ action: 'credential.retire' }), [12, 9, 6, 3]);
    assert.deepEqual(await list({ subject: 'cred 6' }), [6]);
    assert.deepEqual(await list({ subject: 'a' }), [12, 11, 10, 8, 7]);
    assert.deepEqual(await list({ subject: 'a' }, 7), [6, 5, 4, 3, 2]);
    assert.deepEqual(await list({ subject: 'b' }), [9]);
    assert.deepEqual(await list({ outcome: 'refused' }), [12, 8, 4]);
    assert.deepEqual(await list({ outcome: 'done', actor: 'mintmark' }), [10, 6, 2]);
    assert.deepEqual(await list({ from: 3000, to: 6000 }), [5, 4, 3]);
    assert.deepEqual(await list({ from: 3000, to: 6000, action: 'credential.retire' }), [3]);
    assert.deepEqual(await list({ actor: null, action: null, subject: null, outcome: null }, 2), [1]);
    const matching = await store.audit.after(4, 3, { actor: 'ada', from: 6000 });
    assert.deepEqual(
      matching.map(({ n }) => n),
      [7, 9, 11],
    );
  });

  test('entries of servers with different clocks are listed by time, once', async () => {
    await using opened = await open();
    const { store } = opened;
    for (const at of [5, 3, 4, 3, 9, 3]) await append(store, { at });
    const seen: number[] = [];
    for (let before: { at: number; n: number } | null = null; ;) {
      const [next] = await store.audit.list({ subject: 'api_1' }, { before, limit: 1 });
      if (next === undefined) break;
      seen.push(next.n);
      before = next;
    }
    assert.deepEqual(seen, [5, 1, 3, 6, 4, 2]);
  });
}

function chainContract(open: Open): void {
  test('entries of 16 concurrent writers form one chain without gaps', async () => {
    await using opened = await open();
    const stores = [opened.store, ...(await Promise.all([1, 2, 3].map(() => opened.another())))];
    const write = async (writer: number) => {
      for (let i = 0; i < WRITES_EACH; i++) {
        const failing = i % 5 === 4;
        const work = stores[writer % stores.length]!.write(async (transaction) => {
          await transaction.changed('api_user', `${writer}`);
          await transaction.audit.append([record(), record()].slice(0, 1 + (i % 2)));
          if (failing) throw new Error('not after all');
        });
        if (failing) await assert.rejects(work, /not after all/);
        else await work;
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, i) => write(i)));

    const entries = await opened.store.audit.after(0, 10_000);
    assert.equal(entries.length, WRITERS * 12);
    let last = AUDIT_START;
    for (const { hash, ...entry } of entries) {
      assert.equal(entry.n, last.n + 1);
      assert.equal(hash, auditHash(entry, last.hash));
      last = { n: entry.n, hash };
    }
    const head = await opened.store.audit.head();
    assert.deepEqual(head, { last, removed: AUDIT_START, range: { lowest: 1, highest: last.n } });
  });
}

function retentionContract(open: Open): void {
  test('old audit entries are removed in batches, the last hash kept', async () => {
    await using opened = await open();
    const { store } = opened;
    // Entry 5 is newer than what follows: a clock was wrong. What is removed is a beginning of the chain all the same.
    for (const at of [1, 2, 3, 4, 9, 6, 7, 8]) await append(store, { at });
    const all = await store.audit.after(0, 10);
    const step = (at: number) => store.write(({ audit }) => audit.deleteBefore(at, 3));
    assert.deepEqual([await step(9), await step(9), await step(9)], [3, 1, 0]);
    const { removed, last, range } = await store.audit.head();
    assert.deepEqual(removed, { n: 4, hash: all[3]?.hash });
    assert.deepEqual(
      [last, range],
      [
        { n: 8, hash: all[7]?.hash },
        { lowest: 5, highest: 8 },
      ],
    );
    assert.deepEqual(await store.audit.after(0, 10), all.slice(4));
    assert.deepEqual([await step(10), await step(10), await step(10)], [3, 1, 0]);
    assert.equal((await store.audit.head()).range, null);
    await append(store, {});
    const [next] = await store.audit.after(0, 10);
    assert.deepEqual(
      [next?.n, next?.hash],
      [9, next && auditHash(next, all[7]?.hash ?? '')],
      'the chain goes on',
    );
  });
}

function record(changes: Partial<AuditRecord> = {}): AuditRecord {
  return {
    at: 1,
    actor: SYSTEM,
    action: 'api_user.update',
    outcome: 'done',
    subject: { kind: 'api_user', id: 'api_1' },
    related: null,
    before: null,
    after: null,
    reason: null,
    ...changes,
  };
}

async function append(store: Store, changes: Partial<AuditRecord>): Promise<void> {
  await store.write(({ audit }) => audit.append([record(changes)]));
}
