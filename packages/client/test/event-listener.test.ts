import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TokenManager } from '../src/index.ts';
import { configure } from './support/credentials.ts';
import { startFaultServer } from './support/fault-server.ts';

test('a failing listener costs no token and ends no process', async (t) => {
  await using server = await startFaultServer();
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  t.after(() => process.off('unhandledRejection', note));
  const throws = () => {
    throw new Error('the log is full');
  };
  const rejects: () => unknown = () => Promise.reject(new Error('the log is away'));
  const listeners: (() => void)[] = [throws, rejects];
  for (const onEvent of listeners) {
    assert.match(await new TokenManager(configure(server.host, { onEvent })).getToken(), /^eyJ/);
  }
  // Node reports a rejection after the microtasks of the turn in which it happened.
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(unhandled, []);
});
