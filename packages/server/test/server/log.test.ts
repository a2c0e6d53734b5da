// The log is not worth a token: where it cannot be written, lines are lost and callers are served.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { eventually } from '@mintmark/test-support/eventually';
import { temporaryFolder } from '@mintmark/test-support/command-line';
import { freePort, startServer } from '@mintmark/test-support/server';

const BINARY = new URL('../../bin/mintmark.mjs', import.meta.url).pathname;

test('a log on a full disk loses lines while the server works', async (t) => {
  if (!existsSync('/dev/full')) return t.skip('NOT RUN: there is no /dev/full here. Run it on Linux.');
  const dataDir = temporaryFolder();
  const port = await freePort();
  const env = {
    PATH: process.env['PATH'] ?? '',
    MINTMARK_PORT: String(port),
    MINTMARK_DATA_DIR: dataDir,
    MINTMARK_DRAIN: '0',
    BINARY,
  };
  const child = spawn('sh', ['-c', `exec "${process.execPath}" "$BINARY" serve 2>/dev/full`], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let printed = '';
  child.stdout.on('data', (text) => (printed += String(text)));
  try {
    await eventually(() => printed.includes('mintmark is ready'), 60_000, 'ready');
    for (let i = 0; i < 4; i++) {
      const response = await fetch(`http://localhost:${port}/marketing/oauth2/token`, {
        method: 'POST',
        body: new URLSearchParams({ client_id: 'api_nobody', client_secret: 'mms_wrong' }),
        signal: AbortSignal.timeout(30_000),
      });
      assert.equal(response.status, 403);
      await new Promise((resolve) => setTimeout(resolve, 700)); // in which refusals are logged
    }
    child.kill('SIGTERM');
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(code, 0);
  } finally {
    child.kill('SIGKILL');
    rmSync(dataDir, { recursive: true, force: true });
  }
});

/** Starts `mintmark serve` on a terminal of its own, makes one refused request, stops it; resolves to what the terminal showed. */
async function onTerminal(settings: Record<string, string>): Promise<string[]> {
  const dataDir = temporaryFolder();
  const port = await freePort();
  const child = spawn('script', ['-qec', `"${process.execPath}" "${BINARY}" serve`, '/dev/null'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      MINTMARK_PORT: String(port),
      MINTMARK_DATA_DIR: dataDir,
      MINTMARK_DRAIN: '0',
      ...settings,
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  child.stdout.on('data', (text) => (shown += String(text)));
  try {
    await eventually(() => shown.includes('mintmark is ready'), 30_000, 'ready');
    const body = new URLSearchParams({ client_id: 'no\u001b[2Jbody', client_secret: 'mms_wrong' });
    await fetch(`http://localhost:${port}/marketing/oauth2/token`, { method: 'POST', body });
    await eventually(() => shown.includes('request refused'), 10_000, 'the refusal is logged');
    const closed = once(child, 'close');
    child.stdin.write('\u0003'); // Ctrl-C
    await closed;
  } finally {
    child.kill('SIGKILL');
    rmSync(dataDir, { recursive: true, force: true });
  }
  return shown.split('\r\n').filter((line) => line !== '');
}

const NO_TERMINAL =
  spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0 ? false : 'there is no script(1)';

test('on a terminal each line of the log is for a person', { skip: NO_TERMINAL }, async () => {
  const lines = await onTerminal({});
  for (const line of lines) assert.doesNotMatch(line, /^\s*\{/);
  assert.match(lines[0] ?? '', /^\d{4}-\d\d-\d\dT[\d:]+Z INFO {2}the store was migrated/);
  const refused = lines.find((line) => line.includes('request refused')) ?? '';
  assert.match(refused, /INFO {2}request refused .*reason=unknown_client/);
  assert.ok(!lines.join('').includes('\u001b'), 'a caller does not move the cursor');
});

test('a setting makes the log JSON on a terminal', { skip: NO_TERMINAL }, async () => {
  const lines = await onTerminal({ MINTMARK_LOG_FORMAT: 'json' });
  const { msg } = JSON.parse(lines[0] ?? '') as { msg: string };
  assert.equal(msg, 'the store was migrated');
});

test('logs to files and pipes are JSON unless set to text', async () => {
  for (const [format, expected] of [
    [undefined, /^\{"level":30,/m],
    ['auto', /^\{"level":30,/m],
    ['text', /^\S+Z INFO {2}the store was migrated/m],
  ] as const) {
    await using server = await startServer({
      dataDir: temporaryFolder(), // to be migrated
      ...(format !== undefined && { env: { MINTMARK_LOG_FORMAT: format } }),
    });
    assert.match(server.output(), expected);
  }
});
