import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SYSTEM } from '../src/domain/actor.ts';
import { createApiUser } from '../src/manage/api-users.ts';
import { createOverview } from '../src/overview.ts';
import { apiUserSettings, temporaryStore } from './support/temporary-store.ts';

test('a count of API users that takes long is given as it was before, and renewed behind the answer', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  let nowMs = Date.now();
  // As with millions: each count takes a second.
  const count = async (from: number) => {
    const counted = await store.attention.count(from);
    nowMs += 1000;
    return counted;
  };
  const overview = createOverview({ attention: { ...store.attention, count } }, () => nowMs);
  const total = async () => (await overview()).apiUsers.total;
  const add = () => createApiUser(store, SYSTEM, apiUserSettings(), nowMs);

  await add();
  assert.equal(await total(), 1, 'the first waits for it');
  await add();
  nowMs += 10_000;
  assert.equal(await total(), 1, 'it is kept for twenty times as long as it took');
  nowMs += 20_000;
  assert.equal(await total(), 1, 'the one before, at once');
  const deadline = performance.now() + 10_000;
  let seen = 0;
  while (seen !== 2 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    nowMs += 6000; // longer than an overview is kept
    seen = await total();
  }
  assert.equal(seen, 2);
});
