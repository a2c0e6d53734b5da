import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import fastify, { type FastifyInstance } from 'fastify';
import { SYSTEM, type Actor } from '../../src/domain/actor.ts';
import type { SchemaTypes } from '../../src/http/admin/admin-app.ts';
import { eventsRoute } from '../../src/http/admin/events.routes.ts';
import { createLive } from '../../src/runtime/usage/live-events.ts';
import { createRouteStatistics } from '../../src/runtime/usage/route-statistics.ts';
import { ADMIN, adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import { eventually } from '@mintmark/test-support/eventually';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser, type TestStore } from '@mintmark/test-support/store';

// The stream of events of the admin API.

interface Event {
  event: string;
  data: Record<string, unknown>;
}

interface Stream {
  response: IncomingMessage;
  events: Event[];
  of(name: string): Record<string, unknown>[];
  ended: Promise<void>;
  close(): void;
}

async function follow(server: TestServer, { token }: AdminClient, query = ''): Promise<Stream> {
  const sent = request({
    host: '127.0.0.1',
    port: server.port,
    path: `${ADMIN}/events${query}`,
    headers: { Authorization: `Bearer ${token}` },
    agent: false,
  });
  sent.on('error', () => undefined);
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const events: Event[] = [];
  let waiting = '';
  response.setEncoding('utf8').on('data', (text: string) => {
    const parts = (waiting + text).split('\n\n');
    waiting = parts.pop() ?? '';
    for (const part of parts) {
      const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(part) ?? [];
      if (event !== undefined)
        events.push({ event, data: JSON.parse(data ?? '') as Record<string, unknown> });
    }
  });
  return {
    response,
    events,
    of: (name) => events.filter(({ event }) => event === name).map(({ data }) => data),
    ended: new Promise((resolve) => response.on('close', () => resolve())),
    close: () => sent.destroy(),
  };
}

async function started(
  env: Record<string, string> = {},
): Promise<{ store: TestStore; server: TestServer; admin: AdminClient; made: MadeApiUser }> {
  const store = await newStore();
  const made = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  const server = await store.start(env);
  return { store, server, made, admin: await adminClient(server, made) };
}

async function twoCallers(
  env: Record<string, string>,
): Promise<{ server: TestServer; made: MadeApiUser; admin: AdminClient; other: AdminClient }> {
  const store = await newStore();
  const [made, second] = [
    await store.apiUser('Deployment', '--scope', 'mintmark:admin'),
    await store.apiUser('Dashboard', '--scope', 'mintmark:read'),
  ];
  const server = await store.start(env);
  return {
    server,
    made,
    admin: await adminClient(server, made),
    other: await adminClient(server, second),
  };
}

test('the stream tells rates each second, changes as they happen, and uses and refusals of the API user that is watched', async () => {
  const { server, admin } = await started();
  await using _ = server;
  const user = await server.json<MadeApiUser>('api-user', 'create', '--name', 'Importer');
  const other = await server.json<MadeApiUser>('api-user', 'create', '--name', 'Other');
  for (const each of [user, other]) server.noteSecret(each.client_secret);
  // Both were made by another process: before the server has heard of them, they are refused.
  await eventually(async () => {
    const ready = (await (await fetch(`http://localhost:${server.port}/readyz`)).json()) as object;
    assert.equal((ready as { api_users_in_memory: number }).api_users_in_memory, 3);
  });
  const stream = await follow(server, admin, `?client_id=${user.client_id}`);
  const bystander = await follow(server, admin);
  assert.match(stream.response.headers['content-type'] ?? '', /^text\/event-stream/);
  assert.equal(stream.response.headers['cache-control'], 'no-store');
  // The first second told may hold the token with which the stream itself was asked for.
  await eventually(async () => assert.ok(stream.of('rates').length > 0));
  const toldBefore = stream.of('rates').length;
  const form = { client_id: user.client_id, client_secret: user.client_secret };
  for (let i = 0; i < 4; i++) await server.post(form);
  await server.post({ ...form, client_secret: other.client_secret });
  await server.post({ client_id: other.client_id, client_secret: other.client_secret });
  await server.cli('api-user', 'update', other.client_id, '--name', 'Renamed');
  await eventually(async () => {
    const uses = stream.of('use');
    assert.equal(total(uses, 'count'), 4);
    assert.ok(uses.every((use) => use['credential_id'] === user.credential_id && use['address'] !== null));
    assert.deepEqual(
      stream.of('refusal').map(({ reason, count }) => [reason, count]),
      [['unknown_secret', 1]],
    );
    assert.deepEqual(stream.of('change').at(-1), { noun: 'api_user', id: other.client_id });
    const rates = stream.of('rates').slice(toldBefore);
    assert.equal(total(rates, 'tokens'), 5);
    assert.ok(rates.some(({ refusals }) => (refusals as Record<string, number>)['unknown_secret'] === 1));
    assert.ok(rates.some((rate) => Number(rate['p99_ms']) > 0));
    assert.deepEqual([bystander.of('use'), bystander.of('refusal')], [[], []]);
    // Not as many: the earlier stream may have been told of what came before the other.
    assert.deepEqual(bystander.of('change').at(-1), { noun: 'api_user', id: other.client_id });
  });
  const before = stream.of('rates').length;
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const more = stream.of('rates').length - before;
  assert.ok(more >= 2 && more <= 4, `${more} in three seconds`);
  stream.close();
  bystander.close();
});

test('a new stream begins with the seconds before it', async () => {
  const { server, admin, made } = await started();
  await using _ = server;
  for (let i = 0; i < 3; i++) await server.post({ client_id: made.client_id, client_secret: 'wrong' });
  await eventually(async () => {
    const stream = await follow(server, admin);
    await eventually(async () => assert.ok(stream.events.length > 0));
    stream.close();
    const [first] = stream.events;
    assert.equal(first?.event, 'history');
    const seconds = first?.data['seconds'] as Record<string, unknown>[];
    assert.ok(seconds.every(({ at }) => Date.now() - Date.parse(String(at)) < 300_000));
    const refusals = seconds.flatMap((second) => Object.values(second['refusals'] as object) as number[]);
    assert.equal(
      refusals.reduce((sum, count) => sum + count, 0),
      3,
    );
  });
});

test('the stream ends soon after its caller may read no more', async () => {
  const { server, admin, made } = await started();
  await using _ = server;
  const stream = await follow(server, admin);
  await server.cli('api-user', 'update', made.client_id, '--scope', 'campaigns:read');
  const startedAt = Date.now();
  await stream.ended;
  assert.ok(Date.now() - startedAt < 5000);
  assert.deepEqual(stream.of('end'), [{ code: 'forbidden' }]);
});

test('one caller opens no more streams than its part, and others still open theirs', async () => {
  const { server, made, admin, other } = await twoCallers({ MINTMARK_TEST_LIVE_STREAMS_MAX: '20' });
  await using _ = server;
  const [first, second] = [await follow(server, admin), await follow(server, admin)];
  // Another token makes no other caller.
  for (const client of [admin, await adminClient(server, made)]) {
    const refused = await client.get('/events');
    assertProblem(refused, 429, 'too_many');
    assert.ok(Number(refused.headers['retry-after']) > 0);
  }
  const others = await follow(server, other);
  assert.equal(others.response.statusCode, 200);
  first.close();
  await eventually(async () => {
    const third = await follow(server, admin);
    assert.equal(third.response.statusCode, 200);
    third.close();
  });
  second.close();
  others.close();
});

test('more streams than may be in all are refused, and one that ends makes room', async () => {
  const { server, admin, other } = await twoCallers({ MINTMARK_TEST_LIVE_STREAMS_MAX: '1' });
  await using _ = server;
  const first = await follow(server, admin);
  const refused = await other.get('/events');
  assertProblem(refused, 503, 'unavailable');
  assert.ok(Number(refused.headers['retry-after']) > 0);
  first.close();
  await eventually(async () => {
    const second = await follow(server, other);
    assert.equal(second.response.statusCode, 200);
    second.close();
  });
});

test('a graceful stop ends open streams at once, and does not wait for them', async () => {
  const { server, admin } = await started({ MINTMARK_SHUTDOWN_TIMEOUT: '60000' });
  await using _ = server;
  const stream = await follow(server, admin);
  const startedAt = Date.now();
  await Promise.all([server.stop(), stream.ended]);
  assert.ok(Date.now() - startedAt < 8000);
  assert.deepEqual(stream.of('end'), [{ code: 'stopping' }]);
});

test('a reader that reads nothing is cut off, and others go on', async () => {
  const { counts } = createRouteStatistics();
  const live = createLive(counts, { liveStreamsMax: 2 });
  const app = fastify().withTypeProvider<SchemaTypes>();
  strangers(app);
  eventsRoute(app, { live }, anybody);
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  const open = async () => {
    const socket = await asking(port);
    await once(socket, 'readable');
    return socket;
  };
  const [slow, good] = [await open(), await open()];
  let received = 0;
  good.on('data', (chunk: Buffer) => (received += chunk.length));
  // More than the system keeps for a connection, in some seconds.
  const id = 'x'.repeat(1000);
  let sent = 0;
  await eventually(async () => {
    live.changed(
      'api_user',
      times(50, (i) => `${id}${sent}${i}`),
    );
    sent += 50 * id.length;
    assert.ok(typeof live.watch(watcher) !== 'string', 'there is no room yet');
  }, 30_000);
  assert.ok(received > 1_000_000);
  await eventually(async () => assert.ok(received >= sent, 'the other one gets everything'));
  for (const socket of [slow, good]) socket.destroy();
  live.end();
  await app.close();
});

void test('a reader who is gone before the stream begins takes no room', async () => {
  const live = createLive(createRouteStatistics().counts, { liveStreamsMax: 2 });
  const app = fastify().withTypeProvider<SchemaTypes>();
  let asked = 0;
  // As where the store takes its time to tell whose session it is.
  app.addHook('onRequest', async ({ raw }) => {
    await once(raw.socket, 'close');
    asked += 1;
  });
  strangers(app);
  eventsRoute(app, { live }, anybody);
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  for (let i = 0; i < 5; i++) {
    const socket = await asking(port);
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.destroy();
  }
  await eventually(async () => assert.equal(asked, 5));
  await eventually(async () => assert.equal(live.watchers(), 0));
  live.end();
  await app.close();
});

/** Of another caller than `anybody`. */
const watcher = { viewer: 'other', clientId: null, tell: () => undefined, ended: () => undefined };

let callers = 0;
/** In place of the gate: each request comes from a caller of its own. */
function strangers(app: Pick<FastifyInstance, 'addHook'>): void {
  app.addHook('onRequest', async (each) => {
    const name = `stranger ${(callers += 1)}`;
    each.adminActor = { kind: 'api_user', id: name, name, address: '127.0.0.1' };
  });
}

async function anybody(): Promise<Actor> {
  return SYSTEM;
}

/** A bare connection on which the stream is asked for. */
async function asking(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  await once(socket, 'connect');
  socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  return socket;
}

function times<T>(count: number, each: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => each(i));
}

function total(events: readonly Record<string, unknown>[], member: string): number {
  return events.reduce((sum, event) => sum + Number(event[member]), 0);
}
