// Test setup: Redis, faketime, own store, own limits.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  assertionForm,
  newSigner,
  ownClaims,
  seconds,
  userWith,
  type Signer,
} from '@mintmark/test-support/assertions';
import { ASSERTION_CLOCK_SKEW_SECONDS } from '../../src/domain/assertion.ts';
import { eventually } from '@mintmark/test-support/eventually';
import { fakeClock, faketimeMissing } from '@mintmark/test-support/faketime';
import { keepAlive } from '@mintmark/test-support/keep-alive';
import { redisMissing, startRedis, type TestRedis } from '@mintmark/test-support/redis';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';

// An assertion is used once, wherever its caller is connected.

const STARTED_MS = 60_000;
/** Named in every assertion, so that one is good for all nodes. */
const ISSUER = 'https://auth.example.com/marketing';
const WIDE = {
  MINTMARK_ISSUER: ISSUER,
  MINTMARK_ADDRESS_LIMIT: '1000000',
  MINTMARK_FAILURE_LIMIT: '1000000',
  MINTMARK_API_USER_LIMIT: '1000000',
};

let opened: TemporaryStore;
let signer: Signer;
let clientId: string;
before(async () => {
  opened = await temporaryStore();
  signer = await newSigner();
  clientId = await userWith(opened.store, { jwk: signer.jwk });
});
after(async () => await opened[Symbol.asyncDispose]());

const sign = async () => await signer.sign(ownClaims(clientId, ISSUER));

async function start(env: Record<string, string>): Promise<TestServer> {
  return await startServer({ dataDir: opened.dataDir, env: { ...WIDE, ...env }, readyMs: STARTED_MS });
}

/** How many of these concurrent requests with one assertion get a token; the others get 403. */
async function tokensFor(ports: readonly number[], assertion: string): Promise<number> {
  const body = new URLSearchParams(assertionForm(assertion)).toString();
  const connections = await Promise.all(ports.map(async (port) => await keepAlive(port)));
  const answers = await Promise.all(
    connections.map(async (connection) => (await connection.post(body)).status),
  );
  for (const connection of connections) connection.close();
  const issued = answers.filter((status) => status === 200).length;
  assert.equal(answers.filter((status) => status === 403).length, answers.length - issued, answers.join());
  return issued;
}

async function metric({ port }: TestServer, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const values = Array.from(text.matchAll(new RegExp(`^${name}(?:{[^}]*})? (\\d+)$`, 'gm')), ([, value]) =>
    Number(value),
  );
  return values.reduce((sum, value) => sum + value, 0);
}

test('an assertion is used once over all workers, also new ones', async () => {
  const server = await start({ MINTMARK_WORKERS: '2' });
  try {
    for (let i = 0; i < 5; i++) assert.equal(await tokensFor(Array(16).fill(server.port), await sign()), 1);
    assert.equal(await metric(server, 'mintmark_used_assertions'), 5);
    const assertion = await sign();
    assert.equal(await tokensFor([server.port], assertion), 1);
    server.process.kill('SIGHUP');
    await eventually(() => assert.match(server.output(), /all workers are new/), 2 * STARTED_MS);
    assert.equal(await tokensFor(Array(8).fill(server.port), assertion), 0);
  } finally {
    await server.stop();
  }
});

describe('an assertion with three nodes and Redis', { skip: redisMissing() }, () => {
  let redis: TestRedis;
  const nodes: TestServer[] = [];
  const ports = () => nodes.flatMap(({ port }) => [port, port, port, port]);

  before(async () => {
    redis = await startRedis();
    const env = { REDIS_URL: redis.url, MINTMARK_PROCESSES: '3', MINTMARK_LIMITS_DEADLINE: '200' };
    nodes.push(...(await Promise.all([start(env), start(env), start(env)])));
    await limitsBecome('shared');
  });
  after(async () => {
    redis.goOn();
    for (const node of nodes) await node.stop();
    await redis[Symbol.asyncDispose]();
  });

  async function limitsBecome(limits: string, among: readonly TestServer[] = nodes): Promise<void> {
    await eventually(async () => {
      for (const { port } of among) {
        const health = (await (await fetch(`http://127.0.0.1:${port}/readyz`)).json()) as { limits: string };
        assert.equal(health.limits, limits);
      }
    });
  }

  test('is used once', async () => {
    for (let i = 0; i < 5; i++) assert.equal(await tokensFor(ports(), await sign()), 1);
    const [key] = (await redis.command('KEYS', '*:j:*')) as string[];
    const lifeMs = Number(await redis.command('PTTL', key ?? ''));
    assert.ok(lifeMs > 120_000 && lifeMs <= 150_000, `it is kept for ${lifeMs} ms`);
  });

  test('is used once, also by a node whose clock is behind', { skip: faketimeMissing() }, async () => {
    using clock = fakeClock(-20);
    const behind = await start({ REDIS_URL: redis.url, MINTMARK_PROCESSES: '3', ...clock.variables });
    try {
      await limitsBecome('shared', [behind]);
      const exp = seconds() - ASSERTION_CLOCK_SKEW_SECONDS + 3;
      const assertion = await signer.sign(ownClaims(clientId, ISSUER, { iat: exp - 60, exp }));
      assert.equal(await tokensFor([(nodes[0] as TestServer).port], assertion), 1);
      await eventually(() => assert.ok(seconds() > exp + ASSERTION_CLOCK_SKEW_SECONDS, 'not expired yet'));
      assert.equal(await tokensFor([behind.port], assertion), 0);
    } finally {
      await behind.stop();
    }
  });

  test('is used once after the node that saw it was killed', async () => {
    const assertion = await sign();
    const [node, ...others] = nodes as [TestServer, ...TestServer[]];
    assert.equal(await tokensFor([node.port], assertion), 1);
    await node.kill();
    assert.equal(
      await tokensFor(
        others.map(({ port }) => port),
        assertion,
      ),
      0,
    );
    nodes[0] = await start({ REDIS_URL: redis.url, MINTMARK_PROCESSES: '3' });
    await limitsBecome('shared');
    assert.equal(await tokensFor([nodes[0].port], assertion), 0);
  });

  test('is used once by each node while Redis is away', async () => {
    redis.freeze();
    await limitsBecome('divided');
    const assertion = await sign();
    assert.equal(await tokensFor(ports(), assertion), 3);
    for (const node of nodes) assert.equal(await metric(node, 'mintmark_used_assertions_alone_total'), 1);
    redis.goOn();
    await limitsBecome('shared');
    assert.equal(await tokensFor(ports(), assertion), 0);
  });
});
