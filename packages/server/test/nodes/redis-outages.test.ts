// Test setup: Redis, own store, own limits, long.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Finding } from '../../src/doctor/finding.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { redisTargetOf } from '../../src/config/redis-target.ts';
import { redisLimits } from '../../src/storage/redis/limits.ts';
import { startCrowd } from '@mintmark/test-support/crowd';
import { freePort } from '@mintmark/test-support/free-port';
import { eventually } from '@mintmark/test-support/eventually';
import { report } from '@mintmark/test-support/nodes';
import { redisMissing, startRedis, startRedisCluster, startSentinel } from '@mintmark/test-support/redis';
import { mintmark, type TestServer } from '@mintmark/test-support/server';
import { newStore, type TestStore } from '@mintmark/test-support/store';

// A Redis that is not there yet, that wants a password and a certificate, that another takes the place of.

const PASSWORD = 'only for tests: p@ss/w%rd?';
const NAME = 'limits';

describe('ways to Redis', { skip: redisMissing() }, () => {
  let folder: string;
  let store: TestStore;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mintmark-redis-tls-'));
    store = await newStore();
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
    rmSync(store.dataDir, { recursive: true, force: true });
  });

  async function limitsOf({ port }: TestServer): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`);
    assert.equal(response.status, 200);
    return ((await response.json()) as { limits: string }).limits;
  }

  async function limitsFinding(env: Record<string, string>): Promise<Finding> {
    const { out, err } = await mintmark(['doctor', '--json'], {
      env: { MINTMARK_DATA_DIR: store.dataDir, MINTMARK_PROCESSES: '2', ...env },
    });
    assert.ok(!`${out}${err}`.includes(PASSWORD));
    const found = (JSON.parse(out) as Finding[]).filter(({ what }) => what === 'limits');
    assert.equal(found.length, 1, out);
    return found[0]!;
  }

  test('a Redis with TLS that appears after the start is used', async () => {
    makeCertificates(folder);
    const port = await freePort();
    const file = (name: string) => join(folder, name);
    const server = ['--port', '0', '--tls-port', String(port), '--tls-ca-cert-file', file('ca.pem')];
    const tls = [...server, '--tls-cert-file', file('redis.pem'), '--tls-key-file', file('redis.key')];
    await using redis = await startRedis({ args: tls, port, password: PASSWORD, later: true });
    const env = {
      REDIS_URL: `rediss://127.0.0.1:${port}`,
      MINTMARK_REDIS_PASSWORD: PASSWORD,
      MINTMARK_REDIS_CA_FILE: file('ca.pem'),
      MINTMARK_REDIS_CERT_FILE: file('redis.pem'),
      MINTMARK_REDIS_KEY_FILE: file('redis.key'),
    };
    const user = await store.apiUser('Early', '--limit', '10');
    const node = await store.start({ ...env, MINTMARK_PROCESSES: '2' });
    try {
      node.noteSecret(PASSWORD);
      assert.equal(await limitsOf(node), 'divided');
      const early = await node.post({ client_id: user.client_id, client_secret: user.client_secret });
      assert.deepEqual([early.status, early.headers.get('x-ratelimit-limit')], [200, '5']);
      assert.match(node.output(), /"msg":"limits are not shared: [^"]*"/);
      const stranger = await startRedis({ args: tls, port, password: 'another' });
      await sleep(1200); // longer than any wait between two attempts
      const meanwhile = await node.post({ client_id: user.client_id, client_secret: user.client_secret });
      assert.deepEqual([meanwhile.status, await limitsOf(node)], [200, 'divided'], 'its password is another');
      await stranger[Symbol.asyncDispose]();
      await redis.start();
      await eventually(async () => assert.equal(await limitsOf(node), 'shared'));
      const later = await node.post({ client_id: user.client_id, client_secret: user.client_secret });
      assert.deepEqual([later.status, later.headers.get('x-ratelimit-limit')], [200, '10']);
      const metrics = await (await fetch(`http://127.0.0.1:${node.port}/metrics`)).text();
      assert.match(metrics, /^mintmark_limits_shared 1$/m);
      assert.match(metrics, /^mintmark_limits_divided_total 2$/m);
    } finally {
      await node.stop();
    }

    const right = await limitsFinding(env);
    assert.equal(right.state, 'ok', right.detail);
    assert.match(right.detail, /^rediss:\/\/127\.0\.0\.1:\d+ counts them, and answers in [\d.]+ ms$/);
    for (const [wrong, detail] of [
      [{ MINTMARK_REDIS_PASSWORD: 'a wrong one' }, /does not count them: .*WRONGPASS/],
      [{ MINTMARK_REDIS_CA_FILE: '' }, /does not count them: .*certificate/],
      [{ REDIS_URL: `rediss://localhost:${port}` }, /does not count them: .*altnames/],
    ] as const) {
      const finding = await limitsFinding({ ...env, ...wrong });
      assert.equal(finding.state, 'fail');
      assert.match(finding.detail, detail);
    }
  });

  test('a killed master is followed by the Sentinels’ new master', async () => {
    await using master = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
    await using replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(master.port)] });
    await eventually(async () => {
      assert.match(String(await replica.command('INFO', 'replication')), /master_link_status:up/);
    });
    await using sentinel = await startSentinel(master, NAME);
    await eventually(async () => {
      const known = JSON.stringify(await sentinel.command('SENTINEL', 'REPLICAS', NAME));
      assert.ok(known.includes(String(replica.port)), known);
    });
    const config = loadConfig({ REDIS_URL: `redis+sentinel://127.0.0.1:${sentinel.port}/${NAME}` });
    const limits = redisLimits(redisTargetOf(config)!, 'test');
    const apiUser = { id: 'api_1', perMinute: 5, aheadMs: 0, organisation: null };
    const call = {
      network: 'n',
      addressPerMinute: 1000,
      failuresKey: 'f',
      failuresPerMinute: 10,
      failuresChange: 0 as const,
      apiUser,
    };
    try {
      await eventually(async () => await limits.count(call));
      const startedAt = performance.now();
      await master.kill();
      await eventually(async () => await limits.count(call), 30_000);
      report('master killed, Sentinel', { tookMs: performance.now() - startedAt });
      assert.match(String(await replica.command('ROLE')), /^master/);
    } finally {
      limits.close();
    }
  });

  test('a cluster that loses a master keeps tokens and counts again', async () => {
    await using cluster = await startRedisCluster();
    const users = [];
    for (let i = 0; i < 4; i++) users.push(await store.apiUser(`Of the cluster ${i}`, '--limit', '90000'));
    const counted = await store.apiUser('Counted', '--limit', '40');
    const env = { REDIS_URL: cluster.url, MINTMARK_PROCESSES: '2', MINTMARK_LIMITS_DEADLINE: '200' };
    const nodes = await Promise.all([store.start(env), store.start(env)]);
    const ports = nodes.map(({ port }) => port);
    const allShare = async () => {
      for (const node of nodes) assert.equal(await limitsOf(node), 'shared');
    };
    try {
      await eventually(allShare);
      const crowd = await startCrowd(ports, users, 12, 10);
      let issued = 0;
      for (let i = 0; i < 60; i++) {
        const { client_id, client_secret } = counted;
        const { status } = await nodes[i % 2]!.post({ client_id, client_secret });
        if (status === 200) issued += 1;
      }
      assert.ok(issued >= 40 && issued <= 44, `${issued} of 40`);
      const startedAt = performance.now();
      await cluster.nodes[1]!.kill();
      await eventually(async () => {
        const info = String(await cluster.nodes[0]!.command('CLUSTER', 'INFO'));
        assert.ok(info.includes('cluster_state:ok') && info.includes('cluster_slots_fail:0'), info);
        assert.match(String(await cluster.nodes[4]!.command('ROLE')), /^master/);
        await allShare();
      }, 30_000);
      const healedMs = performance.now() - startedAt;
      const { answers, p99Ms, slowestMs } = await crowd.stop();
      report('master of a cluster killed', { healedMs, p99Ms, slowestMs, issued: answers.get(200) ?? 0 });
      assert.deepEqual(Array.from(answers.keys()), [200]);
    } finally {
      for (const node of nodes) await node.stop();
    }
  });
});

/** Of an authority, and one for 127.0.0.1 that serves both sides. */
function makeCertificates(folder: string): void {
  const openssl = (...args: string[]) => {
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const files = (name: string) => ['-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`];
  openssl('req', '-x509', ...kind, ...files('ca'));
  const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-addext', 'subjectAltName=IP:127.0.0.1'];
  openssl('req', '-x509', ...kind, ...files('redis'), ...by);
}
