import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { adminClient, assertProblem, type AdminClient } from '@mintmark/test-support/admin';
import { testStore, type TestStore } from '@mintmark/test-support/command-line';
import type { Reply } from '@mintmark/test-support/http';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore } from '@mintmark/test-support/store';
import { changeStore } from '@mintmark/test-support/store-under-test';

// A username works in `client_id`, so none may be another API user's client id or username, in any letter case.

let server: TestServer;
let admin: AdminClient;
let last = 0;

before(async () => {
  const store = await newStore();
  const made = await store.apiUser('Deployment', '--scope', 'mintmark:admin');
  server = await store.start({ MINTMARK_ADMIN_ADDRESS_LIMIT: '1000000' });
  admin = await adminClient(server, made);
});
after(async () => await server[Symbol.asyncDispose]());

interface Line {
  outcome: string;
  code?: string;
  detail?: string;
  errors?: { pointer: string }[];
}

async function imported(...records: object[]): Promise<Line[]> {
  const lines = records.map((record) => `${JSON.stringify({ name: 'n', ...record })}\n`).join('');
  const reply = await admin.send('POST', '/api-users/import', lines, {
    'Content-Type': 'application/x-ndjson',
  });
  assert.equal(reply.status, 200, reply.text);
  return reply.text
    .trim()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
}

const create = (username: string): Promise<Reply> =>
  admin.send('POST', '/api-users', { name: 'n', username, secret: false });

async function created(username: string): Promise<string> {
  const reply = await create(username);
  assert.equal(reply.status, 201, reply.text);
  return (reply.body['api_user'] as { client_id: string }).client_id;
}

async function change(clientId: string, username: string | null): Promise<Reply> {
  return await admin.send('PATCH', `/api-users/${clientId}`, { username }, { 'If-Match': '*' });
}

/** A client id, and usernames that are it in another letter case. U+212A, the Kelvin sign, is a K. */
function spellings(): [clientId: string, usernames: string[]] {
  last += 1;
  return [`zEd-${last}k`, [`zed-${last}k`, `ZED-${last}K`, `zEd-${last}k`, `Zed-${last}\u212a`]];
}

function assertIsClientId(reply: Reply, username: string, clientId: string): void {
  assertProblem(reply, 409, 'conflict');
  const detail = `The username "${username}" is the client id of another API user, ${clientId}: choose another.`;
  assert.equal(reply.body['detail'], detail);
  assert.deepEqual(
    (reply.body['errors'] as { pointer: string }[]).map(({ pointer }) => pointer),
    ['/username'],
  );
}

test('a username equal to a client id is refused in any case', async () => {
  const [clientId, usernames] = spellings();
  assert.equal((await imported({ client_id: clientId }))[0]?.outcome, 'made');
  const other = await created(`other-${clientId}`);
  for (const username of usernames) {
    assertIsClientId(await create(username), username, clientId);
    assertIsClientId(await change(other, username), username, clientId);
    const [line] = await imported({ username });
    assert.deepEqual([line?.code, line?.errors?.[0]?.pointer], ['conflict', '/username'], username);
    assert.match(line?.detail ?? '', /is the client id of another API user/);
  }
});

test('a client id equal to a username is refused in any case', async () => {
  const [clientId, usernames] = spellings();
  for (const [i, username] of usernames.entries()) {
    const owner = await created(username);
    const [line] = await imported({ client_id: clientId });
    assert.deepEqual([line?.code, line?.errors?.[0]?.pointer], ['conflict', '/client_id'], String(i));
    assert.match(line?.detail ?? '', /is the username of another API user/);
    assert.equal((await admin.send('DELETE', `/api-users/${owner}`)).status, 204);
  }
  assert.equal((await imported({ client_id: clientId }))[0]?.outcome, 'made');
});

test('lines of one import conflict with each other in either order', async () => {
  const [first, [username = '']] = spellings();
  const [second, [, otherName = '']] = spellings();
  const lines = await imported(
    { client_id: first },
    { username },
    { username: otherName },
    { client_id: second },
    { username: otherName.toLowerCase() },
  );
  assert.deepEqual(
    lines.map(({ outcome, errors }) => errors?.[0]?.pointer ?? outcome),
    ['made', '/username', 'made', '/client_id', '/username'],
  );
  assert.match(lines[4]?.detail ?? '', /is the username of another API user/);
});

test('a conflict of two usernames names the owner in any letter case', async () => {
  const owner = await created('Ünïcode-Name');
  const other = await created('another-name');
  for (const username of ['ünïcode-name', 'ÜNÏCODE-NAME', 'u\u0308ni\u0308code-name']) {
    for (const reply of [await create(username), await change(other, username)]) {
      assertProblem(reply, 409, 'conflict');
      assert.equal(reply.body['detail'], `The username "${username}" belongs to ${owner}: choose another.`);
    }
  }
});

test('an API user may have its own client id as its username', async () => {
  const [clientId, [username = '', upper = '']] = spellings();
  assert.equal((await imported({ client_id: clientId, username }))[0]?.outcome, 'made');
  assert.equal((await change(clientId, upper)).status, 200);
  assert.equal((await change(clientId, clientId)).status, 200);
});

test('client ids that differ only in letter case are different API users', async () => {
  const [clientId, [lower = '']] = spellings();
  const lines = await imported({ client_id: clientId }, { client_id: lower });
  assert.deepEqual(
    lines.map(({ outcome }) => outcome),
    ['made', 'made'],
  );
});

/** As programs before the rule could leave it. */
async function conflictingStore(): Promise<TestStore> {
  const store = await testStore({ keys: true });
  const lines =
    '{"client_id":"Conn-88","name":"Id"}\n{"client_id":"named","name":"Name","username":"free-88"}\n';
  assert.equal((await store.run(['api-user', 'import'], { stdin: lines })).code, 0);
  const keys = "username = 'conn-88', username_key = 'conn-88'";
  changeStore(store.dataDir, `update api_users set ${keys} where client_id = 'named'`);
  return store;
}

test('commands refuse a username equal to a client id in any case', async () => {
  using store = await testStore();
  assert.equal(
    (await store.run(['api-user', 'import'], { stdin: '{"client_id":"Conn-88","name":"n"}\n' })).code,
    0,
  );
  const text =
    /mintmark: The username "conn-88" is the client id of another API user, Conn-88: choose another/;
  const made = await store.run(['api-user', 'create', '--name', 'n', '--username', 'conn-88']);
  assert.equal(made.code, 3);
  assert.match(made.err, text);
  const { client_id: id } = await store.json<{ client_id: string }>('api-user', 'create', '--name', 'n');
  const changed = await store.run(['api-user', 'update', id, '--username', 'conn-88']);
  assert.equal(changed.code, 3);
  assert.match(changed.err, text);
});

test('doctor names a conflict that an older program left in the store', async () => {
  using store = await conflictingStore();
  const { code, out } = await store.run(['doctor']);
  assert.equal(code, 0, out);
  assert.match(
    out,
    /WARN {2}store +the username "conn-88" of named is the client id Conn-88 of another API user/,
  );
  await store.cli('api-user', 'update', 'named', '--username', 'other-88');
  assert.doesNotMatch(await store.cli('doctor'), /another API user/);
});

test('API users in an old conflict can still be changed', async () => {
  using store = await conflictingStore();
  await store.cli('api-user', 'update', 'named', '--contact', 'team');
  await store.cli('api-user', 'disable', 'named');
  await store.cli('api-user', 'enable', 'Conn-88');
});
