// Test setup: Redis, own limits, first.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '@mintmark/test-support/eventually';
import { keepAlive } from '@mintmark/test-support/keep-alive';
import { report } from '@mintmark/test-support/nodes';
import {
  changeOrganisation,
  newOrganisation,
  userOf,
  type OrganisationApiUser,
} from '@mintmark/test-support/organisation-store';
import { redisMissing, startRedis, type TestRedis } from '@mintmark/test-support/redis';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';

// The limit and the quota of an organisation, counted together by several processes.

const NODES = 2;
const CONNECTIONS = 16;
const CALLS_EACH = 8;
const LIMIT = 60;
const QUOTA = 50;
const STARTED_MS = 60_000;
const MINUTE_MS = 60_000;

const WIDE = {
  MINTMARK_FIRST_API_USER: 'false',
  MINTMARK_API_USER_LIMIT: '1000000',
  MINTMARK_ADDRESS_LIMIT: '1000000',
  MINTMARK_LIMITS_DEADLINE: '1000',
};

const quotaOf = (tokensPerDay: number) => ({
  quota: { mode: 'enforce', tokensPerHour: null, tokensPerDay } as const,
});

async function knownBy(
  servers: readonly TestServer[],
  users: readonly OrganisationApiUser[],
): Promise<number> {
  for (const server of servers)
    for (const user of users) {
      await eventually(async () => assert.equal((await server.post(user.form)).status, 200));
    }
  return servers.length * users.length;
}

/** All connections at once, to all servers, by all API users. */
async function crowd(
  servers: readonly TestServer[],
  users: readonly OrganisationApiUser[],
): Promise<{ issued: number; refused: number; tookMs: number }> {
  const startedAt = performance.now();
  const callers = await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, i) => await keepAlive(servers[i % servers.length]!.port)),
  );
  const statuses = await Promise.all(
    callers.map(async (caller, i) => {
      const answers: number[] = [];
      for (let call = 0; call < CALLS_EACH; call++) {
        const { form } = users[(i + call) % users.length]!;
        answers.push((await caller.post(new URLSearchParams(form).toString())).status);
      }
      return answers;
    }),
  );
  for (const caller of callers) caller.close();
  const issued = statuses.flat().filter((status) => status === 200).length;
  assert.ok(
    statuses.flat().every((status) => status === 200 || status === 429),
    statuses.flat().join(),
  );
  return { issued, refused: statuses.flat().length - issued, tookMs: performance.now() - startedAt };
}

async function limitIsExact(opened: TemporaryStore, servers: readonly TestServer[]): Promise<void> {
  const { store } = opened;
  const { id } = await newOrganisation(store, { policy: { limitPerMinute: LIMIT } });
  const users = await Promise.all([1, 2, 3].map(() => userOf(store, id)));
  const startedAt = performance.now();
  const first = await knownBy(servers, users);
  const { issued, refused } = await crowd(servers, users);
  const more = Math.floor(((performance.now() - startedAt) / MINUTE_MS) * LIMIT);
  report('limit of an organisation', { issued: issued + first, refused, more });
  assert.ok(
    issued + first >= LIMIT && issued + first <= LIMIT + more,
    `${issued} + ${first} of ${LIMIT} + ${more}`,
  );
}

async function quotaIsExact(opened: TemporaryStore, servers: readonly TestServer[]): Promise<void> {
  const { store } = opened;
  const { id } = await newOrganisation(store, { policy: quotaOf(QUOTA) });
  const users = await Promise.all([1, 2, 3].map(() => userOf(store, id)));
  const first = await knownBy(servers, users);
  const { issued } = await crowd(servers, users);
  assert.equal(issued + first, QUOTA);
  await changeOrganisation(store, id, { policy: quotaOf(QUOTA + 5) });
  await eventually(async () => assert.equal((await servers[0]!.post(users[0]!.form)).status, 200));
  await eventually(async () => assert.equal((await servers[0]!.post(users[0]!.form)).status, 429));
}

describe('two workers', () => {
  let opened: TemporaryStore;
  let server: TestServer;
  before(async () => {
    opened = await temporaryStore();
    const env = { ...WIDE, MINTMARK_WORKERS: '2' };
    server = await startServer({ dataDir: opened.dataDir, env, readyMs: STARTED_MS });
  });
  after(async () => {
    await server.stop();
    await opened[Symbol.asyncDispose]();
  });

  test('the limit of an organisation is exact over the workers', async () => {
    await limitIsExact(opened, [server, server]);
  });

  test('the quota of an organisation is exact over the workers', async () => {
    await quotaIsExact(opened, [server, server]);
  });
});

describe('two processes with Redis', { skip: redisMissing() }, () => {
  let opened: TemporaryStore;
  let redis: TestRedis;
  const servers: TestServer[] = [];
  before(async () => {
    [opened, redis] = await Promise.all([temporaryStore(), startRedis()]);
    const env = { ...WIDE, REDIS_URL: redis.url, MINTMARK_PROCESSES: String(NODES) };
    for (let i = 0; i < NODES; i++) {
      servers.push(await startServer({ dataDir: opened.dataDir, env, readyMs: STARTED_MS }));
    }
    await limitsBecome('shared');
  });
  after(async () => {
    for (const server of servers) await server.stop();
    await redis[Symbol.asyncDispose]();
    await opened[Symbol.asyncDispose]();
  });

  async function limitsBecome(limits: string): Promise<void> {
    for (const { port } of servers) {
      await eventually(async () => {
        const response = await fetch(`http://127.0.0.1:${port}/readyz`);
        assert.equal(((await response.json()) as { limits: string }).limits, limits);
      }, STARTED_MS);
    }
  }

  test('the limit of an organisation is exact over the processes', async () => {
    await limitIsExact(opened, servers);
  });

  test('the quota of an organisation is exact over the processes', async () => {
    await quotaIsExact(opened, servers);
  });

  test('a quota is divided while Redis is away, and counts together afterwards', async () => {
    const { store } = opened;
    const { id } = await newOrganisation(store, { policy: quotaOf(20) });
    const user = await userOf(store, id);
    const exhaust = async (server: TestServer) => {
      for (let issued = 0; ; issued++) if ((await server.post(user.form)).status === 429) return issued;
    };
    const first = await knownBy(servers, [user]);
    await redis.kill();
    await limitsBecome('divided');
    const alone = [await exhaust(servers[0]!), await exhaust(servers[1]!)];
    report('quota while Redis is away', { first, alone: alone.join('+') });
    const issued = alone.reduce((sum, one) => sum + one, first);
    assert.ok(issued <= 20 && issued >= 20 - NODES, `${alone.join('+')} of the ${20 - first} that were left`);
    await redis.start();
    await limitsBecome('shared');
    await changeOrganisation(store, id, { policy: quotaOf(30) });
    await eventually(async () => assert.equal((await servers[0]!.post(user.form)).status, 200));
    let later = 1;
    // On a busy machine, a slow answer of Redis divides the quota once more.
    await eventually(async () => {
      await limitsBecome('shared');
      for (const server of servers) later += await exhaust(server);
      assert.ok(issued + later >= 30 - NODES, `${issued} + ${later} of 30`);
    }, STARTED_MS);
    // Redis lost its counts, and a process may not have known of the last token of another one.
    assert.ok(issued + later <= 30 + NODES, `${issued} + ${later} of 30`);
  });

  test('a Redis that was flushed learns the count from the processes', async () => {
    const { store } = opened;
    const { id } = await newOrganisation(store, { policy: quotaOf(12) });
    const user = await userOf(store, id);
    await knownBy(servers, [user]);
    for (let i = 0; i < 10; i++) for (const server of servers) await server.post(user.form);
    await redis.command('FLUSHALL');
    for (const server of servers) assert.equal((await server.post(user.form)).status, 429);
  });
});
