import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { finished } from '@mintmark/test-support/binary';
import { freePort, mintmark, startServer, type TestServer } from '@mintmark/test-support/server';
import { dropDatabase, withDatabase } from '@mintmark/test-support/store-under-test';
import { eventually } from '@mintmark/test-support/eventually';
import { sqlOn, temporaryFolder } from '@mintmark/test-support/command-line';

const WRAPPER = new URL('../../../../scripts/run.mjs', import.meta.url).pathname;
/** Long enough that nothing in these tests ends because of it. */
const LONG_MS = '60000';

interface SlowRequest {
  socket: Socket;
  /** Sends what is left of the body. */
  finish(): void;
  /** Everything that was answered, once the server has closed the connection. */
  answer: Promise<string>;
}

/** A token request of which the server has the headers and the first byte of the body. */
async function slowRequest(server: TestServer): Promise<SlowRequest> {
  const body = `client_id=${server.clientId}&client_secret=${server.clientSecret}`;
  const socket = connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => (received += text));
  const answer = once(socket, 'close').then(() => received);
  socket.write(
    'POST /marketing/oauth2/token HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n' +
      `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  await eventually(() => received.includes('100 Continue'), 10_000, 'the server has read the headers');
  socket.write(body.slice(0, 1));
  return { socket, answer, finish: () => void socket.write(body.slice(1)) };
}

async function readyz({ port }: TestServer): Promise<{ code: number; status: string } | null> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`);
    return { code: response.status, status: ((await response.json()) as { status: string }).status };
  } catch {
    return null;
  }
}

/** Waits without sending another signal. */
async function exited({ process: child }: TestServer): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

function usesStored(dataDir: string): number {
  const [row] = sqlOn(
    `${dataDir}/mintmark.db`,
    'select coalesce(sum(use_count), 0) as uses from credential_usage',
  );
  return Number(row?.['uses']);
}

function noteToken(server: TestServer, answer: string): void {
  const [, token] = /"access_token":"([^"]+)"/.exec(answer) ?? [];
  assert.ok(token !== undefined, answer);
  server.noteSecret(token);
}

test('after SIGTERM /readyz fails while tokens are still issued, and requests in flight are answered', async () => {
  await using server = await startServer({
    env: { MINTMARK_DRAIN: '4000', MINTMARK_USAGE_FLUSH: LONG_MS, MINTMARK_SHUTDOWN_TIMEOUT: LONG_MS },
  });
  assert.deepEqual(await readyz(server), { code: 200, status: 'ready' });
  const slow = await slowRequest(server);
  server.process.kill('SIGTERM');
  await eventually(async () => (await readyz(server))?.code === 503, 3000, '/readyz says so');
  assert.deepEqual(await readyz(server), { code: 503, status: 'stopping' });
  const form = { client_id: server.clientId, client_secret: server.clientSecret };
  assert.equal((await server.post(form)).status, 200, 'until the load balancer has heard of it');
  assert.equal((await fetch(`http://127.0.0.1:${server.port}/livez`)).status, 200);

  await eventually(async () => (await readyz(server)) === null, 20_000, 'new connections are refused');
  assert.equal(server.process.exitCode, null, 'it waits for the request in flight');
  assert.equal(usesStored(server.dataDir), 0, 'uses are in memory so far');
  slow.finish();
  const answer = await slow.answer;
  assert.match(answer, /HTTP\/1\.1 200 OK\r\n/);
  noteToken(server, answer);
  await exited(server);
  await server.stop(); // asserts exit code 0
  assert.equal(usesStored(server.dataDir), 2, 'both uses were written at the end');
  assert.match(server.output(), /mintmark: SIGTERM: stopping\./);
});

test('a request that does not end is cut off after the shutdown timeout, and the exit code is still 0', async () => {
  await using server = await startServer({ env: { MINTMARK_SHUTDOWN_TIMEOUT: '300' } });
  const slow = await slowRequest(server);
  server.process.kill('SIGTERM');
  assert.doesNotMatch(await slow.answer, /HTTP\/1\.1 200/);
  await exited(server);
  await server.stop();
});

test('idle connections do not hold up the stop', async () => {
  await using server = await startServer({
    env: { MINTMARK_SHUTDOWN_TIMEOUT: LONG_MS, MINTMARK_KEEP_ALIVE_TIMEOUT: LONG_MS },
  });
  const idle = connect(server.port, '127.0.0.1');
  const used = connect(server.port, '127.0.0.1');
  await Promise.all([once(idle, 'connect'), once(used, 'connect')]);
  used.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(used, 'data');
  for (const socket of [idle, used]) socket.resume().on('error', () => undefined);
  await server.stop();
});

test('SIGINT stops without waiting for a load balancer, writes the statistics, and has exit code 0', async () => {
  await using server = await startServer({ env: { MINTMARK_DRAIN: LONG_MS, MINTMARK_USAGE_FLUSH: LONG_MS } });
  const form = { client_id: server.clientId, client_secret: server.clientSecret };
  assert.equal((await server.post(form)).status, 200);
  server.process.kill('SIGINT');
  await exited(server);
  assert.equal(server.process.exitCode, 0);
  assert.equal(usesStored(server.dataDir), 1);
});

test('a second signal does not wait any longer', async () => {
  await using server = await startServer({ env: { MINTMARK_DRAIN: LONG_MS } });
  server.process.kill('SIGTERM');
  await eventually(() => server.output().includes('SIGTERM: stopping'), 10_000, 'the first has arrived');
  await new Promise((resolve) => setTimeout(resolve, 600));
  server.process.kill('SIGTERM');
  await exited(server);
  assert.equal(server.process.exitCode, 143);
});

test('Ctrl-C, which reaches the server by the terminal and once more by the script that started it, is one stop', async () => {
  const dataDir = temporaryFolder();
  const port = await freePort();
  const env = await withDatabase({
    MINTMARK_DATA_DIR: dataDir,
    MINTMARK_PORT: String(port),
    MINTMARK_USAGE_FLUSH: LONG_MS,
  });
  const child = spawn(process.execPath, [WRAPPER, 'start'], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a process group of its own, as a shell gives it
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const ended = finished(child);
  await eventually(() => printed.includes('mintmark is ready'), 30_000, 'it is ready');
  const [, clientId = ''] = /client_id +(\S+)/.exec(printed) ?? [];
  const [, secret = ''] = /client_secret +(\S+)/.exec(printed) ?? [];
  const url = `http://127.0.0.1:${port}/marketing`;
  const asked = await mintmark(['token', '--url', url, '--client-id', clientId], {
    env: { MINTMARK_CLIENT_SECRET: secret },
  });
  assert.equal(asked.code, 0, asked.err);
  process.kill(-(child.pid ?? 0), 'SIGINT');
  const { code, err } = await ended;
  assert.equal(code, 0, err);
  assert.equal(usesStored(dataDir), 1, 'the statistics were written');
  await dropDatabase(dataDir);
  rmSync(dataDir, { recursive: true });
});
