// What a stranger does: clone, npm start, paste the line that it prints.
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { freePort } from '../packages/server/test/support/server.ts';
import { registryAnswers, userEnvironment } from './user-environment.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const READY_MS = 150_000; // well under a minute on a quiet machine; this one may run everything else at the same time
const EXIT_MS = 30_000;

const execute = promisify(execFile);

/** Resolves when it is ready; rejects with what it printed when it ends or takes too long. */
async function ready(child: ChildProcess, output: () => string, line: string): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (!output().includes(line)) {
    assert.equal(child.exitCode, null, `npm ended:\n${output()}`);
    assert.ok(Date.now() < deadline, `npm was not ready in time:\n${output()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Whatever is left of what npm started. */
function endGroup(child: ChildProcess): void {
  try {
    process.kill(-(child.pid ?? 0), 'SIGKILL');
  } catch {
    // nothing is left
  }
}

const start = (clone: string, env: NodeJS.ProcessEnv): Promise<Started> =>
  startNpm(clone, env, ['start'], 'mintmark is ready');

interface Started {
  child: ChildProcess;
  output(): string;
}

async function startNpm(
  clone: string,
  env: NodeJS.ProcessEnv,
  args: string[],
  readyLine: string,
): Promise<Started> {
  const child = spawn('npm', args, {
    cwd: clone,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (printed += text));
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

/** Ctrl-C: the terminal signals everything that npm started. */
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

/** What the README of the example says. */
async function callMarketingApi(clone: string, issuer: string, env: NodeJS.ProcessEnv): Promise<void> {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const json = async (...args: string[]) => {
    const { stdout } = await execute('npx', ['mintmark', ...args, '--json'], { cwd: clone, env });
    return JSON.parse(stdout) as Record<string, string>;
  };
  const grants = ['--audience', url, '--scope', 'campaigns:read'];
  const { client_id: id = '', client_secret: secret } = await json(
    'api-user',
    'create',
    '--name',
    'Reports',
    ...grants,
  );
  const asked = ['mintmark', 'token', '--url', issuer, '--client-id', id];
  const tokenEnv = { ...env, MINTMARK_CLIENT_SECRET: secret };
  const { stdout: token } = await execute('npx', asked, { cwd: clone, env: tokenEnv });
  const args = ['run', 'marketing-api', '--', issuer, String(port)];
  const api = await startNpm(clone, env, args, '/v1/portfolio');
  try {
    const headers = { Authorization: `Bearer ${token.trim()}` };
    const portfolio = await fetch(`${url}/v1/portfolio`, { headers });
    const body = (await portfolio.json()) as Record<string, unknown>;
    assert.equal(body['caller'], id, JSON.stringify(body));
  } finally {
    await interrupt(api.child);
  }
}

void test('a fresh clone serves a token after one command', { timeout: 400_000 }, async (t: TestContext) => {
  const env = userEnvironment();
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
    await execute('git', ['clone', '--quiet', ROOT, clone], { env });
    const port = await freePort();
    const base = `http://127.0.0.1:${port}`;
    const startedAt = performance.now();
    const first = await start(clone, { ...env, MINTMARK_PORT: String(port) });
    t.diagnostic(`from npm start to ready: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    try {
      const [curl = ''] = /curl .*/.exec(first.output()) ?? [];
      const { stdout } = await execute('sh', ['-c', `${curl} -s`], { env });
      const token = JSON.parse(stdout) as Record<string, unknown>;
      assert.equal(token['token_type'], 'Bearer');
      assert.match(String(token['access_token']), /^[\w-]+\.[\w-]+\.[\w-]+$/);
      await callMarketingApi(clone, `http://localhost:${port}/marketing`, env);
    } finally {
      await interrupt(first.child);
    }
    assert.ok(await refused(`${base}/livez`), 'the server ends with npm');

    const secondAt = performance.now();
    const second = await start(clone, { ...env, MINTMARK_PORT: String(port) });
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
