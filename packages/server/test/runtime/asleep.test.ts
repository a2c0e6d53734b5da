// Test setup: PostgreSQL, Redis, first.
// Requests that wait for something when their process is put to sleep (SIGSTOP): what happens meanwhile holds for them too.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSleepWatch } from '../../src/runtime/sleep-watch.ts';
import { adminClient } from '@mintmark/test-support/admin';
import { eventually } from '@mintmark/test-support/eventually';
import type { Reply } from '@mintmark/test-support/http';
import { becomes, kidOf, startNodes } from '@mintmark/test-support/nodes';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';
import { startPostgres } from '@mintmark/test-support/postgres';
import { redisMissing, startRedis, type TestRedis } from '@mintmark/test-support/redis';
import type { TestServer, TokenResponse } from '@mintmark/test-support/server';
import { stopBetweenWrites } from '@mintmark/test-support/stopped';
import { newStore, type MadeApiUser, type TestStore } from '@mintmark/test-support/store';
import { tcpProxy, type TcpProxy } from '@mintmark/test-support/tcp-proxy';

/** Longer than anything but a sleep keeps a process from what happens in the store. */
const ASLEEP_MS = 1200;
/** Time enough to see that a secret is known; then a request waits so long, and it ends. */
const SOON_S = 6;
const WAITS_MS = 1500;
/** What came before the last of so many answers has been taken up, and waits. */
const ANSWERS = 3;

let store: TestStore;
let server: TestServer | undefined;

before(async () => {
  store = await newStore();
});
afterEach(async () => {
  await server?.stop();
  server = undefined;
});
after(() => rmSync(store.dataDir, { recursive: true, force: true }));

/** Stops the server while these requests wait, does `meanwhile`, and lets it go on: what is answered then. */
async function asleep(
  stopped: TestServer,
  requests: Promise<TokenResponse>[],
  meanwhile: () => Promise<void>,
): Promise<TokenResponse[]> {
  await stopBetweenWrites(stopped);
  try {
    const answered = await Promise.race([...requests, sleep(50).then(() => null)]);
    assert.equal(answered, null, 'one was answered before the server was stopped');
    await Promise.all([meanwhile(), sleep(ASLEEP_MS)]);
  } finally {
    stopped.process.kill('SIGCONT');
  }
  return await Promise.all(requests);
}

describe('requests that wait for Redis', { skip: redisMissing() }, () => {
  let redis: TestRedis;
  let proxy: TcpProxy;
  before(async () => {
    redis = await startRedis();
    proxy = await tcpProxy(redis.port);
  });
  afterEach(() => proxy.mend());
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });

  async function startOnRedis(): Promise<TestServer> {
    return await store.start({
      REDIS_URL: redis.url.replace(`:${redis.port}`, `:${proxy.port}`),
      MINTMARK_PROCESSES: '2',
      MINTMARK_LIMITS_DEADLINE: '5000', // nobody gives Redis up before the server is stopped
    });
  }

  /** A request of each, which Redis is asked about as one whose secret is right, and which the server sleeps through. */
  async function waitingAsleep(
    users: MadeApiUser[],
    meanwhile: () => Promise<void>,
  ): Promise<TokenResponse[]> {
    proxy.holdAnswers();
    const requests = users.map(async (user) => await server!.post(credentials(user)));
    await eventually(
      () => {
        return users.every((user) => proxy.told().includes(`:u:{${user.client_id}}`));
      },
      5000,
      'they wait for Redis',
    );
    const answers = await asleep(server!, requests, async () => {
      await meanwhile();
      proxy.mend(); // the answers are there when it goes on
    });
    const metrics = await (await fetch(`http://127.0.0.1:${server!.port}/metrics`)).text();
    assert.match(
      metrics,
      /^mintmark_limits_divided_total 0$/m,
      'Redis was given up, as it is on a machine that is too slow',
    );
    return answers;
  }

  async function loggedReason({ client_id }: MadeApiUser, reason: string): Promise<void> {
    await eventually(
      () => {
        const lines = server!.output().split('\n');
        return lines.some((line) => line.includes(`"reason":"${reason}","clientId":"${client_id}"`));
      },
      10_000,
      `${reason} is logged`,
    );
  }

  test('get no token after a disable, an ended secret, a withdrawn key', async () => {
    const [disabled, retired, other] = [
      await store.apiUser('Disabled'),
      await store.apiUser('Retired'),
      await store.apiUser('Other'),
    ];
    server = await startOnRedis();
    const earlier = await server.post(credentials(other));
    let kid = '';
    const answers = await waitingAsleep([disabled, retired, other], async () => {
      await store.json(['api-user', 'disable', disabled.client_id, '--force']);
      await store.json(['credential', 'retire', retired.credential_id, '--force']);
      ({ kid } = await store.json<{ kid: string }>(['signing-key', 'rotate', '--compromised']));
    });
    assert.deepEqual(
      answers.map(({ status }) => status),
      [403, 403, 200],
    );
    await loggedReason(disabled, 'api_user_disabled');
    await loggedReason(retired, 'retired_secret');
    assert.notEqual(signerOf(earlier), kid);
    assert.equal(signerOf(answers.at(-1)), kid);
  });

  test('get no token by an expired secret of an unchanged API user', async () => {
    const user = await store.apiUser('Expired');
    server = await startOnRedis();
    const soon = ['credential', 'create', user.client_id, '--expires-in', `${SOON_S}s`];
    const made = await store.json<MadeApiUser & { expires_at: string }>(soon);
    const expires = { ...user, client_secret: made.client_secret };
    await becomes(server, expires, 200, 1000 * SOON_S);
    const untilItEnds = () => Date.parse(made.expires_at) - Date.now();
    await sleep(untilItEnds() - WAITS_MS);
    const [answer] = await waitingAsleep([expires], async () => await sleep(untilItEnds() + 100));
    assert.equal(answer?.status, 403);
    await loggedReason(user, 'expired_secret');
  });

  test('go by the networks and scopes that were set meanwhile', async () => {
    const [elsewhere, narrowed] = [
      await store.apiUser('Elsewhere', '--scope', 'a,b'),
      await store.apiUser('Narrowed', '--scope', 'a,b'),
    ];
    server = await startOnRedis();
    const [first, second] = await waitingAsleep([elsewhere, narrowed], async () => {
      await store.json(['api-user', 'update', elsewhere.client_id, '--allow-network', '192.0.2.0/24']);
      await store.json(['api-user', 'update', narrowed.client_id, '--scope', 'a']);
    });
    assert.equal(first?.body['error'], 'unauthorized_client');
    await loggedReason(elsewhere, 'address_not_allowed');
    assert.equal(second?.body['scope'], 'a');
  });
});

test('a request queued for its password check notices that it was disabled', async () => {
  const PASSWORD = 'correct horse battery staple';
  const [guessed, disabled] = [await store.apiUser('Guessed'), await store.apiUser('Disabled')];
  await store.password(guessed.client_id, 'another that nobody guesses');
  await store.password(disabled.client_id, PASSWORD);
  server = await store.start({ MINTMARK_PASSWORD_CHECKS_MAX: '1', MINTMARK_TEST_PASSWORD_QUEUE_MAX: '1000' });
  // Half a second of work, behind which it waits.
  const guesses = Array.from({ length: 60 }, async (_, i) => {
    return await server!.post({ client_id: guessed.client_id, client_secret: `guess ${i}` });
  });
  await Promise.race(guesses);
  const waiting = server.post({ client_id: disabled.client_id, client_secret: PASSWORD });
  for (let i = 0; i < ANSWERS; i++) await fetch(`http://127.0.0.1:${server.port}/livez`);
  const [answer] = await asleep(server, [waiting], async () => {
    await store.json(['api-user', 'disable', disabled.client_id, '--force']);
  });
  assert.equal(answer?.status, 403);
  await Promise.all(guesses);
});

const REVOKED = 'a token revoked during the sleep is refused by the admin API';

test(REVOKED, { skip: postgresMissing() }, async () => {
  await using postgres = await startPostgres();
  const direct = postgres.url(await postgres.newDatabase());
  await using proxy = await tcpProxy(postgres.port);
  await using nodes = await startNodes([direct, direct.replace(`:${postgres.port}/`, `:${proxy.port}/`)]);
  const [, node] = nodes.nodes as [TestServer, TestServer];
  const made = await nodes.apiUser('Admin', '--scope', 'mintmark:admin');
  await becomes(node, made, 200, 10_000);
  const admin = await adminClient(node, made);
  assert.equal((await admin.get('/signing-keys')).status, 200);
  node.process.kill('SIGSTOP');
  let waiting: Promise<Reply>;
  try {
    await nodes.cli('api-user', 'revoke-tokens', made.client_id);
    waiting = admin.get('/signing-keys');
    await sleep(ASLEEP_MS);
    proxy.holdAnswers(); // it asks what it has missed, and takes up the request before it knows
  } finally {
    node.process.kill('SIGCONT');
  }
  for (let i = 0; i < ANSWERS; i++) await fetch(`http://127.0.0.1:${node.port}/livez`);
  proxy.mend();
  assert.equal((await waiting).status, 401);
});

for (const [what, byMs] of [
  ['the time of day reveals a sleep of the whole machine', ASLEEP_MS],
  ['a clock set back during the sleep reveals it, too', -3_600_000],
] as const) {
  test(what, async () => {
    let caughtUp = 0;
    const stoodStill = { now: Date.now, steady: () => 0 };
    const watch = createSleepWatch(() => Promise.resolve(void (caughtUp += 1)), stoodStill);
    watch.start();
    try {
      const nowMs = Date.now();
      assert.equal(watch.catchingUp(nowMs), undefined);
      await watch.catchingUp(nowMs + byMs);
      assert.equal(caughtUp, 1);
      assert.equal(watch.catchingUp(nowMs + byMs + 1), undefined);
    } finally {
      watch.stop();
    }
  });
}

function credentials({ client_id, client_secret }: MadeApiUser): Record<string, string> {
  return { client_id, client_secret };
}

function signerOf(answer: TokenResponse | undefined): string {
  return kidOf(String(answer?.body['access_token']));
}
