import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { valueWithin, withDeadline } from '../../src/lib/deadline.ts';

const late = () => new Error('too late');

async function failing(ms: number): Promise<never> {
  await sleep(ms);
  throw new Error('it failed');
}

function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}

test('work within its deadline has its own outcome and leaves no timer', async () => {
  const before = timers();
  assert.equal(await withDeadline(sleep(1, 'answer'), 60_000, late), 'answer');
  assert.equal(await valueWithin(sleep(1, 'answer'), 60_000, null), 'answer');
  await assert.rejects(withDeadline(failing(1), 60_000, late), /it failed/);
  await assert.rejects(valueWithin(failing(1), 60_000, null), /it failed/);
  await sleep(0);
  assert.equal(timers(), before);
});

test('late work throws or has the other value, and may fail later', async () => {
  const unhandled: unknown[] = [];
  const record = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', record);
  const work = Promise.withResolvers<string>();
  await assert.rejects(withDeadline(work.promise, 1, late), /too late/);
  assert.equal(await valueWithin(work.promise, 1, null), null);
  work.reject(new Error('it failed'));
  await sleep(10);
  process.off('unhandledRejection', record);
  assert.deepEqual(unhandled, []);
});

test('an answer that arrived while the process was busy is in time', async (t) => {
  const answering = `const { parentPort } = require('node:worker_threads');
    parentPort.on('message', (flag) => {
      parentPort.postMessage('answer');
      Atomics.store(flag, 0, 1);
      Atomics.notify(flag, 0);
    });`;
  const worker = new Worker(answering, { eval: true });
  t.after(() => worker.terminate());
  await once(worker, 'online');
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const answer = once(worker, 'message').then(([text]) => text as string);
  await immediate(); // from here on, Node runs due timers before it reads messages
  const outcome = withDeadline(answer, 5, late);
  worker.postMessage(flag);
  Atomics.wait(flag, 0, 0); // the answer has arrived, and is not read yet
  Atomics.wait(flag, 0, 1, 20); // past the deadline
  assert.equal(await outcome, 'answer');
});
