import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { TestServer, TokenResponse } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// Passwords are hashed slowly, and so bounded: one at a time here, and none may wait.

const PASSWORD = 'correct horse battery staple';

let server: TestServer;
let person: MadeApiUser;

before(async () => {
  const store = await newStore();
  person = await store.apiUser('A person', '--username', 'person@example.com');
  await store.password(person.client_id, PASSWORD);
  server = await store.start({ MINTMARK_PASSWORD_CHECKS_MAX: '1', MINTMARK_TEST_PASSWORD_QUEUE_MAX: '0' });
});
after(async () => await server[Symbol.asyncDispose]());

const ask = (password: string, id = person.client_id): Promise<TokenResponse> =>
  server.post({ client_id: id, client_secret: password });

test('password checks beyond the bound are 503 with Retry-After, others continue', async () => {
  const guesses = Array.from({ length: 30 }, (_, i) => ask(`a wrong guess, number ${i}`));
  const secret = server.post({ client_id: person.client_id, client_secret: person.client_secret });
  const replies = await Promise.all(guesses);
  assert.equal((await secret).status, 200);
  const refused = replies.filter(({ status }) => status === 403);
  const shed = replies.filter(({ status }) => status === 503);
  assert.ok(refused.length > 0 && shed.length > 0, `${refused.length} refused, ${shed.length} shed`);
  assert.equal(refused.length + shed.length, replies.length);
  for (const { body, headers } of shed) {
    assert.equal(body['error'], 'temporarily_unavailable');
    assert.match(headers.get('retry-after') ?? '', /^[1-9]\d*$/);
  }
});

test('the same guess many times at once is worked out once', async () => {
  const replies = await Promise.all(Array.from({ length: 30 }, () => ask('the same wrong guess')));
  assert.ok(replies.some(({ status }) => status === 403));
  assert.ok(replies.every(({ status }) => status === 403 || status === 503));
});

test('equal guesses at many names are checked separately to hide passwords', async () => {
  const ids = Array.from({ length: 30 }, (_, i) => `nobody-${i}@example.com`);
  const replies = await Promise.all(ids.map((id) => ask('one guess for everybody', id)));
  assert.ok(replies.some(({ status }) => status === 403));
  assert.ok(replies.some(({ status }) => status === 503));
});

test('a verified password is remembered and not delayed by guesses', async () => {
  assert.equal((await ask(PASSWORD)).status, 200);
  const guesses = Array.from({ length: 30 }, (_, i) => ask(`another wrong guess, number ${i}`));
  const rights = await Promise.all(Array.from({ length: 30 }, () => ask(PASSWORD, 'PERSON@example.com')));
  assert.deepEqual(new Set(rights.map(({ status }) => status)), new Set([200]));
  await Promise.all(guesses);
});

test('a remembered password is refused within a second of its retirement', async () => {
  assert.equal((await ask(PASSWORD)).status, 200);
  const credentials = await server.json<{ kind: string; id: string }[]>(
    'credential',
    'list',
    person.client_id,
  );
  const { id = '' } = credentials.find(({ kind }) => kind === 'password') ?? {};
  await server.json('credential', 'retire', id, '--force');
  const deadline = Date.now() + 10_000;
  while ((await ask(PASSWORD)).status !== 403) {
    assert.ok(Date.now() < deadline, 'the retired password still works');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});
