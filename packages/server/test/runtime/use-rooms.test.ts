import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createUseRooms } from '../../src/runtime/usage/use-rooms.ts';
import { addUse, noUses, type Uses } from '../../src/storage/tables/uses.ts';

// How long the memory of many uses is kept for the next ones.

test('written columns are reused, and are empty then', () => {
  const rooms = createUseRooms();
  const full = filled(rooms.next(), 1000);
  rooms.reuse(full);
  const again = rooms.next();
  assert.equal(again, full);
  assert.deepEqual([again.size, again.subjects.size], [0, 0]);
});

test('a minute after many uses, their memory is free', () => {
  const rooms = createUseRooms();
  rooms.reuse(filled(rooms.next(), 10_000));
  const lengths: number[] = [];
  for (let flush = 0; flush < 6; flush++) {
    const current = rooms.next();
    lengths.push(current.counts.length);
    rooms.reuse(filled(current, 100));
  }
  assert.ok(lengths.every((length) => length >= 10_000));
  assert.ok(rooms.next().counts.length < 100);
});

test('a spare with far more room than later uses need is dropped', () => {
  const rooms = createUseRooms();
  const large = filled(noUses(), 10_000);
  for (let flush = 0; flush < 6; flush++) rooms.reuse(filled(noUses(), 60));
  large.size = 60;
  rooms.reuse(large);
  assert.notEqual(rooms.next(), large);
});

function filled(uses: Uses, count: number): Uses {
  for (let i = 0; i < count; i++) {
    const lastSubject = i % 2 === 0 ? `subject ${i}` : null;
    const of = { clientId: `api_${i}` };
    addUse(uses, {
      credentialId: String(i).padStart(10),
      lastUsedAt: i,
      lastUsedAddress: '::1',
      count: 1,
      tokens: 1,
      of,
      lastSubject,
    });
  }
  return uses;
}
