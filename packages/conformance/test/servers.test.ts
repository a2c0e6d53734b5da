// Test setup: first.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { CONFORMANCE_FILE, conformancePage } from '../../../scripts/conformance.ts';
import { checkSubjects, type Column } from './support/subjects.ts';

// All checks on Mintmark, and on servers by other authors.

let columns: readonly Column[];
before(async () => (columns = await checkSubjects()));

test('Mintmark follows every rule, except for declared deviations', () => {
  const [mintmark] = columns;
  assert.equal(mintmark?.name, 'Mintmark');
  const others = mintmark.results.filter(({ outcome }) => outcome === 'fail' || outcome === 'needs');
  assert.deepEqual(others, []);
  const deviations = mintmark.results.filter(({ outcome }) => outcome === 'deviation');
  assert.deepEqual(
    deviations.map(({ id }) => id),
    ['token-grant-type-missing', 'client-wrong-form-status'],
  );
});

test('every check of servers by other authors runs or does not apply', () => {
  assert.equal(columns.length, 4);
  for (const { results } of columns)
    assert.deepEqual(
      results.filter(({ outcome }) => outcome === 'needs'),
      [],
    );
});

test('docs/conformance.md has the outcomes of this run', () => {
  const page = readFileSync(CONFORMANCE_FILE, 'utf8');
  assert.equal(unpadded(page), unpadded(conformancePage(columns)), 'run npm run conformance');
});

/** The formatter pads the cells of tables, and escapes some characters. */
function unpadded(text: string): string {
  return text
    .replaceAll(/ {2,}/g, ' ')
    .replaceAll(/-{3,}/g, '---')
    .replaceAll(/\\([_*<])/g, '$1')
    .replaceAll(/\n+/g, '\n')
    .trim();
}
