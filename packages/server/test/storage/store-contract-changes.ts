import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OpenedStore } from './store-contract.ts';

const WRITERS = 16;
const WRITES_EACH = 10;

/** The part of the store contract that the change feed rests on. */
export function changesContract(open: () => Promise<OpenedStore>): void {
  test('changes of 16 concurrent writers are numbered without gaps or losses', async () => {
    await using opened = await open();
    const stores = [opened.store, ...(await Promise.all([1, 2, 3].map(() => opened.another())))];
    const reader = await opened.another();
    const read: { n: number; id: string }[] = [];
    let done = false;
    const follow = async () => {
      for (;;) {
        const wasDone = done;
        const epoch = await reader.changes.epoch();
        const before = read.length;
        read.push(...(await reader.changes.after(read.at(-1)?.n ?? 0, 7)));
        assert.ok(epoch === before || read.length > before, 'the epoch was ahead of its changes');
        if (wasDone && read.length === before) return;
        if (read.length === before) await sleep(1);
      }
    };
    const write = async (writer: number) => {
      for (let i = 0; i < WRITES_EACH; i++) {
        const failing = i % 5 === 4;
        const work = stores[writer % stores.length]!.write(async (transaction) => {
          await transaction.changed('api_user', `${writer}/${i}`);
          if (failing) throw new Error('taken back');
        });
        await (failing ? assert.rejects(work, /taken back/) : work);
      }
    };
    const following = follow();
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
    done = true;
    await following;

    const committed = WRITERS * WRITES_EACH * 0.8;
    assert.deepEqual(
      read.map(({ n }) => n),
      Array.from({ length: committed }, (_, i) => i + 1),
    );
    assert.equal(new Set(read.map(({ id }) => id)).size, committed);
    assert.equal(await reader.changes.epoch(), committed);
  });

  test('old changes are removed in batches; epoch and newer ones stay', async () => {
    await using opened = await open();
    const { store } = opened;
    const before = Date.now();
    await store.write(async (transaction) => {
      for (let i = 1; i <= 10; i++)
        await transaction.changed(i === 3 ? 'signing_key' : 'api_user', `id ${i}`);
    });
    const step = () => store.write((transaction) => transaction.changes.deleteBefore(8, 5));
    assert.deepEqual([await step(), await step(), await step()], [5, 2, 0]);
    assert.deepEqual([await store.changes.epoch(), await store.changes.oldest()], [10, 8]);
    assert.deepEqual(
      (await store.changes.after(8, 10)).map(({ id }) => id),
      ['id 9', 'id 10'],
    );
    assert.ok(((await store.changes.latestAt()) ?? 0) >= before);
    await store.write((transaction) => transaction.changes.deleteBefore(11, 100));
    assert.deepEqual([await store.changes.oldest(), await store.changes.latestAt()], [null, null]);
    assert.equal(await store.changes.epoch(), 10);
  });

  test('a change tells its noun and id', async () => {
    await using opened = await open();
    const { store } = opened;
    await store.write(async (transaction) => {
      await transaction.changed('signing_key', 'kid');
      await transaction.changed('api_user', 'client id');
    });
    const [first, second, ...others] = await store.changes.after(0, 10);
    assert.deepEqual([first?.n, first?.noun, first?.id], [1, 'signing_key', 'kid']);
    assert.deepEqual([second?.n, second?.noun, second?.id], [2, 'api_user', 'client id']);
    assert.deepEqual(others, []);
    assert.deepEqual(await store.changes.position(1), { epoch: 2, change: first });
    assert.deepEqual(await store.changes.position(null), { epoch: 2, change: second });
    assert.deepEqual(await store.changes.position(3), { epoch: 2, change: null });
  });

  test('a store hears soon that another process has written', async () => {
    await using opened = await open();
    const woken = Promise.withResolvers<void>();
    opened.store.onWake(woken.resolve);
    const other = await opened.another();
    await sleep(100);
    await other.write((transaction) => transaction.changed('api_user', 'x'));
    await Promise.race([woken.promise, sleep(5000).then(() => assert.fail('not woken'))]);
  });
}
