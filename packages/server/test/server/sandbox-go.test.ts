// Test setup: long.
// `mintmark sandbox` in the tests of an integrator in Go. Go compiles the HTTP library first.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { finished } from '@mintmark/test-support/binary';
import { temporaryFolder } from '@mintmark/test-support/command-line';
import { GO_ENV, goMissing } from '@mintmark/test-support/go-program';
import { mintmarkOnPath, sandboxExample } from '@mintmark/test-support/sandbox-example';

const GO_MS = 280_000;

const skip = goMissing();
const folder = temporaryFolder();
const env = { ...mintmarkOnPath(folder), ...GO_ENV };
after(() => rmSync(folder, { recursive: true }));

test('tests in Go see expiry, renewal, limits, rotation, revocation and outage', { skip }, async () => {
  const file = join(import.meta.dirname, '../sandbox-clients/integrator_test.go');
  const child = spawn('go', ['test', '-count=1', '-v', file], { env, cwd: folder });
  const { code, out, err } = await finished(child, GO_MS);
  assert.equal(code, 0, out + err);
  assert.equal(out.match(/^--- PASS/gm)?.length, 5, out);
});

test('the example in Go of docs/sandbox.md runs as it stands', { skip }, async () => {
  const file = join(folder, 'example.go');
  writeFileSync(file, sandboxExample('go'));
  const child = spawn('go', ['run', file], { env, cwd: folder });
  const { code, out, err } = await finished(child, GO_MS);
  assert.equal(code, 0, err);
  assert.equal(out, 'true\nBearer\n');
});
