// Test setup: own store, own limits, jose, authlib.
// `mintmark sandbox` in the tests of an integrator in Python.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { finished } from '@mintmark/test-support/binary';
import { temporaryFolder } from '@mintmark/test-support/command-line';
import { authlibMissing, authlibPython } from '@mintmark/test-support/debian-programs';
import { mintmarkOnPath, sandboxExample } from '@mintmark/test-support/sandbox-example';

const skip = authlibMissing();
const folder = temporaryFolder();
const env = mintmarkOnPath(folder);
after(() => rmSync(folder, { recursive: true }));

test('tests in Python see expiry, renewal, limits, rotation, revocation and outage', { skip }, async () => {
  const file = join(import.meta.dirname, '../sandbox-clients/integrator_test.py');
  const child = spawn(authlibPython() ?? '', ['-W', 'error', '-B', file], { env });
  const { code, err } = await finished(child);
  assert.equal(code, 0, err);
  assert.match(err, /^Ran 6 tests/m);
});

test('the example in Python of docs/sandbox.md runs as it stands', { skip }, async () => {
  const child = spawn(authlibPython() ?? '', ['-c', sandboxExample('python')], { env });
  const { code, out, err } = await finished(child);
  assert.equal(code, 0, err);
  assert.equal(out, '503\n5\n[503, 200]\n');
});
