// Test setup: own store, own limits, first.
// What npm would publish, as an integrator uses it with node:test.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { startServer } from '@mintmark/test-support/server';
import { startSandboxProcess } from '@mintmark/test-support/sandbox-process';
import { env, NOT_INSTALLED, packPackages, ROOT, type PackedPackages } from './support/packed-project.ts';

const execute = promisify(execFile);

let packed: PackedPackages;
before(() => (packed = packPackages()));
after(() => packed[Symbol.dispose]());

test('publint finds nothing, and the tarball has only its files', async () => {
  const { messages } = await publint({ pkgDir: packed.testing, strict: true, pack: false });
  assert.deepEqual(messages, []);
  const files = execFileSync('tar', ['-tzf', packed.tarballs['testing'] ?? ''], { encoding: 'utf8' });
  assert.deepEqual(files.trim().split('\n').toSorted(), [
    'package/LICENSE',
    'package/README.md',
    'package/dist/index.d.ts',
    'package/dist/index.js',
    'package/package.json',
  ]);
});

test('attw finds the types of the entry right under ESM', async () => {
  const attw = join(ROOT, 'node_modules/@arethetypeswrong/cli/dist/index.js');
  const args = [attw, packed.tarballs['testing'] ?? '', '--profile', 'esm-only', '--format', 'ascii'];
  // It exits with 1 when it finds a problem.
  const { stdout } = await execute(process.execPath, args, { cwd: packed.testing });
  // The entry, and package.json.
  for (const kind of ['node16 (from ESM)', 'bundler'])
    assert.equal(stdout.split(`${kind}: 🟢`).length - 1, 2, stdout);
});

test('the tarball of the server holds the console, no sources or tests', () => {
  const files = execFileSync('tar', ['-tzf', packed.tarballs['server'] ?? ''], { encoding: 'utf8' })
    .trim()
    .split('\n');
  for (const file of files) {
    assert.match(
      file,
      /^package\/(dist\/[\w/.-]+\.(js|d\.ts)|bin\/mintmark\.mjs|console\/dist\/.+|package\.json|README\.md|LICENSE)$/,
    );
  }
  for (const file of ['dist/main.js', 'dist/storage/sqlite/worker.js', 'console/dist/index.html', 'LICENSE'])
    assert.ok(files.includes(`package/${file}`), file);
});

const TYPED = `
  import { startMintmark, type Fault, type Mintmark } from '@mintmark/testing';
  const fault: Fault = { endpoint: 'token', reset: 'in the body' };
  await using mint: Mintmark = await startMintmark({ settings: { MINTMARK_TOKEN_LIFE: '60' } });
  mint.faults.next(fault).then({ status: 503, retryAfter: 2 });
  const { clientId }: { clientId: string } = await mint.createApiUser({ scopes: ['a'] });
  export const token: string = await mint.token({ clientId, expired: true });
  // @ts-expect-error: there is no such endpoint
  mint.faults.next({ endpoint: 'tokens', status: 500 });
  // @ts-expect-error: the journal cannot be changed
  mint.requests.length = 0;
`;

test('the installed tarballs issue tokens, serve tests of node:test and have types', async (context) => {
  const project = packed.project();
  if (project === null) return context.skip(NOT_INSTALLED);
  cpSync(join(import.meta.dirname, 'support/integrator.mjs'), join(project, 'integrator.mjs'));
  writeFileSync(
    join(project, 'integrator.test.mjs'),
    `import { test } from 'node:test';
     import { tests } from './integrator.mjs';
     for (const [name, run] of Object.entries(tests)) test(name, run);`,
  );
  const run = await execute(process.execPath, ['--test', '--test-reporter=tap'], { cwd: project, env });
  assert.match(run.stdout, /^# pass 6$/m);
  context.diagnostic(`node:test: ${/^# duration_ms (\d+)/m.exec(run.stdout)?.[1]} ms`);

  await serves(join(project, 'node_modules/mintmark'));

  writeFileSync(join(project, 'use.mts'), TYPED);
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')];
  const flags = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'esnext', ...types];
  await execute(process.execPath, [tsc, ...flags, 'use.mts'], { cwd: project }).catch(
    ({ stdout }: { stdout: string }) => assert.fail(stdout),
  );
});

/** The installed server runs from its compiled files. */
async function serves(installed: string): Promise<void> {
  assert.ok(!existsSync(join(installed, 'src')), 'nothing is there whose types would have to be stripped');
  const program = join(installed, 'bin/mintmark.mjs');
  await using server = await startServer({ program });
  const { clientId: client_id, clientSecret: client_secret } = server;
  assert.equal((await server.post({ client_id, client_secret })).status, 200);
  const page = await (await fetch(new URL('/console/', server.url))).text();
  const [script = ''] = /\/console\/assets\/[\w.-]+\.js/.exec(page) ?? [];
  assert.equal((await fetch(new URL(script, server.url))).status, 200, `the console's script ${script}`);
  await using sandbox = await startSandboxProcess([], {}, program);
  assert.equal((await fetch(`${sandbox.control_url}/sandbox`)).status, 200);
  const command = [join(installed, '../.bin/mintmark'), '--version'];
  const told = execFileSync(process.execPath, command, { env, encoding: 'utf8' });
  const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
    version: string;
  };
  assert.equal(told.trim(), version);
}
