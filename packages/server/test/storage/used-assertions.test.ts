import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usedAssertionsInMemory } from '../../src/storage/memory/used-assertions.ts';

const MINUTE_MS = 60_000;
const NOW_MS = 1000 * MINUTE_MS;

/** A memory whose two clocks agree, unless a use names the time of the steady one. */
function newMemory(max: number) {
  let steadyMs = 0;
  const memory = usedAssertionsInMemory(max, () => steadyMs);
  return {
    ...memory,
    use(key: string, untilMs: number, nowMs: number, steadyNowMs = nowMs) {
      steadyMs = steadyNowMs;
      return memory.use(key, untilMs, nowMs);
    },
  };
}

test('a used assertion is remembered until it expires, and then dropped', () => {
  const memory = newMemory(10);
  const untilMs = NOW_MS + 5 * MINUTE_MS;
  assert.equal(memory.use('a', untilMs, NOW_MS), 'new');
  assert.equal(memory.use('a', untilMs + MINUTE_MS, NOW_MS), 'used');
  assert.equal(memory.use('a', untilMs, untilMs - 1), 'used');
  assert.equal(memory.use('b', untilMs, untilMs - 1), 'new');
  assert.equal(memory.use('c', untilMs + 9 * MINUTE_MS, untilMs + 2 * MINUTE_MS), 'new');
  assert.equal(memory.size(), 1);
});

test('a full memory refuses, until assertions expire', () => {
  const memory = newMemory(2);
  assert.equal(memory.use('a', NOW_MS + 1, NOW_MS), 'new');
  assert.equal(memory.use('b', NOW_MS + 1, NOW_MS), 'new');
  assert.equal(memory.use('c', NOW_MS + 1, NOW_MS), 'full');
  assert.equal(memory.use('a', NOW_MS + 1, NOW_MS), 'used');
  assert.equal(memory.use('c', NOW_MS + 3 * MINUTE_MS, NOW_MS + 2 * MINUTE_MS), 'new');
});

test('a clock that is set back forgets no assertion', () => {
  const memory = newMemory(10);
  const untilMs = NOW_MS + MINUTE_MS;
  assert.equal(memory.use('a', untilMs, NOW_MS), 'new');
  assert.equal(memory.use('a', untilMs, NOW_MS - 60 * MINUTE_MS), 'used');
});

test('a clock that jumps ahead for a while forgets no assertion', () => {
  const memory = newMemory(10);
  const untilMs = NOW_MS + MINUTE_MS;
  assert.equal(memory.use('a', untilMs, NOW_MS), 'new');
  const aheadMs = NOW_MS + 60 * MINUTE_MS;
  assert.equal(memory.use('b', aheadMs + MINUTE_MS, aheadMs, NOW_MS + 1000), 'new');
  assert.equal(memory.use('a', untilMs, NOW_MS + 2000), 'used');
});

test('after a clock was a year ahead, expired assertions are still dropped', () => {
  const memory = newMemory(10);
  const aheadMs = NOW_MS + 365 * 24 * 60 * MINUTE_MS;
  assert.equal(memory.use('a', aheadMs, aheadMs, NOW_MS), 'new');
  for (let minute = 1; minute < 40; minute += 1) {
    const nowMs = NOW_MS + minute * MINUTE_MS;
    assert.equal(memory.use(`${minute}`, nowMs + MINUTE_MS, nowMs), 'new');
  }
});
