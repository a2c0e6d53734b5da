import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@mintmark/test-support/eventually';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';
import { changeStore } from '@mintmark/test-support/store-under-test';

// What goes wrong in the server itself: a bug (500), and a store that is out of reach (503).

const ask = (server: TestServer, user: MadeApiUser) =>
  server.post({ client_id: user.client_id, client_secret: user.client_secret });

const unknown = (server: TestServer, id = 'api_unknown') =>
  server.post({ client_id: id, client_secret: `mms_0123456789_${'x'.repeat(49)}` });

async function readiness(server: TestServer): Promise<[number, string]> {
  const response = await fetch(`http://localhost:${server.port}/readyz`);
  return [response.status, ((await response.json()) as { status: string }).status];
}

/** Nothing can be read from the store from then on: its tables have other names. */
const DAMAGE = 'alter table api_users rename to lost_api_users; alter table epoch rename to lost_epoch';
const REPAIR = 'alter table lost_api_users rename to api_users; alter table lost_epoch rename to epoch';

test('an API user whose row is damaged gets 500, with the cause in the log under the trace id and not in the body', async () => {
  const store = await newStore();
  const damaged = await store.apiUser('Damaged', '--username', 'damaged@example.com');
  const misplaced = await store.apiUser('Misplaced');
  const healthy = await store.apiUser('Healthy');
  changeStore(
    store.dataDir,
    "update api_users set scopes = 'not json' where name = 'Damaged';" +
      `update api_users set allowed_networks = '["nowhere"]' where name = 'Misplaced'`,
  );
  await using server = await store.start();
  const damagedByName = { ...damaged, client_id: 'damaged@example.com' };
  for (const [user, cause] of [
    [damaged, /SyntaxError.*not valid JSON/],
    [damagedByName, /SyntaxError.*not valid JSON/],
    [misplaced, /TypeError.*nowhere|ERR_INVALID_ADDRESS/],
  ] as const) {
    const response = await ask(server, user);
    assert.equal(response.status, 500, response.text);
    assert.deepEqual(Object.keys(response.body), ['error', 'error_description', 'trace_id']);
    assert.equal(response.body['error'], 'server_error');
    assert.doesNotMatch(response.text, /json|syntax|nowhere|token '|\.ts|SELECT/i);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.equal(response.headers.get('x-request-id'), response.body['trace_id']);
    await eventually(async () => {
      const lines = server.output().split('\n');
      const line = lines.find((text) => text.includes(String(response.body['trace_id'])));
      assert.match(line ?? '', cause);
    });
  }
  assert.equal((await ask(server, healthy)).status, 200);
  assert.deepEqual(await readiness(server), [200, 'ready']);
});

test('an API user whose row is damaged while the server runs harms no other, and changes go on to be seen', async () => {
  const store = await newStore();
  const damaged = await store.apiUser('Damaged');
  const healthy = await store.apiUser('Healthy');
  await using server = await store.start();
  assert.equal((await ask(server, damaged)).status, 200);
  changeStore(
    store.dataDir,
    "update api_users set scopes = 'not json' where name = 'Damaged'; update epoch set n = n + 1;" +
      `insert into changes select n, 'api_user', '${damaged.client_id}', 0 from epoch`,
  );
  await eventually(async () => assert.equal((await ask(server, damaged)).status, 500));
  await server.cli('api-user', 'disable', healthy.client_id, '--force');
  await eventually(async () => assert.equal((await ask(server, healthy)).status, 403));
  await server.cli('api-user', 'enable', healthy.client_id);
  await eventually(async () => assert.equal((await ask(server, healthy)).status, 200));
  assert.deepEqual(await readiness(server), [200, 'ready']);
});

test('with the store out of reach API users in memory get tokens, others 503, until it is there again', async () => {
  const store = await newStore();
  const user = await store.apiUser('In memory', '--username', 'known@example.com');
  await using server = await store.start();
  assert.equal((await ask(server, user)).status, 200);
  changeStore(store.dataDir, DAMAGE);
  const response = await eventually(async () => {
    const refused = await unknown(server);
    assert.equal(refused.status, 503);
    return refused;
  });
  assert.equal(response.body['error'], 'temporarily_unavailable');
  assert.match(response.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
  assert.doesNotMatch(response.text, /no such table|sqlite/i);
  assert.equal((await unknown(server, 'another@example.com')).status, 503);
  assert.equal((await ask(server, user)).status, 200);
  assert.equal((await ask(server, { ...user, client_id: 'Known@example.com' })).status, 200);
  assert.equal((await ask(server, { ...user, client_secret: 'mms_wrong' })).status, 403);
  assert.deepEqual(await readiness(server), [200, 'ready']);
  changeStore(store.dataDir, REPAIR);
  await eventually(async () => assert.equal((await unknown(server, 'a third')).status, 403));
});

test('with the store out of reach for longer than the bound all get 503 and readiness fails, until it is there again', async () => {
  const store = await newStore();
  const user = await store.apiUser('In memory');
  await using server = await store.start({ MINTMARK_STALE_MAX: '1' });
  assert.equal((await ask(server, user)).status, 200);
  changeStore(store.dataDir, DAMAGE);
  await eventually(async () => assert.deepEqual(await readiness(server), [503, 'stale']));
  for (const response of [await ask(server, user), await unknown(server)]) {
    assert.equal(response.status, 503);
    assert.equal(response.body['error'], 'temporarily_unavailable');
    assert.match(response.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
  }
  assert.equal((await fetch(`http://localhost:${server.port}/livez`)).status, 200);
  assert.equal((await fetch(`${server.url}/.well-known/jwks.json`)).status, 200);
  changeStore(store.dataDir, REPAIR);
  await eventually(async () => assert.deepEqual(await readiness(server), [200, 'ready']));
  assert.equal((await ask(server, user)).status, 200);
});

test('with the store away readiness fails seconds before tokens are refused', async () => {
  const store = await newStore();
  const user = await store.apiUser('In memory');
  await using server = await store.start({ MINTMARK_STALE_MAX: '6', MINTMARK_STALE_DRAIN: '4' });
  assert.equal((await ask(server, user)).status, 200);
  changeStore(store.dataDir, DAMAGE);
  await eventually(async () => assert.deepEqual(await readiness(server), [503, 'going_stale']));
  const notReadyAt = performance.now();
  await eventually(async () => {
    const { status } = await ask(server, user);
    if (performance.now() - notReadyAt < 3000) assert.equal(status, 200);
    assert.equal(status, 503);
  });
  assert.ok(performance.now() - notReadyAt > 3000);
  assert.deepEqual(await readiness(server), [503, 'stale']);
  changeStore(store.dataDir, REPAIR);
  await eventually(async () => assert.deepEqual(await readiness(server), [200, 'ready']));
});

test('a request that is refused for its form needs no store', async () => {
  const store = await newStore();
  const user = await store.apiUser('In memory');
  await using server = await store.start({ MINTMARK_STALE_MAX: '1' });
  changeStore(store.dataDir, DAMAGE);
  await eventually(async () => assert.equal((await ask(server, user)).status, 503));
  assert.equal((await server.post('client_id=x')).status, 400);
  assert.equal((await server.post('client_id=x&client_secret=y&grant_type=password')).status, 400);
  assert.equal((await fetch(`${server.url}/oauth2/token`)).status, 405);
});
