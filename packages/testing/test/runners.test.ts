// Test setup: long.
// @mintmark/testing as npm would publish it, under other test runners and the oldest line of Node.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runtime } from '@mintmark/test-support/runtimes';
import { env, packPackages, type PackedPackages } from './support/packed-project.ts';

const RUNNERS = [
  {
    name: 'vitest',
    spec: 'vitest@5.1.2',
    program: 'vitest/vitest.mjs',
    args: ['run', '--reporter=json', '--testTimeout=60000'],
    imports: "import { test } from 'vitest';",
    options: '',
  },
  {
    name: 'Jest',
    spec: 'jest@30.5.2',
    program: 'jest/bin/jest.js',
    args: ['--json', '--detectOpenHandles', '--testTimeout=60000', '--testMatch=**/*.test.mjs'],
    imports: "import { test } from '@jest/globals';",
    options: '--experimental-vm-modules --no-warnings',
  },
] as const;

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  openHandles?: unknown[];
  testResults: { startTime: number; endTime: number; message: string }[];
}

let packed: PackedPackages;
before(() => (packed = packPackages()));
after(() => packed[Symbol.dispose]());

/** Writes the integrator's tests for the runner that `imports` names. */
function writeTests(project: string, imports: string): void {
  cpSync(join(import.meta.dirname, 'support/integrator.mjs'), join(project, 'integrator.mjs'));
  writeFileSync(
    join(project, 'integrator.test.mjs'),
    `${imports}\nimport { tests } from './integrator.mjs';\n` +
      'for (const [name, run] of Object.entries(tests)) test(name, run);\n',
  );
}

test('the installed tarballs serve tests of node:test under Node 24', async (context) => {
  const { command, problem } = await runtime('Node 24');
  if (problem !== undefined) return context.skip(problem);
  const project = packed.project(context);
  if (project === null) return;
  writeTests(project, "import { test } from 'node:test';");
  const [executable, ...args] = command;
  const run = spawnSync(executable, [...args, '--test', '--test-reporter=tap'], {
    cwd: project,
    env,
    encoding: 'utf8',
    timeout: 120_000,
  });
  assert.match(run.stdout, /^# pass 6$/m, run.stdout + run.stderr);
});

for (const { name, spec, program, args, imports, options } of RUNNERS) {
  test(`the installed tarballs serve tests of ${name}`, (context) => {
    const project = packed.project(context, [spec]);
    if (project === null) return;
    writeTests(project, imports);
    const run = spawnSync(
      process.execPath,
      [join(project, 'node_modules', program), ...args, '--outputFile=report.json'],
      {
        cwd: project,
        env: { ...env, NODE_OPTIONS: options, CI: 'true' },
        encoding: 'utf8',
        timeout: 120_000,
      },
    );
    assert.equal(run.status, 0, run.stdout + run.stderr);
    const report = JSON.parse(readFileSync(join(project, 'report.json'), 'utf8')) as Report;
    assert.deepEqual([report.numPassedTests, report.numFailedTests], [6, 0], run.stdout);
    assert.deepEqual(report.openHandles ?? [], []);
    const [{ startTime, endTime } = { startTime: 0, endTime: 0 }] = report.testResults;
    context.diagnostic(`${name}: ${Math.round(endTime - startTime)} ms`);
  });
}
