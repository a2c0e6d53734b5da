import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@mintmark/test-support/seeded-random';
import type { DirectoryEntry } from '../../src/runtime/directory/entry.ts';
import { createEntryIndex } from '../../src/runtime/directory/entry-index.ts';

for (const [clientIds, operations] of [
  [20, 20_000],
  [700, 100_000],
  [20_000, 200_000],
] as const) {
  test(`${operations} random operations on ${clientIds} client ids find what a Map finds`, () => {
    const random = seededRandom(clientIds);
    const [index, expected] = [createEntryIndex(), new Map<string, DirectoryEntry>()];
    for (let i = 0; i < operations; i++) {
      const clientId = `api_${Math.floor(random() * clientIds)}`;
      const kind = random();
      if (kind < 0.4) {
        const secrets = i % 9 === 0 ? '' : String(i);
        const entry = { clientId, secrets, arrivalMs: i, useNumber: i } as DirectoryEntry;
        index.set(entry);
        expected.set(clientId, entry);
      } else if (kind < 0.7) {
        index.delete(clientId);
        expected.delete(clientId);
      } else if (kind < 0.75) {
        index.prefetch([clientId, 'unknown', '', `api_${i}`]);
      } else assert.equal(index.get(clientId), expected.get(clientId));
      assert.equal(index.size(), expected.size);
    }
    for (const [clientId, entry] of expected) assert.equal(index.get(clientId), entry);
    assert.deepEqual(new Set(index.values()), new Set(expected.values()));
    const following = Array.from({ length: expected.size }, () => index.next());
    assert.deepEqual(
      new Set(following),
      new Set(expected.values()),
      'each comes once before one comes again',
    );
  });
}
