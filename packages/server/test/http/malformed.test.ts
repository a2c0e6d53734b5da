import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '@mintmark/test-support/eventually';
import {
  exchange,
  FORM,
  parseReplies,
  rawConnection,
  rawExchange,
  TOKEN_PATH,
  type RawConnection,
  type RawReply,
} from '@mintmark/test-support/http';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// Bytes that are no HTTP, come slowly or never end: each answer is well-formed, all others are served, memory stays.

const CONNECTIONS_MAX = 200;
const TIMEOUT_MS = 1000;
const MEMORY_GROWTH_MAX = 150_000_000;

let server: TestServer;
let user: MadeApiUser;
let good: string;
let residentBefore: number;

before(async () => {
  const store = await newStore();
  user = await store.apiUser('Importer');
  server = await store.start({
    MINTMARK_TEST_HEADERS_TIMEOUT: String(TIMEOUT_MS),
    MINTMARK_TEST_REQUEST_TIMEOUT: String(TIMEOUT_MS),
    MINTMARK_KEEP_ALIVE_TIMEOUT: '2000',
  });
  good = `client_id=${user.client_id}&client_secret=${user.client_secret}`;
  residentBefore = residentBytes();
});
after(async () => await server[Symbol.asyncDispose]());

/** Whatever a test did: the server serves, and has not grown. */
afterEach(async () => {
  await eventually(healthy);
  const grown = residentBytes() - residentBefore;
  assert.ok(grown < MEMORY_GROWTH_MAX, `the server has grown by ${grown} bytes`);
});

async function healthy(): Promise<void> {
  const headers = { 'Content-Type': FORM };
  const reply = await exchange(server.port, { headers, body: good });
  assert.equal(reply.status, 200);
  server.noteSecret(reply.body['access_token'] as string);
}

/** 0 where the system does not tell. */
function residentBytes(): number {
  try {
    const status = readFileSync(`/proc/${server.process.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

const requestHead = (...headers: string[]): string =>
  [`POST ${TOKEN_PATH} HTTP/1.1`, 'Host: localhost', `Content-Type: ${FORM}`, ...headers].join('\r\n');

/** A whole request for a token, well-formed. */
const goodRequest = (...headers: string[]): string =>
  `${requestHead(`Content-Length: ${good.length}`, ...headers)}\r\n\r\n${good}`;

/** Takes replies apart; notes the tokens among them, and asserts that all that are errors have the documented form. */
function repliesIn(stream: string): RawReply[] {
  const replies = parseReplies(stream);
  for (const { status, headers, text } of replies) {
    assert.match(headers.get('content-type') ?? '', /^application\/json/, stream);
    const body = JSON.parse(text) as Record<string, string>;
    if (status === 200) {
      server.noteSecret(body['access_token'] ?? '');
      continue;
    }
    assert.deepEqual(Object.keys(body), ['error', 'error_description', 'trace_id']);
    assert.equal(headers.get('x-request-id'), body['trace_id']);
  }
  return replies;
}

/** Sends bytes that can be no request, or are two to some and one to others: one answer, and the connection ends. */
async function assertRefused(bytes: string | Buffer, status = 400): Promise<void> {
  const replies = repliesIn(await rawExchange(server.port, bytes));
  assert.deepEqual(
    replies.map((reply) => reply.status),
    [status],
    JSON.stringify(bytes.toString().slice(0, 200)),
  );
  assert.equal(replies[0]?.headers.get('connection'), 'close');
}

const SMUGGLED = `POST ${TOKEN_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`;

test('a request with Content-Length and Transfer-Encoding is refused and the connection closed (CL.TE, TE.CL)', async () => {
  const chunked = 'Transfer-Encoding: chunked';
  const length = `Content-Length: ${5 + SMUGGLED.length}`;
  await assertRefused(`${requestHead(length, chunked)}\r\n\r\n0\r\n\r\n${SMUGGLED}`);
  await assertRefused(`${requestHead(chunked, 'Content-Length: 4')}\r\n\r\n5c\r\n${SMUGGLED}0\r\n\r\n`);
});

test('a Transfer-Encoding that is spelled to be seen by some and not by others is refused', async () => {
  for (const header of [
    'Transfer-Encoding: xchunked',
    'Transfer-Encoding : chunked',
    'Transfer-Encoding: chunked, identity',
    'Transfer-Encoding:\u000bchunked',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
    'X: y\r\n Transfer-Encoding: chunked',
    '\r\nTransfer-Encoding: chunked',
  ]) {
    const stream = await rawExchange(
      server.port,
      `${requestHead(header, 'Content-Length: 5', 'Connection: close')}\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    );
    for (const { status } of repliesIn(stream)) assert.equal(status, 400, header);
  }
});

test('two Content-Length headers are refused, the same or not, and so is one that is no number', async () => {
  for (const lengths of [
    [`Content-Length: ${good.length}`, 'Content-Length: 0'],
    ['Content-Length: 5', 'Content-Length: 5'],
    ['Content-Length: 5, 5'],
    ['Content-Length: +5'],
    ['Content-Length: -1'],
    ['Content-Length: 0x5'],
    ['Content-Length: 99999999999999999999999999'],
    ['Content-Length : 5'],
    ['Content-Length: '],
  ]) {
    await assertRefused(`${requestHead(...lengths)}\r\n\r\n${good}`);
  }
});

test('bare line feeds and carriage returns are refused', async () => {
  await assertRefused(goodRequest().replaceAll('\r\n', '\n'));
  await assertRefused(goodRequest().replace('\r\nHost', '\nHost'));
  await assertRefused(goodRequest('X: a\nTransfer-Encoding: chunked'));
  await assertRefused(goodRequest('X: a\rb: c'));
  await assertRefused(`${requestHead('Transfer-Encoding: chunked')}\r\n\r\n5\nabcde\r\n0\r\n\r\n`);
  await assertRefused(`${requestHead('Transfer-Encoding: chunked')}\r\n\r\n5;a\nb\r\nabcde\r\n0\r\n\r\n`);
});

test('chunks that are malformed are refused', async () => {
  for (const chunks of [
    'x\r\n',
    '5\r\nabcdefg\r\n',
    '-5\r\nabcde\r\n',
    '0x5\r\nabcde\r\n',
    'ffffffffffffffffff\r\n',
  ]) {
    await assertRefused(`${requestHead('Transfer-Encoding: chunked')}\r\n\r\n${chunks}`);
  }
});

test('bytes that are no HTTP at all are refused', async () => {
  for (const bytes of [
    'hello\r\n\r\n',
    'GET\r\n\r\n',
    `G\0T / HTTP/1.1\r\nHost: x\r\n\r\n`,
    'GET / HTTP/9.9\r\nHost: x\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    Buffer.from('16030100c8010000c40303', 'hex'),
    goodRequest('X: a\0b'),
    goodRequest('no colon'),
    goodRequest(': no name'),
    goodRequest('X Y: name with a space'),
  ]) {
    await assertRefused(bytes);
  }
});

test('a request without Host is refused as JSON, but not one of HTTP/1.0', async () => {
  await assertRefused(`GET /livez HTTP/1.1\r\n\r\n`);
  await assertRefused(goodRequest().replace('Host: localhost\r\n', ''));
  const old = goodRequest().replace('HTTP/1.1', 'HTTP/1.0').replace('Host: localhost\r\n', '');
  assert.deepEqual(
    repliesIn(await rawExchange(server.port, old)).map(({ status }) => status),
    [200],
  );
});

test('an expectation that is not known is refused as JSON', async () => {
  const stream = await rawExchange(
    server.port,
    goodRequest('Expect: the-spanish-inquisition', 'Connection: close'),
  );
  assert.deepEqual(
    repliesIn(stream).map(({ status }) => status),
    [417],
  );
});

test('headers that are too long are refused with 431', async () => {
  await assertRefused(goodRequest(`X: ${'a'.repeat(20_000)}`), 431);
  await assertRefused(`GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431);
  const many = Array.from({ length: 5000 }, (_, i) => `X-${i}: y`);
  await assertRefused(goodRequest(...many), 431);
});

test('a flood of small headers is harmless: no credentials are taken from beyond the bound', async () => {
  const many = Array.from({ length: 500 }, (_, i) => `X-${i}: y`);
  const stream = await rawExchange(server.port, goodRequest(...many, 'Connection: close'));
  assert.ok(repliesIn(stream).every(({ status }) => status === 200 || status === 400 || status === 431));
});

test('headers without end are cut off', async () => {
  const connection = await rawConnection(server.port);
  connection.socket.write(`GET /livez HTTP/1.1\r\nHost: x\r\n`);
  await pourUntilClosed(connection, Buffer.from(`X: ${'y'.repeat(1000)}\r\n`), 50_000_000);
});

test('a body without end is cut off', async () => {
  const connection = await rawConnection(server.port);
  connection.socket.write(`${requestHead('Transfer-Encoding: chunked')}\r\n\r\n`);
  await pourUntilClosed(connection, Buffer.from(`ffff\r\n${'a'.repeat(0xff_ff)}\r\n`), 50_000_000);
  const long = await rawConnection(server.port);
  long.socket.write(`${requestHead(`Content-Length: ${2 ** 40}`)}\r\n\r\n`);
  await pourUntilClosed(long, Buffer.alloc(65_536, 'a'), 50_000_000);
});

/** Writes the same bytes until the other end has had enough of them; fails where it takes more than `bytesMax`. */
async function pourUntilClosed(
  { socket, closed }: RawConnection,
  bytes: Buffer,
  bytesMax: number,
): Promise<void> {
  for (let written = 0; !socket.destroyed; written += bytes.length) {
    assert.ok(written < bytesMax, `${written} bytes were taken`);
    if (!socket.write(bytes)) {
      await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed]);
    } else await sleep(0);
  }
}

test('headers that come slowly or never are answered 408', async () => {
  const silent = await rawConnection(server.port);
  const stuck = await rawConnection(server.port);
  stuck.socket.write('POST /marketing/oauth2/token HTTP/1.1\r\nHost: x\r\nX-Slow: ');
  const slow = await rawConnection(server.port);
  const dripping = drip(slow, `${requestHead()}\r\nX-Slow: ${'y'.repeat(10_000)}`);
  for (const { closed } of [silent, stuck, slow]) {
    assert.deepEqual(
      repliesIn(await closed).map(({ status }) => status),
      [408],
    );
  }
  await dripping;
});

test('a body that comes slowly or never is answered 408', async () => {
  const stuck = await rawConnection(server.port);
  stuck.socket.write(`${requestHead('Content-Length: 5000')}\r\n\r\nclient_id=`);
  const slow = await rawConnection(server.port);
  const dripping = drip(slow, `${requestHead('Content-Length: 5000')}\r\n\r\n${'a'.repeat(5000)}`);
  for (const { closed } of [stuck, slow]) {
    assert.deepEqual(
      repliesIn(await closed).map(({ status }) => status),
      [408],
    );
  }
  await dripping;
});

async function drip({ socket }: RawConnection, text: string): Promise<void> {
  for (const character of text) {
    if (socket.destroyed || !socket.writable) return;
    socket.write(character);
    await sleep(10);
  }
}

test('a caller that goes away in the middle of its body leaves nothing behind', async () => {
  for (let i = 0; i < 100; i++) {
    const { socket } = await rawConnection(server.port);
    socket.write(`${requestHead('Content-Length: 5000')}\r\n\r\nclient_id=`);
    socket.destroy();
  }
});

test('a hundred requests that are sent at once are answered in their order', async () => {
  const requests = Array.from({ length: 100 }, (_, i) => {
    const traceId = (i + 1).toString(16).padStart(32, '0');
    const last = i === 99 ? ['Connection: close'] : [];
    return goodRequest(`traceparent: 00-${traceId}-00f067aa0ba902b7-01`, ...last);
  });
  const replies = repliesIn(await rawExchange(server.port, requests.join('')));
  assert.equal(replies.length, 100);
  for (const [i, { status, headers }] of replies.entries()) {
    assert.equal(status, 200);
    assert.equal(Number.parseInt(headers.get('x-request-id') ?? '', 16), i + 1);
  }
});

test('a good request with a malformed one behind it gets one well-formed answer at least', async () => {
  const replies = repliesIn(await rawExchange(server.port, `${goodRequest()}garbage\r\n\r\n`));
  assert.ok(replies.length === 1 || replies.length === 2);
  assert.equal(replies.at(-1)?.status, 400);
});

test('a caller that sends requests and reads no answers is cut off', async () => {
  // Requests of 1,024 bytes end where the server stops to read, so that none is left to be waited for.
  const head = 'GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nX: ';
  const batch = Buffer.from(`${head.padEnd(1020, 'a')}\r\n\r\n`.repeat(64));
  const sockets = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const { socket } = await rawConnection(server.port);
      socket.pause();
      for (let sent = 0; sent < 200 && socket.writableLength < 5_000_000; sent++) {
        socket.write(batch);
        await sleep(2);
      }
      return socket;
    }),
  );
  await healthy();
  const there = () => sockets.filter(({ destroyed }) => !destroyed).length;
  await eventually(async () => assert.equal(there(), 0, `${there()} connections are still there`), 30_000);
});

test('more connections than the bound are turned away, and those that are there are served', async () => {
  await using bounded = await (
    await newStore()
  ).start({
    MINTMARK_CONNECTIONS_MAX: String(CONNECTIONS_MAX),
    MINTMARK_NETWORK_CONNECTIONS_MAX: String(CONNECTIONS_MAX),
  });
  const kept = await rawConnection(bounded.port);
  const idle = await Promise.all(
    Array.from({ length: 2 * CONNECTIONS_MAX }, () => rawConnection(bounded.port)),
  );
  const open = () => idle.filter(({ socket }) => !socket.destroyed).length;
  await eventually(async () => assert.equal(open(), CONNECTIONS_MAX - 1));
  kept.socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  assert.equal(parseReplies(await kept.closed)[0]?.status, 200);
  for (const { socket, received } of idle) {
    assert.equal(received(), '');
    socket.destroy();
  }
  await eventually(async () =>
    assert.equal((await fetch(`http://localhost:${bounded.port}/livez`)).status, 200),
  );
});

test('thousands of connections that say nothing are dropped in time, and others are served meanwhile', async () => {
  const idle: RawConnection[] = [];
  while (idle.length < 2000) {
    idle.push(...(await Promise.all(Array.from({ length: 100 }, () => rawConnection(server.port)))));
    // Connections are accepted in order: once this one is answered, those before it are known to the server.
    await healthy();
  }
  await droppedInTime(idle);
});

test(
  'connections that come all at once while the server is busy wait in the queue: none is lost',
  {
    skip:
      process.platform !== 'linux' && 'stopped processes and the length of the queue are read as on Linux',
  },
  async () => {
    const queueMax = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
    server.process.kill('SIGSTOP');
    let idle: RawConnection[];
    try {
      const length = Math.min(2000, queueMax);
      idle = await Promise.all(Array.from({ length }, () => rawConnection(server.port)));
    } finally {
      server.process.kill('SIGCONT');
    }
    await droppedInTime(idle);
  },
);

/** Each of the connections is ended by the server, with 408 or nothing, and new callers are served before that. */
async function droppedInTime(idle: readonly RawConnection[]): Promise<void> {
  await healthy();
  const inTime = new Promise<null>((resolve) => setTimeout(() => resolve(null), 60_000).unref());
  const ended = await Promise.all(idle.map(({ closed }) => Promise.race([closed, inTime])));
  const streams = ended.filter((stream) => stream !== null);
  for (const { socket } of idle) socket.destroy();
  assert.equal(streams.length, idle.length);
  for (const stream of streams) {
    assert.ok(
      repliesIn(stream).every(({ status }) => status === 408),
      stream,
    );
  }
}
