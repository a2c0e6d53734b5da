import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { runtime } from '@mintmark/test-support/runtimes';
import { CHECKS } from '../src/index.ts';
import { startReferenceServer } from './support/reference-server.ts';
import { SCOPES } from './support/subject.ts';

// The package as npm would publish it: compiled, without sources, without dependencies.

const ROOT = new URL('../../..', import.meta.url).pathname;
const PACKAGE = new URL('..', import.meta.url).pathname;
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
const execute = promisify(execFile);

let folder: string;
/** Where npm would install it. */
let installed: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'mintmark-package-'));
  installed = join(folder, 'node_modules/@mintmark/conformance');
  mkdirSync(installed, { recursive: true });
  for (const name of ['package.json', 'README.md', 'LICENSE', 'bin'])
    cpSync(join(PACKAGE, name), join(installed, name), { recursive: true });
  const outDir = join(installed, 'dist');
  execFileSync(process.execPath, [TSC, '-p', join(PACKAGE, 'tsconfig.build.json'), '--outDir', outDir]);
});
after(() => rmSync(folder, { recursive: true }));

test('the package has no fault that publint finds', async () => {
  const { messages } = await publint({ pkgDir: installed, strict: true, pack: false });
  assert.deepEqual(messages, []);
});

test('the compiled command checks a server under Node 20', async (context) => {
  const { command, problem } = await runtime('Node 20');
  if (problem !== undefined) return context.skip(problem);
  await using server = await startReferenceServer(null);
  const { url, client } = server.target;
  const file = join(folder, 'secret');
  writeFileSync(file, client.secret);
  const [executable, ...args] = command;
  const program = join(installed, 'bin/mintmark-conformance.mjs');
  const options = ['--client-id', client.id, '--client-secret-file', file, '--scope', SCOPES.join(' ')];
  const { stdout } = await execute(executable, [...args, program, url, ...options]);
  assert.match(stdout, new RegExp(`\n${CHECKS.length} checks: \\d{3} passed, 0 MUST failed`));
});

test('a program gets results with their types from the package', async () => {
  const program = `
    import { CHECKS, summaryOf, type CheckResult } from '@mintmark/conformance';
    const results: readonly CheckResult[] = [];
    const { failedMust }: { failedMust: number } = summaryOf(results);
    export const count: number = CHECKS.length + failedMust;
  `;
  writeFileSync(join(folder, 'use.ts'), program);
  writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}');
  const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')];
  const flags = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2022', ...types];
  await execute(process.execPath, [TSC, ...flags, 'use.ts'], { cwd: folder });
  const printed = 'console.log((await import("@mintmark/conformance")).CHECKS.length)';
  const { stdout } = await execute(process.execPath, ['--input-type=module', '-e', printed], { cwd: folder });
  assert.equal(Number(stdout), CHECKS.length);
});
