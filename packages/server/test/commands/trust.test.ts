// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mintmark } from '@mintmark/test-support/server';

test('trust presets lists what a person fills in', async () => {
  const { code, out } = await mintmark(['trust', 'presets']);
  assert.equal(code, 0);
  assert.match(out, /^github: GitHub Actions\n {2}--field repository_id=123456\n {6}Never changes: gh api/);
  assert.match(out, /--field 'tag=v\*' {2}\(optional\)/);
  const listed = await mintmark(['trust', 'presets', '--json']);
  const names = (JSON.parse(listed.out) as { name: string }[]).map(({ name }) => name);
  assert.deepEqual(names, ['github', 'gitlab', 'kubernetes', 'aws', 'google', 'entra', 'spiffe']);
});
