import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually } from '@mintmark/test-support/eventually';
import { basic, exchange, FORM, type Reply } from '@mintmark/test-support/http';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// 429: per API user, per address, and for failed attempts per client id and address. Callers come from addresses of
// their own, as a trusted proxy tells them.

const ADDRESS_LIMIT = 40;
const FAILURE_LIMIT = 6;
const WINDOW_MS = 60_000;

let server: TestServer;
let addresses = 0;
const users: Record<'six' | 'twelve' | 'owner' | 'named' | 'default', MadeApiUser> = {} as never;

before(async () => {
  const store = await newStore();
  users.six = await store.apiUser('Six a minute', '--limit', '6');
  users.twelve = await store.apiUser('Twelve a minute', '--limit', '12');
  users.owner = await store.apiUser('The owner');
  users.named = await store.apiUser('Named', '--username', 'Named@Example.com');
  users.default = await store.apiUser('Default');
  server = await store.start({
    MINTMARK_ADDRESS_LIMIT: String(ADDRESS_LIMIT),
    MINTMARK_FAILURE_LIMIT: String(FAILURE_LIMIT),
    MINTMARK_API_USER_LIMIT: '17',
    MINTMARK_TRUSTED_PROXIES: '127.0.0.1',
  });
});
after(async () => await server[Symbol.asyncDispose]());

const newAddress = () => `198.51.100.${(addresses += 1)}`;

async function ask(id: string, secret: string, address: string, from?: string): Promise<Reply> {
  const body = new URLSearchParams({ client_id: id, client_secret: secret }).toString();
  const headers = { 'Content-Type': FORM, ...(address !== '' && { 'X-Forwarded-For': address }) };
  const reply = await exchange(server.port, { headers, body, ...(from !== undefined && { from }) });
  if (reply.status === 200) server.noteSecret(reply.body['access_token'] as string);
  return reply;
}

const right = (user: MadeApiUser, address = newAddress()) => ask(user.client_id, user.client_secret, address);
const wrong = (id: string, address: string) => ask(id, 'a wrong guess', address);

/** Asserts that of calls made since `startedAt` as many passed as may: the burst, and one for each interval since. */
function assertPassed(passed: number, perMinute: number, startedAt: number): void {
  const more = Math.floor(((Date.now() - startedAt) * perMinute) / WINDOW_MS);
  assert.ok(passed >= perMinute && passed <= perMinute + more, `${passed} of ${perMinute} + ${more} passed`);
}

function assertTooMany(reply: Reply, policy: string, perMinute: number): void {
  const { status, headers, body } = reply;
  assert.equal(status, 429);
  assert.equal(body['error'], 'rate_limit_exceeded');
  assert.equal(body['trace_id'], headers['x-request-id']);
  assert.equal(headers['cache-control'], 'no-store');
  const retryAfter = Number(headers['retry-after']);
  assert.ok(Number.isInteger(retryAfter) && retryAfter >= 1 && retryAfter <= Math.ceil(60 / perMinute));
  assert.equal(headers['x-ratelimit-limit'], String(perMinute));
  assert.equal(headers['x-ratelimit-remaining'], '0');
  const sentAt = Date.parse(headers.date ?? '') / 1000;
  const reset = Number(headers['x-ratelimit-reset']);
  assert.ok(
    reset >= sentAt && reset <= sentAt + retryAfter + 5,
    `reset ${reset}, sent ${sentAt}, ${retryAfter}`,
  );
  assert.equal(headers['ratelimit-policy'], `"${policy}";q=${perMinute};w=60`);
  assert.equal(headers['ratelimit'], `"${policy}";r=0;t=${retryAfter}`);
}

test('a burst of an API user passes exactly to its limit, counted down in the headers, wherever it comes from', async () => {
  const startedAt = Date.now();
  const replies: Reply[] = [];
  for (let i = 0; i < 7; i++) replies.push(await right(users.six));
  const passed = replies.filter(({ status }) => status === 200);
  assertPassed(passed.length, 6, startedAt);
  const remaining = passed.slice(0, 6).map(({ headers }) => Number(headers['x-ratelimit-remaining']));
  const [first = 0, ...others] = remaining;
  assert.equal(first, 5);
  others.forEach((left, i) => assert.ok(left >= 4 - i && left <= 5, String(remaining)));
  for (const reply of replies.filter(({ status }) => status !== 200)) assertTooMany(reply, 'api-user', 6);
  for (const { headers } of passed) {
    assert.equal(headers['x-ratelimit-limit'], '6');
    assert.match(String(headers['ratelimit']), /^"api-user";r=[0-5];t=\d+$/);
    assert.equal(headers['ratelimit-policy'], '"api-user";q=6;w=60');
  }
});

test('a burst at once passes exactly to the default limit', async () => {
  const startedAt = Date.now();
  const replies = await Promise.all(Array.from({ length: 30 }, () => right(users.default)));
  assertPassed(replies.filter(({ status }) => status === 200).length, 17, startedAt);
  for (const reply of replies.filter(({ status }) => status !== 200)) assertTooMany(reply, 'api-user', 17);
});

test('after the time in Retry-After one more call passes', async () => {
  let refused: Reply | undefined;
  for (let i = 0; i < 200 && refused === undefined; i++) {
    const reply = await right(users.twelve);
    if (reply.status === 429) refused = reply;
  }
  assert.ok(refused !== undefined);
  assertTooMany(refused, 'api-user', 12);
  await new Promise((resolve) => setTimeout(resolve, Number(refused.headers['retry-after']) * 1000));
  const again = await right(users.twelve);
  assert.equal(again.status, 200);
  assert.ok(Math.floor(Date.now() / 1000) + 1 >= Number(refused.headers['x-ratelimit-reset']));
});

test('wrong secrets take nothing from the limit of the API user', async () => {
  for (let i = 0; i < 4; i++) await wrong(users.owner.client_id, newAddress());
  assert.equal((await right(users.owner)).headers['x-ratelimit-remaining'], '16');
});

test('an address passes exactly to its limit, whoever calls and whatever for, and others are not held up', async () => {
  const address = newAddress();
  const startedAt = Date.now();
  const calls = Array.from({ length: ADDRESS_LIMIT + 5 }, (_, i) => wrong(`unknown ${i}`, address));
  const replies = await Promise.all(calls);
  const passed = replies.filter(({ status }) => status === 403);
  assertPassed(passed.length, ADDRESS_LIMIT, startedAt);
  for (const reply of replies.filter(({ status }) => status !== 403)) {
    assertTooMany(reply, 'address', ADDRESS_LIMIT);
  }
  assert.equal((await right(users.owner)).status, 200);
});

test('an address limit counts an IPv6 /64 as one caller, and an IPv4 address in IPv6 form as itself', async () => {
  const of = (prefix: string) =>
    Promise.all(Array.from({ length: ADDRESS_LIMIT * 2 }, (_, i) => wrong(`v6 ${i}`, `${prefix}${i + 1}`)));
  assert.ok((await of('2001:db8:0:1::')).some(({ status }) => status === 429));
  assert.equal((await wrong('v6', '2001:db8:0:2::1')).status, 403);
  assert.ok((await of('::ffff:203.0.113.')).every(({ status }) => status === 403));
});

test('failed attempts at a client id from an address end at their budget, right credentials there included', async () => {
  const address = newAddress();
  const startedAt = Date.now();
  const replies: Reply[] = [];
  for (let i = 0; i < FAILURE_LIMIT + 3; i++) replies.push(await wrong(users.owner.client_id, address));
  assertPassed(replies.filter(({ status }) => status === 403).length, FAILURE_LIMIT, startedAt);
  const last = replies.at(-1);
  assert.ok(last !== undefined);
  assertTooMany(last, 'failures', FAILURE_LIMIT);
  assertTooMany(await right(users.owner, address), 'failures', FAILURE_LIMIT);
});

test('failed attempts of a stranger do not lock the owner out', async () => {
  const stranger = newAddress();
  for (let i = 0; i < FAILURE_LIMIT + 3; i++) await wrong(users.owner.client_id, stranger);
  assert.equal((await wrong(users.owner.client_id, stranger)).status, 429);
  assert.equal((await right(users.owner)).status, 200);
  assert.equal((await wrong(users.six.client_id, stranger)).status, 403);
});

test(
  'failed attempts of a stranger on another address of the machine do not lock the owner out',
  { skip: process.platform !== 'linux' && 'only Linux has all of 127.0.0.0/8' },
  async () => {
    const { client_id: id, client_secret: secret } = users.owner;
    for (let i = 0; i < FAILURE_LIMIT + 3; i++) await ask(id, 'a wrong guess', '', '127.0.0.2');
    assert.equal((await ask(id, secret, '', '127.0.0.2')).status, 429);
    assert.equal((await ask(id, secret, '', '127.0.0.3')).status, 200);
  },
);

test('failed attempts count together in whatever letter case a username is written', async () => {
  const address = newAddress();
  const spellings = ['named@example.com', 'Named@Example.com', 'NAMED@EXAMPLE.COM', 'nAMED@example.com'];
  const replies: Reply[] = [];
  for (let i = 0; i < FAILURE_LIMIT + 4; i++) {
    replies.push(await wrong(spellings[i % spellings.length] ?? '', address));
  }
  assert.ok(replies.some(({ status }) => status === 429));
});

test('failed attempts by HTTP Basic and in the form count together', async () => {
  const address = newAddress();
  const headers = { 'X-Forwarded-For': address, 'Content-Type': FORM };
  const Authorization = basic(users.owner.client_id, 'a wrong guess');
  for (let i = 0; i < FAILURE_LIMIT + 2; i++) {
    const reply = await exchange(server.port, { headers: { ...headers, Authorization } });
    if (i < FAILURE_LIMIT) assert.equal(reply.status, 401);
  }
  assert.equal((await wrong(users.owner.client_id, address)).status, 429);
});

test('a limit that is raised holds within a second', async () => {
  await eventually(async () => assert.equal((await right(users.six)).status, 429));
  await server.cli('api-user', 'update', users.six.client_id, '--limit', '6000');
  const reply = await eventually(async () => {
    const again = await right(users.six);
    assert.equal(again.status, 200);
    return again;
  });
  assert.equal(reply.headers['x-ratelimit-limit'], '6000');
});
