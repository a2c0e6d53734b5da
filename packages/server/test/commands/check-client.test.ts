// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { BINARY, finished } from '@mintmark/test-support/binary';
import { temporaryFolder } from '@mintmark/test-support/command-line';
import { eventually } from '@mintmark/test-support/eventually';
import { mintmark } from '@mintmark/test-support/server';
import { EXIT } from '../../src/commands/exit-code.ts';

const PATH = process.env['PATH'] ?? '';
/** The server starts in this time on a busy machine. */
const START_MS = 60_000;
const PLANTED = join(import.meta.dirname, '../check-client/clients/planted.ts');

const check = (fault: string, ...options: string[]) =>
  mintmark(['check-client', '--only', 'cache', ...options, '--', process.execPath, PLANTED, fault], {
    env: { PATH },
  });

test('mintmark check-client prints a verdict for each check, exit code 0', async () => {
  const { code, out, err } = await check('none');
  assert.deepEqual([code, err], [0, 'cache: One token for many calls …\n']);
  const [heading, ...rows] = out.trimEnd().split('\n');
  assert.match(String(heading), /^check +rule +verdict +what it did$/);
  assert.match(String(rows[0]), /^cache +One token for many calls +yes +1 token request for 20 calls\.$/);
  assert.match(
    String(rows[1]),
    /^leaks +No secret and no token on stdout and stderr +yes +It printed neither\.$/,
  );
});

test('a verdict "no" ends mintmark check-client with exit code 6', async () => {
  const { code, out, err } = await check('no cache');
  assert.equal(code, EXIT.checkFailed);
  assert.match(out, /^cache .* no +20 token requests for 20 calls\.$/m);
  assert.match(err, /mintmark: 1 of 2 checks failed\.\n$/);
});

test('mintmark check-client --json prints the checks and no secret', async () => {
  const { code, out, err } = await check('prints the secret', '--json');
  assert.equal(code, EXIT.checkFailed);
  const checks = JSON.parse(out) as Record<string, string>[];
  assert.deepEqual(
    checks.map(({ name, verdict }) => [name, verdict]),
    [
      ['cache', 'yes'],
      ['leaks', 'no'],
    ],
  );
  assert.match(String(checks[0]?.['lastLine']), /^secret: …$/);
  assert.doesNotMatch(out + err, /mms_\w+_\w+/);
});

test('mintmark check-client fails if it could judge nothing', async () => {
  const { code, err } = await check('never calls');
  assert.equal(code, EXIT.checkFailed);
  assert.match(err, /Nothing could be judged: the program must call MINTMARK_API_URL/);
});

test('a program that cannot be started is refused with its name', async () => {
  const { code, err } = await mintmark(['check-client', '--', './no-such-program'], { env: { PATH } });
  assert.equal(code, EXIT.refused);
  assert.match(err, /mintmark: The program "\.\/no-such-program" cannot be started \(ENOENT\)/);
});

test('an unknown check is refused with all names, exit code 2', async () => {
  const { code, err } = await mintmark(['check-client', '--only', 'cash', '--', 'true']);
  assert.equal(code, EXIT.usage);
  assert.match(err, /There is no check 'cash'\. There are: cache, parallel, renewal,/);
});

test('the scope and audience of the options can be requested', async () => {
  const folder = temporaryFolder();
  const program = join(folder, 'program.mjs');
  writeFileSync(
    program,
    `const { MINTMARK_CLIENT_ID, MINTMARK_CLIENT_SECRET, MINTMARK_TOKEN_URL, MINTMARK_API_URL } = process.env;
     const body = new URLSearchParams({ client_id: MINTMARK_CLIENT_ID, client_secret: MINTMARK_CLIENT_SECRET,
       scope: 'reports:read', resource: 'https://reports.example.com' });
     const { access_token } = await (await fetch(MINTMARK_TOKEN_URL, { method: 'POST', body })).json();
     const headers = { authorization: 'Bearer ' + access_token };
     for (let i = 0; i < 20; i++) if (!(await fetch(MINTMARK_API_URL, { headers })).ok) process.exit(1);`,
  );
  const options = ['--scope', 'reports:read', '--audience', 'https://reports.example.com'];
  const { code, out } = await mintmark(
    ['check-client', '--only', 'cache', ...options, '--', process.execPath, program],
    { env: { PATH } },
  );
  rmSync(folder, { recursive: true });
  assert.equal(code, 0, out);
});

test('SIGTERM ends mintmark check-client and the processes of the program', async () => {
  const folder = temporaryFolder();
  const pidFile = join(folder, 'pid');
  // A process that the program started, and that ignores SIGTERM.
  const script = `trap '' TERM; sleep 600 & echo $! > '${pidFile}'; wait`;
  const child = spawn(
    process.execPath,
    [BINARY, 'check-client', '--only', 'cache', '--', 'sh', '-c', script],
    {
      env: { PATH },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const result = finished(child);
  const pid = await eventually(() => {
    const text = existsSync(pidFile) ? readFileSync(pidFile, 'utf8').trim() : '';
    assert.notEqual(text, '');
    return Number(text);
  }, START_MS);
  child.kill('SIGTERM');
  const { code, err } = await result;
  rmSync(folder, { recursive: true });
  assert.equal(code, EXIT.checkFailed, err);
  assert.match(err, /SIGTERM: the check was not finished/);
  await eventually(() => assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' }));
});
