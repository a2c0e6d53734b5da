// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createJournal } from '../../src/server/sandbox/journal.ts';
import { exchange, FORM } from '@mintmark/test-support/http';

test('a journal forgets the oldest requests beyond its bounds', async () => {
  const journal = createJournal({ requestsMax: 3, charactersMax: 5000 });
  const server = createServer((request, response) => {
    journal.add(request, 0);
    request.resume().on('end', () => response.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const send = (path: string, headers = {}, body = '') =>
    exchange(port, { path, headers: { 'Content-Type': FORM, ...headers }, body });
  const urls = () => journal.requests.map(({ url }) => url);
  for (const path of ['/1', '/2', '/3', '/4']) await send(path);
  assert.deepEqual([urls(), journal.forgotten()], [['/2', '/3', '/4'], 1]);
  await send('/5', { 'x-long': 'x'.repeat(4000) });
  await send('/6', {}, `a=${'x'.repeat(4000)}`);
  assert.deepEqual([urls(), journal.forgotten()], [['/6'], 5]);
  assert.equal(journal.requests[0]?.form?.['a']?.length, 4000);
  await send('/7', { 'Transfer-Encoding': 'chunked' }, 'a=b');
  assert.deepEqual(urls(), [], 'a chunked body counts with its largest length');
  await send('/8');
  journal.clear();
  assert.deepEqual([urls(), journal.forgotten()], [[], 8]);
  server.close();
});
