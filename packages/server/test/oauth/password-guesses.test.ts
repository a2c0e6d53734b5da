// Test setup: Redis.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '@mintmark/test-support/eventually';
import { redisMissing, startRedis } from '@mintmark/test-support/redis';
import type { TestServer, TokenResponse } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// Guesses at passwords that come at once: the failure budget holds before a guess is evaluated.

const PASSWORD = 'correct horse battery staple';
const WINDOW_MS = 60_000;
/** Room for every guess of a test: the budget alone decides what is evaluated. */
const ROOMY = { MINTMARK_PASSWORD_CHECKS_MAX: '2', MINTMARK_TEST_PASSWORD_QUEUE_MAX: '1000' };
const LIMIT = 10;

interface Started extends AsyncDisposable {
  server: TestServer;
  user: MadeApiUser;
  guess(password: string, name?: string): Promise<TokenResponse>;
}

async function started(env: Record<string, string> = {}): Promise<Started> {
  const store = await newStore();
  const user = await store.apiUser('A person', '--username', 'person@example.com');
  await store.password(user.client_id, PASSWORD);
  const server = await store.start({ ...ROOMY, MINTMARK_FAILURE_LIMIT: String(LIMIT), ...env });
  return {
    server,
    user,
    guess: (client_secret, name = user.client_id) => server.post({ client_id: name, client_secret }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Distinct guesses, all at once. */
const wave = (guess: Started['guess'], name?: string, size = 18): Promise<TokenResponse[]> =>
  Promise.all(Array.from({ length: size }, (_, i) => guess(`wrong guess ${i} of ${Math.random()}`, name)));

/** Counts replies by status, and fails on any status that is not listed. */
function count(replies: readonly TokenResponse[], ...statuses: number[]): number[] {
  for (const { status, text } of replies) assert.ok(statuses.includes(status), text);
  return statuses.map((wanted) => replies.filter(({ status }) => status === wanted).length);
}

/** What a budget of `perMinute` lets through from `startedAt` until now: its burst, and one for each interval. */
const most = (perMinute: number, startedAt: number): number =>
  perMinute + Math.ceil(((Date.now() - startedAt) * perMinute) / WINDOW_MS);

test('guesses at a password that come at once end at the budget', async () => {
  await using it = await started();
  for (const name of [it.user.client_id, 'person@example.com', 'nobody@example.com']) {
    const startedAt = Date.now();
    const replies = [...(await wave(it.guess, name)), ...(await wave(it.guess, name, 40))];
    const [evaluated = 0] = count(replies, 403, 429);
    const bound = most(LIMIT, startedAt);
    assert.ok(evaluated >= LIMIT && evaluated <= bound, `${evaluated} of at most ${bound} at ${name}`);
  }
});

test('a right password is refused among guesses beyond the budget', async () => {
  await using it = await started({ MINTMARK_FAILURE_LIMIT: '1' });
  assert.equal((await it.guess('a wrong guess')).status, 403);
  const replies = await Promise.all([
    it.guess(PASSWORD),
    ...Array.from({ length: 9 }, () => it.guess('wrong')),
  ]);
  assert.deepEqual(count(replies, 429), [10]);
});

test('a right password gives back what it paid', async () => {
  await using it = await started({ MINTMARK_FAILURE_LIMIT: '2' });
  assert.equal((await it.guess(PASSWORD)).status, 200);
  const startedAt = Date.now();
  const replies = [await it.guess('wrong 1'), await it.guess('wrong 2'), await it.guess('wrong 3')];
  const [evaluated = 0] = count(replies, 403, 429);
  assert.ok(evaluated >= 2 && evaluated <= most(2, startedAt), `${evaluated} were evaluated`);
});

test('the right password many times at once needs the budget of one', async () => {
  await using it = await started({ MINTMARK_FAILURE_LIMIT: '1' });
  const replies = await Promise.all(Array.from({ length: 30 }, () => it.guess(PASSWORD)));
  assert.deepEqual(count(replies, 200), [30]);
});

test('guesses turned away by the full queue give back what they paid', async () => {
  await using it = await started({
    MINTMARK_PASSWORD_CHECKS_MAX: '1',
    MINTMARK_TEST_PASSWORD_QUEUE_MAX: '0',
  });
  const [evaluated = 0, , busy = 0] = count(await wave(it.guess), 403, 429, 503);
  assert.ok(busy > 0, 'the queue was never full');
  const startedAt = Date.now();
  const later: TokenResponse[] = [];
  for (let i = 0; i < LIMIT + 2; i++) later.push(await it.guess(`one after another ${i}`));
  const [paid = 0] = count(later, 403, 429);
  assert.ok(
    paid >= LIMIT - evaluated && paid <= most(LIMIT - evaluated, startedAt) + 1,
    `${evaluated} + ${paid}`,
  );
});

test('guesses at once through several workers end at one budget', async () => {
  await using it = await started({ MINTMARK_WORKERS: '2', MINTMARK_LIMITS_DEADLINE: '5000' });
  const startedAt = Date.now();
  const replies = [...(await wave(it.guess)), ...(await wave(it.guess, undefined, 40))];
  const [evaluated = 0] = count(replies, 403, 429);
  assert.ok(evaluated >= LIMIT && evaluated <= most(LIMIT, startedAt), `${evaluated} were evaluated`);
});

test('a right password gives back what it paid to the workers’ budget', async () => {
  await using it = await started({
    MINTMARK_WORKERS: '2',
    MINTMARK_FAILURE_LIMIT: '2',
    MINTMARK_LIMITS_DEADLINE: '5000',
  });
  // Each worker evaluates it once, and remembers it.
  for (let i = 0; i < 6; i++) assert.equal((await it.guess(PASSWORD)).status, 200);
  const startedAt = Date.now();
  const replies = [await it.guess('wrong 1'), await it.guess('wrong 2'), await it.guess('wrong 3')];
  const [evaluated = 0] = count(replies, 403, 429);
  assert.ok(evaluated >= 2 && evaluated <= most(2, startedAt), `${evaluated} were evaluated`);
});

describe('guesses at once with limits in Redis', { skip: redisMissing() }, () => {
  test('end at one budget for two processes, and at its parts without Redis', async () => {
    await using redis = await startRedis();
    const store = await newStore();
    const user = await store.apiUser('A person');
    await store.password(user.client_id, PASSWORD);
    const env = {
      ...ROOMY,
      REDIS_URL: redis.url,
      MINTMARK_PROCESSES: '2',
      MINTMARK_LIMITS_DEADLINE: '2000',
      MINTMARK_FAILURE_LIMIT: String(LIMIT),
    };
    await using one = await store.start(env);
    await using other = await store.start(env);
    const nodes = [one, other];
    const limitsBecome = (wanted: string) =>
      eventually(async () => {
        for (const { port } of nodes) {
          const ready = await (await fetch(`http://127.0.0.1:${port}/readyz`)).json();
          assert.equal((ready as { limits: string }).limits, wanted);
        }
      });
    const guesses = (name: string, size: number) =>
      Promise.all(
        Array.from({ length: size }, (_, i) =>
          nodes[i % 2]!.post({ client_id: name, client_secret: `guess ${i} of ${Math.random()}` }),
        ),
      );
    await limitsBecome('shared');
    let startedAt = Date.now();
    const [shared = 0] = count(await guesses(user.client_id, 60), 403, 429);
    assert.ok(shared >= LIMIT && shared <= most(LIMIT, startedAt), `${shared} with Redis`);

    await redis.kill();
    startedAt = Date.now();
    // Those that are under way when Redis goes, and those that come later: all are paid for in their own process.
    const replies = [
      ...(await guesses('while@example.com', 40)),
      ...(await guesses('while@example.com', 40)),
    ];
    const [divided = 0] = count(replies, 403, 429);
    assert.ok(divided > 0 && divided <= most(LIMIT, startedAt), `${divided} without Redis`);
    await limitsBecome('divided');
    // Both, before either removes the store that they share.
    for (const node of nodes) await node.stop();
  });

  test('let a right password through with a budget of one', async () => {
    await using redis = await startRedis();
    await using it = await started({
      REDIS_URL: redis.url,
      MINTMARK_FAILURE_LIMIT: '1',
      MINTMARK_LIMITS_DEADLINE: '2000',
    });
    const replies = await Promise.all(Array.from({ length: 10 }, () => it.guess(PASSWORD)));
    assert.deepEqual(count(replies, 200), [10]);
    const startedAt = Date.now();
    const [evaluated = 0] = count(await wave(it.guess), 403, 429);
    assert.ok(evaluated >= 1 && evaluated <= most(1, startedAt), `${evaluated} were evaluated`);
  });
});
