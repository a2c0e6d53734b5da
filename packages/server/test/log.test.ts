// The log is not worth a token: where it cannot be written, lines are lost and callers are served.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { temporaryFolder, eventually } from './support/command-line.ts';
import { freePort } from './support/server.ts';

const BINARY = new URL('../bin/mintmark.mjs', import.meta.url).pathname;

test('a log on a full disk loses lines; the server answers on, and stops when it is told to', async (t) => {
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
    await eventually('ready', 15_000, () => printed.includes('mintmark is ready'));
    for (let i = 0; i < 4; i++) {
      const response = await fetch(`http://localhost:${port}/marketing/oauth2/token`, {
        method: 'POST',
        body: new URLSearchParams({ client_id: 'api_nobody', client_secret: 'mms_wrong' }),
        signal: AbortSignal.timeout(5000),
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
