// Test setup: own store.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@mintmark/test-support/command-line';
import { freePort } from '@mintmark/test-support/free-port';
import { loadedHandler } from '../../src/http/loaded-handler.ts';
import { ServedRequest } from '../../src/http/served-request.ts';
import { ServedResponse } from '../../src/http/served-response.ts';

const MINTMARK = fileURLToPath(new URL('../../bin/mintmark.mjs', import.meta.url));

/** Writes the URL of each loaded module into a file. */
const RECORDER = `
import { registerHooks } from 'node:module';
import { appendFileSync } from 'node:fs';
registerHooks({ load(url, context, next) { appendFileSync(process.env.LOADED, url + '\\n'); return next(url, context); } });
`;

void test('the first request for the admin API loads its code', async () => {
  const folder = temporaryFolder();
  const port = await freePort();
  const recorder = join(folder, 'recorder.mjs');
  const loadedFile = join(folder, 'loaded');
  writeFileSync(recorder, RECORDER);
  writeFileSync(loadedFile, '');
  const env = {
    ...process.env,
    LOADED: loadedFile,
    MINTMARK_DATA_DIR: join(folder, 'data'),
    MINTMARK_PORT: String(port),
  };
  const server = spawn(process.execPath, ['--import', recorder, MINTMARK, 'serve'], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let printed = '';
  for await (const text of server.stdout) {
    printed += String(text);
    if (printed.includes('mintmark is ready')) break;
  }
  const packages = (): string[] =>
    ['fastify', 'typebox', 'prom-client', 'pg', '@redis/client', '@zxcvbn-ts/core'].filter((name) =>
      readFileSync(loadedFile, 'utf8').includes(`/node_modules/${name}/`),
    );
  const at = async (path: string, init: RequestInit = {}) =>
    (await fetch(`http://localhost:${port}${path}`, init)).status;

  const [, id = ''] = /client_id +(\S+)/.exec(printed) ?? [];
  const [, secret = ''] = /client_secret +(\S+)/.exec(printed) ?? [];
  const body = new URLSearchParams({ client_id: id, client_secret: secret });
  assert.equal(await at('/marketing/oauth2/token', { method: 'POST', body }), 200);
  for (const path of ['/livez', '/readyz', '/openapi.json', '/marketing/.well-known/jwks.json'])
    assert.equal(await at(path), 200);
  assert.equal(await at('/nothing'), 404);
  assert.deepEqual(packages(), []);
  assert.equal(await at('/metrics'), 200);
  assert.deepEqual(packages(), ['prom-client']);

  const first = await Promise.all([
    at('/marketing/admin/v1/api-users'),
    at('/marketing/admin/v1/openapi.json'),
  ]);
  assert.deepEqual(first, [401, 200]);
  assert.deepEqual(packages(), ['fastify', 'typebox', 'prom-client']);
  server.kill('SIGINT');
  await once(server, 'exit');
});

void test('a handler that cannot be loaded answers 500 until it can', async () => {
  const lines: unknown[] = [];
  let works = false;
  const handler = loadedHandler(
    async () => {
      if (!works) throw new Error('A file is missing.');
      return (_request, response) => void response.end('loaded');
    },
    { error: (line: unknown) => void lines.push(line) },
  );
  const server = createServer(
    { IncomingMessage: ServedRequest, ServerResponse: ServedResponse },
    handler,
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const get = async () => await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const failed = await get();
  assert.equal(failed.status, 500);
  assert.equal(((await failed.json()) as { error: string }).error, 'server_error');
  assert.equal(lines.length, 1);
  works = true;
  assert.equal(await (await get()).text(), 'loaded');
  assert.equal(await (await get()).text(), 'loaded');
  server.close();
  server.closeAllConnections();
});
