// However the bytes of a body arrive, the endpoint sees one body.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { eventually } from '@mintmark/test-support/eventually';
import { FORM, parseReplies, rawConnection, TOKEN_PATH } from '@mintmark/test-support/http';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

let server: TestServer;
let user: MadeApiUser;
let body: string;

before(async () => {
  const store = await newStore();
  user = await store.apiUser('User');
  body = `client_id=${user.client_id}&client_secret=${user.client_secret}`;
  server = await store.start();
});
after(async () => await server[Symbol.asyncDispose]());

function head(...lines: string[]): string {
  return [`POST ${TOKEN_PATH} HTTP/1.1`, 'Host: localhost', `Content-Type: ${FORM}`, ...lines, '', ''].join(
    '\r\n',
  );
}

/** Sends the parts one after another, then returns the statuses of what was answered. */
async function statusesOf(parts: readonly string[], answers: number): Promise<number[]> {
  const connection = await rawConnection(server.port);
  try {
    for (const part of parts) {
      connection.socket.write(part);
      await sleep(1);
    }
    await eventually(() => parseReplies(connection.received()).length >= answers);
    return parseReplies(connection.received()).map(({ status, text }) => {
      const [, issued] = /"access_token":"([^"]+)"/.exec(text) ?? [];
      if (issued !== undefined) server.noteSecret(issued);
      return status;
    });
  } finally {
    connection.socket.destroy();
  }
}

/** Cuts a text at these places, each a part of its length. */
function cutAt(text: string, places: readonly number[]): string[] {
  const ends = places.map((place) => Math.floor(place * text.length)).toSorted((a, b) => a - b);
  return [...ends, text.length].map((end, i) => text.slice(ends[i - 1] ?? 0, end));
}

test('a body gets a token, wherever the network cuts it', async () => {
  const chunks = cutAt(body, [0.2, 0.5]).map((part) => `${part.length.toString(16)}\r\n${part}\r\n`);
  const requests = [
    `${head(`Content-Length: ${body.length}`)}${body}`,
    `${head('Transfer-Encoding: chunked')}${chunks.join('')}0\r\n\r\n`,
  ];
  const places = fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...requests), places, async (request, cuts) => {
      assert.deepEqual(await statusesOf(cutAt(request, cuts), 1), [200]);
    }),
    { numRuns: 40 },
  );
});

test('requests sent without waiting are answered in their order', async () => {
  const wrong = 'client_id=nobody&client_secret=wrong';
  const bodies = [body, wrong, body, '', body];
  const requests = bodies.map((text) => `${head(`Content-Length: ${text.length}`)}${text}`).join('');
  assert.deepEqual(await statusesOf([requests], 5), [200, 403, 200, 400, 200]);
  assert.deepEqual(await statusesOf(cutAt(requests, [0.1, 0.35, 0.36, 0.7]), 5), [200, 403, 200, 400, 200]);
});

test('a client that sends far too much is answered before its end', async () => {
  const connection = await rawConnection(server.port);
  connection.socket.write(head('Transfer-Encoding: chunked'));
  const chunk = `10000\r\n${'a'.repeat(65_536)}\r\n`;
  for (let sent = 0; sent < 64 && connection.received() === ''; sent++) {
    connection.socket.write(chunk);
    await sleep(2);
  }
  await connection.closed;
  const [reply] = parseReplies(connection.received());
  assert.equal(reply?.status, 400);
  assert.match(reply?.text ?? '', /longer than 8192 bytes/);
});

test('a client that leaves in the middle of its body disturbs nobody', async () => {
  for (let i = 0; i < 5; i++) {
    const { socket } = await rawConnection(server.port);
    socket.write(`${head(`Content-Length: ${body.length}`)}${body.slice(0, 10)}`);
    await sleep(5);
    socket.destroy();
  }
  assert.deepEqual(await statusesOf([`${head(`Content-Length: ${body.length}`)}${body}`], 1), [200]);
});

test('requests that arrive together get each their own answer', async () => {
  const others = ['client_id=nobody&client_secret=wrong', 'x', `${body}&grant_type=password`, `${body}&a=%`];
  const bodies = Array.from({ length: 100 }, (_, i) => (i % 3 === 0 ? (others[i % 4] as string) : body));
  const expected = bodies.map((text) => (text === body ? 200 : text === others[0] ? 403 : 400));
  const statuses = await Promise.all(
    bodies.map(async (text) => await statusesOf([`${head(`Content-Length: ${text.length}`)}${text}`], 1)),
  );
  assert.deepEqual(statuses.flat(), expected);
});
