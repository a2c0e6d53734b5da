// What npm would publish, as somebody who installs it finds it: compiled, in an empty folder, with what it depends on only.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { freePort } from '@mintmark/test-support/free-port';

const ROOT = new URL('../../../..', import.meta.url).pathname;
const PACKAGE = new URL('../..', import.meta.url).pathname;
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
const READY_MS = 60_000;

/** Without what the npm that runs these tests has put there. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|MINTMARK_|DATABASE_URL$)/i.test(name)),
);
env['PATH'] = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((path) => !path.includes('node_modules'))
  .join(delimiter);

let folder: string;
let tarball: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'mintmark-package-'));
  // Built beside the sources, as npm run build does, but nowhere where it could be taken for them.
  const copy = join(folder, 'package');
  for (const name of ['package.json', 'README.md', 'LICENSE', 'bin', 'console/dist']) {
    cpSync(join(PACKAGE, name), join(copy, name), { recursive: true });
  }
  const outDir = join(copy, 'dist');
  // What it would say of the types, npm run check says.
  const build = ['-p', join(PACKAGE, 'tsconfig.build.json'), '--noCheck'];
  execFileSync(process.execPath, [TSC, ...build, '--outDir', outDir]);
  const packed = execFileSync('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], {
    cwd: copy,
    env,
    stdio: 'pipe',
  });
  tarball = join(folder, packed.toString().trim().split('\n').at(-1) ?? '');
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** From npm's cache, else from the registry. Without either a failure in CI, and a skip that says so elsewhere. */
function installed(t: TestContext, project: string): boolean {
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{"private":true}');
  const flags = ['--omit=dev', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  const npm = spawnSync('npm', ['install', ...flags, '--fetch-retries=1', tarball], {
    cwd: project,
    env,
    encoding: 'utf8',
    timeout: 120_000,
  });
  if (npm.status === 0) return true;
  if (process.env['CI'] !== undefined) assert.fail(`npm install failed:\n${npm.stderr}`);
  console.error(`SKIPPED: the packed server was not tried: it could not be installed.\n${npm.stderr}`);
  t.skip('what the server depends on could not be installed from the npm cache or the registry');
  return false;
}

test('the tarball holds server and console, without sources and tests', () => {
  const files = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n');
  for (const file of files) {
    assert.match(
      file,
      /^package\/(dist\/[\w/.-]+\.(js|d\.ts)|bin\/mintmark\.mjs|console\/dist\/.+|package\.json|README\.md|LICENSE)$/,
    );
  }
  for (const file of [
    'dist/main.js',
    'dist/storage/sqlite/worker.js',
    'console/dist/index.html',
    'LICENSE',
  ]) {
    assert.ok(files.includes(`package/${file}`), file);
  }
});

test('the installed tarball issues a token and serves the console', async (t) => {
  const project = join(folder, 'project');
  if (!installed(t, project)) return;
  const server = join(project, 'node_modules/mintmark');
  assert.ok(!existsSync(join(server, 'src')), 'nothing is there whose types would have to be stripped');
  const port = String(await freePort());
  const binary = join(project, 'node_modules/.bin/mintmark');
  const child = spawn(process.execPath, [binary, 'serve'], {
    cwd: project,
    env: { ...env, MINTMARK_PORT: port, MINTMARK_DRAIN: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  try {
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
    }
    const deadline = Date.now() + READY_MS;
    while (!printed.includes('mintmark is ready')) {
      assert.ok(child.exitCode === null && Date.now() < deadline, `it did not start:\n${printed}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const [, id = ''] = /client_id +(\S+)/.exec(printed) ?? [];
    const [, secret = ''] = /client_secret +(\S+)/.exec(printed) ?? [];
    const form = new URLSearchParams({ client_id: id, client_secret: secret });
    const url = `http://127.0.0.1:${port}`;
    const token = await fetch(`${url}/marketing/oauth2/token`, { method: 'POST', body: form });
    assert.equal(token.status, 200, await token.text());
    const page = await fetch(`${url}/console/`);
    assert.equal(page.status, 200);
    const [script = ''] = /\/console\/assets\/[\w.-]+\.js/.exec(await page.text()) ?? [];
    assert.equal((await fetch(url + script)).status, 200, `the console's script ${script}`);
    const { version } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as {
      version: string;
    };
    const told = execFileSync(process.execPath, [binary, '--version'], {
      cwd: project,
      env,
      encoding: 'utf8',
    });
    assert.equal(told.trim(), version);
  } finally {
    const exited = child.exitCode === null ? once(child, 'exit') : undefined;
    child.kill('SIGTERM');
    await exited;
  }
  assert.equal(child.exitCode, 0);
});

test('the installed tarball has the entry of @mintmark/testing', (t) => {
  const project = join(folder, 'project');
  if (!existsSync(join(project, 'node_modules/mintmark'))) return t.skip('the tarball was not installed');
  const program = `
    const { startMintmark } = await import('mintmark/testing');
    const mint = await startMintmark();
    const { clientId } = await mint.createApiUser();
    console.log((await mint.token({ clientId })).split('.').length);
    await mint.stop();
  `;
  const run = [process.execPath, ['--input-type=module', '-e', program], { cwd: project, env }] as const;
  assert.equal(execFileSync(...run).toString(), '3\n');
});
