// Test setup: own store, first.
// Acts like a new user: pastes the README’s lines into a fresh clone, one after the other, and packs the packages there.
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { freePort } from '@mintmark/test-support/server';
import { pack, PACKAGES } from './packages.ts';
import { registryAnswers, userEnvironment } from './user-environment.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const READY_MS = 240_000; // well under a minute on a quiet machine; this one may run everything else at the same time
const EXIT_MS = 30_000;

const execute = promisify(execFile);

/** Resolves when the line appears; rejects with the output on exit or timeout. */
async function ready(child: ChildProcess, output: () => string, line: string): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (!output().includes(line)) {
    assert.equal(child.exitCode, null, `npm ended:\n${output()}`);
    assert.ok(Date.now() < deadline, `npm was not ready in time:\n${output()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Ends all remaining processes of npm. */
function endGroup(child: ChildProcess): void {
  try {
    process.kill(-(child.pid ?? 0), 'SIGKILL');
  } catch {
    // The group has ended.
  }
}

interface Started {
  child: ChildProcess;
  output(): string;
}

/** Runs a line in its own terminal until it prints `readyLine`. */
async function inTerminal(
  line: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
  readyLine: string,
): Promise<Started> {
  const child = spawn('sh', ['-c', line], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  }
  const output = () => printed;
  try {
    await ready(child, output, readyLine);
  } catch (error) {
    endGroup(child);
    throw error;
  }
  return { child, output };
}

/** Ctrl-C: the terminal signals all processes of npm. */
async function interrupt(child: ChildProcess): Promise<void> {
  const exited = child.exitCode === null ? once(child, 'exit') : undefined;
  const timer = setTimeout(() => endGroup(child), EXIT_MS);
  process.kill(-(child.pid ?? 0), 'SIGINT');
  await exited;
  clearTimeout(timer);
}

async function refused(url: string): Promise<boolean> {
  const deadline = Date.now() + EXIT_MS;
  while (Date.now() < deadline) {
    const answered = await fetch(url).then(
      () => true,
      () => false,
    );
    if (!answered) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}

/** The code blocks of a document, up to its first second-level heading. */
function blocksOf(path: string, language: 'sh' | 'ts'): string[] {
  const [opening = ''] = readFileSync(path, 'utf8').split('\n## ');
  return Array.from(opening.matchAll(/^```(\w+)\n([^]*?)^```$/gm))
    .filter(([, name]) => name === language)
    .map(([, , code = '']) => code);
}

interface Ports {
  server: number;
  api: number;
}

/** A block with free ports in place of the defaults. */
function withPorts(block: string, { server, api }: Ports): string {
  const issuer = `http://localhost:${server}/marketing`;
  const url = `http://localhost:${api}`;
  return block
    .replace('<this repository>', ROOT)
    .replaceAll('localhost:8080', `localhost:${server}`)
    .replaceAll(/localhost:9090|(?<=listen\()9090/g, (found) => found.replace('9090', String(api)))
    .replaceAll(/^npm run marketing-api$/gm, `$& -- ${issuer} ${api}`)
    .replaceAll(/^npm run quickstart$/gm, `$& -- ${issuer} ${url}/v1/portfolio`)
    .replaceAll(/^npm run long-import$/gm, `$& -- ${issuer} ${url}`)
    .replaceAll(/^npm run fleet-files$/gm, `$& -- ${issuer}`);
}

/** Runs lines one after the other in one shell, as pasted; resolves to each one's output. */
async function pasteLines(lines: string[], cwd: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const script = join(dirname(cwd), 'pasted.sh');
  const mark = '=== the next line';
  writeFileSync(script, lines.map((line) => `${line}\necho\necho "${mark}"\n`).join(''));
  const { stdout } = await execute('sh', ['-e', script], { cwd, env, maxBuffer: 1e7 });
  return stdout.split(`${mark}\n`).slice(0, -1);
}

interface Pair {
  id: string;
  secret: string;
}

/** A block's lines with the id and secret filled in. */
const linesFor = ({ id, secret }: Pair, block: string): string[] =>
  block
    .trim()
    .split('\n')
    .map((line) => line.replaceAll('api_…', id).replaceAll('mms_…', secret));

/** The third terminal of the README. */
async function callExampleApi(
  clone: string,
  user: Pair,
  ports: Ports,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const [, , calls = ''] = blocksOf(join(clone, 'README.md'), 'sh');
  const first = await pasteLines(linesFor(user, withPorts(calls, ports)), clone, env);
  assert.equal(first.length, 5);
  const [, , data = '', quickstart = '', created = ''] = first;
  const portfolio = JSON.parse(data) as { caller: string; advertisers: unknown[] };
  assert.equal(portfolio.caller, user.id);
  assert.equal(portfolio.advertisers.length, 2);
  assert.match(quickstart, new RegExp(`caller: '${user.id}'[^]*Alpine Shoes`));
  assert.match(created, /^client_id +api_\w+$/m);
}

/** The third terminal of the example's own README. */
async function followExample(clone: string, user: Pair, ports: Ports, env: NodeJS.ProcessEnv): Promise<void> {
  const [, more = ''] = blocksOf(join(clone, 'examples/marketing-api/README.md'), 'sh');
  const lines = linesFor(user, withPorts(more, ports));
  const second = await pasteLines([...lines, 'echo "$TOKEN"'], clone, env);
  const [, , , again = '', imported = '', fleet = '', revoked = '', token = ''] = second;
  assert.match(again, /Alpine Shoes/);
  assert.match(imported, /imported 1000 items/);
  assert.match(fleet, /process \d+ has a token of \d+ characters/);
  assert.match(revoked, new RegExp(`revoked +tokens of ${user.id}`));
  const deadline = Date.now() + 15_000;
  const headers = { Authorization: `Bearer ${token.trim()}` };
  while ((await fetch(`http://localhost:${ports.api}/v1/portfolio`, { headers })).status !== 401) {
    assert.ok(Date.now() < deadline, 'the revoked token is still accepted');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Runs the README's API and client, two files of a project with Express, against the server. */
async function runCodeOfReadme(
  folder: string,
  user: Pair,
  ports: Ports,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const both = blocksOf(join(ROOT, 'README.md'), 'ts').map((code) => withPorts(code, ports));
  assert.equal(both.length, 2);
  const project = join(folder, 'project');
  mkdirSync(project);
  symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'), 'dir');
  writeFileSync(join(project, 'client.mts'), both[0] ?? '');
  writeFileSync(join(project, 'api.mts'), `${both[1]}console.log('the API listens');\n`);
  const flags = ['--import', join(ROOT, 'scripts/from-sources.mjs')];
  const line = [process.execPath, ...flags, 'api.mts'].map((word) => `'${word}'`).join(' ');
  const api = await inTerminal(`exec ${line}`, project, env, 'the API listens');
  try {
    const credentials = { MINTMARK_CLIENT_ID: user.id, MINTMARK_CLIENT_SECRET: user.secret };
    const options = { cwd: project, env: { ...env, ...credentials } };
    const { stdout } = await execute(process.execPath, [...flags, 'client.mts'], options);
    assert.equal(stdout.trim(), `{ caller: '${user.id}' }`);
  } finally {
    await interrupt(api.child);
  }
}

const BUILD_TOOLS = ['typescript', 'oxlint', 'playwright-core', 'express'];

/** The first build or test command installs the rest, while the server keeps running: here, that of `npm pack`. */
async function packagesArePacked(
  folder: string,
  clone: string,
  { server }: Ports,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const installed = () => BUILD_TOOLS.filter((name) => existsSync(join(clone, 'node_modules', name)));
  assert.deepEqual(installed(), []);
  for (const name of Object.keys(PACKAGES) as (keyof typeof PACKAGES)[]) await pack(clone, name, folder, env);
  assert.deepEqual(installed(), BUILD_TOOLS);
  assert.equal((await fetch(`http://localhost:${server}/readyz`)).status, 200);
}

/** Runs the README's blocks on free ports, each in a terminal. Resolves after Ctrl-C ends the server. */
async function followReadme(
  t: TestContext,
  folder: string,
  port: number,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const clone = join(folder, 'mintmark');
  const [startBlock = '', apiBlock = ''] = blocksOf(join(ROOT, 'README.md'), 'sh');
  const ports = { server: port, api: await freePort() };
  const startedAt = performance.now();
  const first = await inTerminal(withPorts(startBlock, ports), folder, env, 'mintmark is ready');
  t.diagnostic(`from git clone to ready: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  try {
    const [curl = ''] = /curl .*/.exec(first.output()) ?? [];
    const { stdout } = await execute('sh', ['-c', `${curl} -s`], { env });
    const token = JSON.parse(stdout) as Record<string, unknown>;
    assert.equal(token['token_type'], 'Bearer');
    assert.match(String(token['access_token']), /^[\w-]+\.[\w-]+\.[\w-]+$/);

    const [, id = ''] = /client_id +(\S+)/.exec(first.output()) ?? [];
    const [, secret = ''] = /client_secret +(\S+)/.exec(first.output()) ?? [];
    const api = await inTerminal(withPorts(apiBlock, ports), clone, env, '/v1/portfolio');
    try {
      await callExampleApi(clone, { id, secret }, ports, env);
      // Before the example's README, whose last line also revokes tokens issued in the next two seconds.
      await runCodeOfReadme(folder, { id, secret }, { ...ports, api: await freePort() }, env);
      await followExample(clone, { id, secret }, ports, env);
    } finally {
      await interrupt(api.child);
    }
    await packagesArePacked(folder, clone, ports, env);
  } finally {
    await interrupt(first.child);
  }
}

void test('each line of the README works in a fresh clone', { timeout: 580_000 }, async (t: TestContext) => {
  const port = await freePort();
  // What the run itself has just installed comes from npm's cache: a slow registry is not what is tried here.
  const env = { ...userEnvironment(), npm_config_prefer_offline: 'true', MINTMARK_PORT: String(port) };
  if (!registryAnswers(env)) {
    assert.ok(
      !process.env['CI'],
      'npm start in a fresh clone needs the npm registry, which cannot be reached',
    );
    t.skip('THE BOOTSTRAP WAS NOT TESTED: the npm registry cannot be reached');
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-bootstrap-'));
  try {
    const clone = join(folder, 'mintmark');
    const base = `http://127.0.0.1:${port}`;
    await followReadme(t, folder, port, env);
    assert.ok(await refused(`${base}/livez`), 'the server ends with npm');

    const secondAt = performance.now();
    const second = await inTerminal('exec npm start', clone, env, 'mintmark is ready');
    t.diagnostic(`the second time: ${((performance.now() - secondAt) / 1000).toFixed(1)} s`);
    assert.doesNotMatch(second.output(), /client_secret|installing/);
    try {
      second.child.kill('SIGTERM'); // npm alone, as a supervisor does
      assert.ok(await refused(`${base}/livez`), 'the server ends with npm');
    } finally {
      endGroup(second.child);
    }

    assert.ok(existsSync(join(clone, 'data/mintmark.db')));
    const { stdout: status } = await execute('git', ['status', '--porcelain'], { cwd: clone, env });
    assert.equal(status, '', 'nothing in the clone is new or changed');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
