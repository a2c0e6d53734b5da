import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { eventually } from '@mintmark/test-support/eventually';
import {
  exchange,
  FORM,
  parseReplies,
  rawConnection,
  TOKEN_PATH,
  type RawConnection,
  type Reply,
} from '@mintmark/test-support/http';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// What one host can hold of a server: connections, requests in flight through a proxy, and the event loop.

const onLinux = { skip: process.platform !== 'linux' && 'only Linux has all of 127.0.0.0/8' };
const STRANGER = '127.0.0.2';
const OWNER = '127.0.0.3';
const PROXY = '127.0.0.4';
const CONNECTIONS_MAX = 200;
const NETWORK_MAX = 50;

interface Started extends AsyncDisposable {
  server: TestServer;
  user: MadeApiUser;
  /** A request for a token. */
  token(from: string, headers?: Record<string, string>): Promise<Reply>;
}

async function started(env: Record<string, string> = {}): Promise<Started> {
  const store = await newStore();
  const user = await store.apiUser('Importer');
  const server = await store.start({ MINTMARK_CONNECTIONS_MAX: String(CONNECTIONS_MAX), ...env });
  const body = `client_id=${user.client_id}&client_secret=${user.client_secret}`;
  return {
    server,
    user,
    async token(from, headers = {}) {
      const reply = await exchange(server.port, {
        from,
        body,
        headers: { 'Content-Type': FORM, ...headers },
      });
      if (reply.status === 200) server.noteSecret(reply.body['access_token'] as string);
      return reply;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const HALF_A_HEAD = `POST ${TOKEN_PATH} HTTP/1.1\r\nHost: localhost\r\nX-Half: `;
const halfABody = (address: string): string =>
  `POST ${TOKEN_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${FORM}\r\n` +
  `X-Forwarded-For: ${address}\r\nContent-Length: 500\r\n\r\nclient_id=`;

async function connections(
  { server }: Started,
  from: string,
  count: number,
  sent: string,
): Promise<RawConnection[]> {
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const connection = await rawConnection(server.port, from);
      connection.socket.write(sent);
      return connection;
    }),
  );
}

const open = (all: readonly RawConnection[]): number => all.filter(({ socket }) => !socket.destroyed).length;
function closeAll(all: readonly RawConnection[]): void {
  for (const { socket } of all) socket.destroy();
}

describe('one host', onLinux, () => {
  test('that holds half-sent requests leaves room for others, and gets its own back', async () => {
    await using it = await started();
    const held = await connections(it, STRANGER, 300, HALF_A_HEAD);
    assert.equal((await it.token(OWNER)).status, 200);
    await eventually(async () => assert.equal(open(held), NETWORK_MAX));
    await assert.rejects(it.token(STRANGER));
    const metrics = await (await fetch(`http://127.0.0.1:${it.server.port}/metrics`)).text();
    const [, refused] = /^mintmark_connections_refused_total\{bound="network"\} (\d+)$/m.exec(metrics) ?? [];
    assert.ok(Number(refused) >= 250, `${refused} in the metrics`);
    assert.match(it.server.output(), /holds 50 connections.*MINTMARK_TRUSTED_PROXIES/);
    closeAll(held);
    await eventually(async () => assert.equal((await it.token(STRANGER)).status, 200));
  });

  test('holds as many connections as the setting says', async () => {
    await using it = await started({ MINTMARK_NETWORK_CONNECTIONS_MAX: '7' });
    const held = await connections(it, STRANGER, 20, HALF_A_HEAD);
    await eventually(async () => assert.equal(open(held), 7));
    assert.equal((await it.token(OWNER)).status, 200);
    closeAll(held);
  });
});

describe('a trusted proxy', onLinux, () => {
  const trusting = { MINTMARK_TRUSTED_PROXIES: PROXY };

  test('may hold more connections than a host may', async () => {
    await using it = await started(trusting);
    const idle = await connections(it, PROXY, 3 * NETWORK_MAX, HALF_A_HEAD);
    const more = await connections(it, STRANGER, NETWORK_MAX - 10, HALF_A_HEAD);
    assert.equal((await it.token(PROXY, { 'X-Forwarded-For': '192.0.2.1' })).status, 200);
    assert.equal(open([...idle, ...more]), 4 * NETWORK_MAX - 10);
    closeAll([...idle, ...more]);
  });

  test('passes on no more requests of one network than it may have in flight', async () => {
    await using it = await started(trusting);
    for (const [each, same, other] of [
      [() => '198.51.100.7', '198.51.100.7', '198.51.100.8'],
      [(i: number) => `2001:db8:0:1::${i}`, '2001:db8:0:1::ffff', '2001:db8:0:2::1'],
    ] as const) {
      const held = (
        await Promise.all(
          Array.from({ length: NETWORK_MAX }, (_, i) => connections(it, PROXY, 1, halfABody(each(i + 1)))),
        )
      ).flat();
      const refused = await eventually(async () => {
        const reply = await it.token(PROXY, { 'X-Forwarded-For': same });
        assert.equal(reply.status, 429);
        return reply;
      });
      assert.equal(refused.body['error'], 'rate_limit_exceeded');
      assert.equal(refused.headers['retry-after'], '1');
      assert.equal(refused.headers['x-request-id'], refused.body['trace_id']);
      assert.equal((await it.token(PROXY, { 'X-Forwarded-For': other })).status, 200);
      assert.equal((await it.token(STRANGER)).status, 200);
      closeAll(held);
      await eventually(async () =>
        assert.equal((await it.token(PROXY, { 'X-Forwarded-For': same })).status, 200),
      );
    }
  });
});

test('thousands of requests that time out at once leave turns to others', onLinux, async () => {
  await using it = await started({
    MINTMARK_CONNECTIONS_MAX: '10000',
    MINTMARK_TEST_HEADERS_TIMEOUT: '1500',
    MINTMARK_TEST_REQUEST_TIMEOUT: '1500',
    MINTMARK_NETWORK_CONNECTIONS_MAX: '10000',
  });
  const count = Math.min(3000, Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8')));
  // Its first request is answered: with none it would time out like the others.
  const probe = await rawConnection(it.server.port, OWNER);
  const PROBE = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n';
  probe.socket.write(PROBE);
  await eventually(async () => assert.match(probe.received(), /200 OK/));
  // All are accepted in one moment, and so time out in one.
  it.server.process.kill('SIGSTOP');
  let held: RawConnection[];
  try {
    held = await connections(it, STRANGER, count, HALF_A_HEAD);
  } finally {
    it.server.process.kill('SIGCONT');
  }
  let timedOut = 0;
  const probed = Promise.withResolvers<number>();
  probe.socket.on('data', () => probed.resolve(timedOut));
  for (const { socket } of held) {
    socket.on('data', () => {
      timedOut += 1;
      if (timedOut === 1) probe.socket.write(PROBE);
    });
  }
  const before = await probed.promise;
  assert.ok(before < count / 2, `${before} of ${count} were answered before the probe`);
  const all = await Promise.all(held.map(({ closed }) => closed));
  assert.ok(all.every((stream) => parseReplies(stream)[0]?.status === 408));
  probe.socket.destroy();
});
