// Test setup: long.
// @mintmark/testing as npm would publish it, under other test runners and the oldest line of Node.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runtime } from '@mintmark/test-support/runtimes';
import { env, NOT_INSTALLED, packPackages, type PackedPackages } from './support/packed-project.ts';

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

const PROCESSES = 2;

/** CPU time in milliseconds by its purpose. */
interface Costs extends Record<string, unknown> {
  /** The number of different servers. */
  different: number;
}

/** One empty project has the tarballs and all runners, because an installation takes longer than the tests. */
let packed: PackedPackages;
let project: string | null = null;
before(() => {
  packed = packPackages();
  project = packed.project(RUNNERS.map(({ spec }) => spec));
});
after(() => packed[Symbol.dispose]());

/** Writes the integrator's tests for the runner that `imports` names. Returns their folder. */
function writeTests(within: string, name: string, imports: string): string {
  const folder = join(within, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  cpSync(join(import.meta.dirname, 'support/integrator.mjs'), join(folder, 'integrator.mjs'));
  writeFileSync(
    join(folder, 'integrator.test.mjs'),
    `${imports}\nimport { tests } from './integrator.mjs';\n` +
      'for (const [name, run] of Object.entries(tests)) test(name, run);\n',
  );
  return folder;
}

test('fifty servers run at once and leave nothing open', (context) => {
  if (project === null) return context.skip(NOT_INSTALLED);
  cpSync(join(import.meta.dirname, 'support/costs.mjs'), join(project, 'costs.mjs'));
  const costs = Array.from({ length: PROCESSES }, () => {
    const options = { cwd: project ?? '', env, encoding: 'utf8', timeout: 60_000 } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, ['costs.mjs'], options);
    assert.equal(status, 0, `it does not end by itself: ${stderr}`);
    const { different, ...figures } = JSON.parse(stdout) as Costs;
    assert.equal(different, 50);
    return figures;
  });
  for (const name of Object.keys(costs[0] ?? {})) {
    const figures = costs.map((figure) => figure[name] as number);
    context.diagnostic(`${name}: ${Math.min(...figures)} to ${Math.max(...figures)}`);
  }
});

test('the installed tarballs serve tests of node:test under Node 24', async (context) => {
  const { command, problem } = await runtime('Node 24');
  if (problem !== undefined) return context.skip(problem);
  if (project === null) return context.skip(NOT_INSTALLED);
  const [executable, ...args] = command;
  const run = spawnSync(executable, [...args, '--test', '--test-reporter=tap'], {
    cwd: writeTests(project, 'node-test', "import { test } from 'node:test';"),
    env,
    encoding: 'utf8',
    timeout: 120_000,
  });
  assert.match(run.stdout, /^# pass 6$/m, run.stdout + run.stderr);
  context.diagnostic(`node:test: ${/^# duration_ms (\d+)/m.exec(run.stdout)?.[1]} ms`);
});

for (const { name, program, args, imports, options } of RUNNERS) {
  test(`the installed tarballs serve tests of ${name}`, (context) => {
    if (project === null) return context.skip(NOT_INSTALLED);
    const folder = writeTests(project, name, imports);
    const run = spawnSync(
      process.execPath,
      [join(project, 'node_modules', program), ...args, '--outputFile=report.json'],
      {
        cwd: folder,
        env: { ...env, NODE_OPTIONS: options, CI: 'true' },
        encoding: 'utf8',
        timeout: 120_000,
      },
    );
    assert.equal(run.status, 0, run.stdout + run.stderr);
    const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as Report;
    assert.deepEqual([report.numPassedTests, report.numFailedTests], [6, 0], run.stdout);
    assert.deepEqual(report.openHandles ?? [], []);
    const [{ startTime, endTime } = { startTime: 0, endTime: 0 }] = report.testResults;
    context.diagnostic(`${name}: ${Math.round(endTime - startTime)} ms`);
  });
}
