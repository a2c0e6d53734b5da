import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { parseReplies, rawExchange } from '@mintmark/test-support/http';
import { ServedRequest } from '../../src/http/served-request.ts';
import { ServedResponse } from '../../src/http/served-response.ts';

const HEADERS = ['X-Request-Id', 'a1', 'RateLimit', '"api-user";r=1;t=0', 'Allow', 'POST'];
const BODY = '{"a":1}';

/** The answer to a request, with the head written by `writeLines` or by Node. */
async function answered(requestLines: string[], by: 'lines' | 'node', status = 200): Promise<string> {
  const server = createServer(
    { IncomingMessage: ServedRequest, ServerResponse: ServedResponse },
    (_request, response) => {
      if (by === 'lines') response.writeLines(status, HEADERS, BODY.length);
      else response.writeHead(status, [...HEADERS, 'Content-Length', String(BODY.length)]);
      response.end(BODY, 'latin1');
    },
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const bytes = await rawExchange(port, `${requestLines.join('\r\n')}\r\n\r\n`);
    return bytes.replace(/^Date: .*$/m, 'Date: now');
  } finally {
    server.close();
  }
}

test('a head in one piece says the same as one of Node', async () => {
  const requests = [
    ['GET / HTTP/1.1', 'Host: a', 'Connection: close'],
    ['GET / HTTP/1.0'],
    ['HEAD / HTTP/1.1', 'Host: a', 'Connection: close'],
    ['POST / HTTP/1.1', 'Host: a', 'Expect: 100-continue', 'Connection: close'],
  ];
  for (const request of requests) {
    for (const status of [200, 403, 503]) {
      const lines = await answered(request, 'lines', status);
      const sorted = (text: string) => text.split('\r\n').toSorted();
      assert.deepEqual(sorted(lines), sorted(await answered(request, 'node', status)));
    }
  }
});

test('a connection stays open for the next request', async () => {
  const request = 'GET / HTTP/1.1\r\nHost: a\r\n';
  const bytes = await answered([request, 'GET / HTTP/1.1', 'Host: a', 'Connection: close'], 'lines');
  assert.deepEqual(
    parseReplies(bytes).map(({ headers, text }) => [headers.get('connection'), text]),
    [
      ['keep-alive', BODY],
      ['close', BODY],
    ],
  );
});

test('a value that would begin another line is refused', () => {
  const response = new ServedResponse(new ServedRequest(null as never));
  for (const value of ['a\r\nSet-Cookie: b', 'a\nb', 'a\rb', 'a\0b', 'ключ'])
    assert.throws(() => response.writeLines(200, ['X-Request-Id', 'a1', 'Allow', value], 0), TypeError);
  assert.equal(response.headersSent, false);
});
