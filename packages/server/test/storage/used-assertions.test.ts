import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usedAssertionsInMemory } from '../../src/storage/memory/used-assertions.ts';

const MINUTE_MS = 60_000;
const NOW_MS = 1000 * MINUTE_MS;

test('a used assertion is remembered until it expires, and then dropped', () => {
  const memory = usedAssertionsInMemory(10);
  const untilMs = NOW_MS + 5 * MINUTE_MS;
  assert.equal(memory.use('a', untilMs, NOW_MS), 'new');
  assert.equal(memory.use('a', untilMs + MINUTE_MS, NOW_MS), 'used');
  assert.equal(memory.use('a', untilMs, untilMs - 1), 'used');
  assert.equal(memory.use('b', untilMs, untilMs - 1), 'new');
  assert.equal(memory.use('c', untilMs + 9 * MINUTE_MS, untilMs + 2 * MINUTE_MS), 'new');
  assert.equal(memory.size(), 1);
});

test('a full memory refuses, until assertions expire', () => {
  const memory = usedAssertionsInMemory(2);
  assert.equal(memory.use('a', NOW_MS + 1, NOW_MS), 'new');
  assert.equal(memory.use('b', NOW_MS + 1, NOW_MS), 'new');
  assert.equal(memory.use('c', NOW_MS + 1, NOW_MS), 'full');
  assert.equal(memory.use('a', NOW_MS + 1, NOW_MS), 'used');
  assert.equal(memory.use('c', NOW_MS + 3 * MINUTE_MS, NOW_MS + 2 * MINUTE_MS), 'new');
});

test('a clock that is set back forgets no assertion', () => {
  const memory = usedAssertionsInMemory(10);
  const untilMs = NOW_MS + MINUTE_MS;
  assert.equal(memory.use('a', untilMs, NOW_MS), 'new');
  assert.equal(memory.use('a', untilMs, NOW_MS - 60 * MINUTE_MS), 'used');
});
