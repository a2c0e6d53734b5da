// Test setup: PostgreSQL, first, long.
// Workers whose code or whose primary process changes under them. With `npm test -- --long`.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { finished } from '@mintmark/test-support/binary';
import { eventually } from '@mintmark/test-support/eventually';
import { temporaryFolder } from '@mintmark/test-support/command-line';
import { doomedWorkers } from '@mintmark/test-support/doomed-workers';
import { freePort } from '@mintmark/test-support/free-port';
import { undoMigrations } from '@mintmark/test-support/former-migrations';
import { startPostgres } from '@mintmark/test-support/postgres';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';
import { startServer } from '@mintmark/test-support/server';

const ROOT = new URL('../../../..', import.meta.url).pathname;
/** A worker starts within a second where nothing else runs; tests run beside others. */
const STARTED_MS = 60_000;

test("SIGHUP to npm's script reaches the server, and its new workers run the code that is on the disk then", async () => {
  const folder = temporaryFolder();
  for (const part of ['scripts', 'package.json', 'package-lock.json', 'packages/server']) {
    cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const port = await freePort();
  const child = spawn(process.execPath, [join(folder, 'scripts/run.mjs'), 'mintmark', 'serve'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      MINTMARK_DATA_DIR: join(folder, 'data'),
      MINTMARK_PORT: String(port),
      MINTMARK_WORKERS: '2',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const run = finished(child, 3 * STARTED_MS);
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: string) => (printed += text));
  }
  try {
    await eventually(() => printed.includes('mintmark is ready'), STARTED_MS, 'it serves');
    const { version } = JSON.parse(readFileSync(join(ROOT, 'packages/server/package.json'), 'utf8')) as {
      version: string;
    };
    assert.deepEqual(await versions(port), [version]);
    const code = join(folder, 'packages/server/src/lib/version.ts');
    writeFileSync(code, "export const VERSION: string = '7.7.7';\n");
    child.kill('SIGHUP');
    await eventually(() => printed.includes('all workers are new'), 2 * STARTED_MS, 'all are new');
    assert.deepEqual(await versions(port), ['7.7.7']);
  } finally {
    child.kill('SIGTERM');
  }
  assert.equal((await run).code, 0, printed);
  rmSync(folder, { recursive: true });
});

async function versions(port: number): Promise<string[]> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Array.from(
    new Set(
      Array.from(text.matchAll(/^mintmark_build_info\{.*?version="([^"]*)"/gm), ([, version]) => version!),
    ),
  );
}

test('a worker whose primary process is killed before it serves ends by itself', async () => {
  using workers = await doomedWorkers('./no-primary.mjs');
  const { child } = workers;
  let worker = 0;
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    worker ||= Number(/no-primary: (\d+)/.exec(text)?.[1] ?? 0);
  });
  let printed = '';
  child.stdout?.on('data', (text: string) => (printed += text));
  await once(child, 'exit'); // its output stays open for as long as the worker has it
  try {
    await eventually(() => worker > 0, 5000, 'the worker is named');
    await eventually(() => !isThere(worker), 10_000, 'the worker is gone');
  } finally {
    if (worker > 0 && isThere(worker)) process.kill(worker, 'SIGKILL');
  }
  assert.equal(child.signalCode, 'SIGKILL');
  assert.doesNotMatch(printed, /mintmark is ready/);
});

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test(
  'a worker that migrates for longer than one may take to start is left to it, also after SIGHUP',
  { skip: postgresMissing() },
  async () => {
    await using postgres = await startPostgres();
    const database = await postgres.newDatabase();
    const env = {
      DATABASE_URL: postgres.url(database),
      MINTMARK_MASTER_KEY: 'ab'.repeat(32),
      MINTMARK_WORKERS: '2',
    };
    await using server = await startServer({ env, readyMs: 2 * STARTED_MS });
    server.noteSecret(server.clientSecret);
    await postgres.sql(undoMigrations('008-passwords', 'postgres').join('; '), database);
    // Kysely's: to wait for it is as long as to migrate.
    const held = postgres.sql('select pg_advisory_lock(3853314791062309107), pg_sleep(70)', database);
    await sleep(500);
    server.process.kill('SIGHUP');
    await held;
    await eventually(() => server.output().includes('all workers are new'), 2 * STARTED_MS, 'all are new');
    assert.match(server.output(), /"migrated":\["008-passwords"/);
    assert.doesNotMatch(server.output(), /could not start/);
    await server.stop();
  },
);
