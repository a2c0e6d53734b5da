import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { testStore } from '@mintmark/test-support/command-line';
import { mintmark, startServer } from '@mintmark/test-support/server';

interface SigningKeyJson {
  kid: string;
  algorithm: string;
  state: string;
  proven: boolean;
  announced_at: string;
  activates_at: string;
  retires_at: string | null;
  removes_at: string | null;
  public_jwk: Record<string, string>;
}

const FIELDS = [
  'kid',
  'algorithm',
  'state',
  'proven',
  'announced_at',
  'activates_at',
  'retires_at',
  'removes_at',
  'public_jwk',
];

function seconds(from: string | null, to: string | null): number {
  return (Date.parse(to ?? '') - Date.parse(from ?? '')) / 1000;
}

test('the first signing key signs at once under an owner-only master key', async () => {
  using store = await testStore();
  const key = await store.json<SigningKeyJson>('signing-key', 'rotate');
  assert.equal(key.state, 'active');
  assert.equal(key.algorithm, 'ES256');
  assert.equal(statSync(join(store.dataDir, 'master.key')).mode & 0o777, 0o600);
});

test('signing-key rotate announces a key and plans the active one’s end', async () => {
  using store = await testStore({ keys: true });
  const settings = {
    MINTMARK_KEY_ANNOUNCE: '1000',
    MINTMARK_JWKS_MAX_AGE: '200',
    MINTMARK_TOKEN_LIFE: '300',
    MINTMARK_CLOCK_SKEW: '40',
  };
  const { code, out } = await store.run(['signing-key', 'rotate', '--json'], { env: settings });
  assert.equal(code, 0);
  const next = JSON.parse(out) as SigningKeyJson;
  assert.deepEqual(Object.keys(next), FIELDS);
  assert.equal(next.state, 'announced');
  assert.equal(seconds(next.announced_at, next.activates_at), 1000);
  const [active, announced] = await store.json<SigningKeyJson[]>('signing-key', 'list');
  assert.equal(active?.state, 'active');
  assert.equal(active?.retires_at, next.activates_at);
  assert.equal(seconds(active?.retires_at ?? null, active?.removes_at ?? null), 300 + 1 + 40 + 200);
  assert.deepEqual(announced, next);
});

test('signing-key rotate takes its schedule from flags too, before the environment', async () => {
  using store = await testStore({ keys: true });
  const flags = ['--key-announce', '600', '--jwks-max-age', '60', '--signing-algorithm', 'EdDSA'];
  const { out } = await store.run(['signing-key', 'rotate', ...flags, '--json'], {
    env: { MINTMARK_KEY_ANNOUNCE: '7200' },
  });
  const key = JSON.parse(out) as SigningKeyJson;
  assert.equal(key.algorithm, 'EdDSA');
  assert.equal(seconds(key.announced_at, key.activates_at), 600);
});

test('signing-key rotate during an announcement is refused with exit code 3', async () => {
  using store = await testStore({ keys: true });
  const announced = await store.json<SigningKeyJson>('signing-key', 'rotate');
  const { code, err } = await store.run(['signing-key', 'rotate']);
  assert.equal(code, 3);
  assert.ok(
    err.includes(
      `Signing key ${announced.kid} is announced already and signs from ${announced.activates_at}`,
    ),
  );
  assert.match(err, /wait for it, or use --now/);
  assert.equal((await store.json<unknown[]>('signing-key', 'list')).length, 2);
});

test('signing-key rotate --now signs at once, keeping the others published', async () => {
  using store = await testStore({ keys: true });
  const announced = await store.json<SigningKeyJson>('signing-key', 'rotate');
  const now = await store.json<SigningKeyJson>('signing-key', 'rotate', '--now');
  assert.equal(now.state, 'active');
  const states = new Map(
    (await store.json<SigningKeyJson[]>('signing-key', 'list')).map((key) => [key.kid, key.state]),
  );
  assert.equal(states.get(now.kid), 'active');
  assert.equal(states.get(announced.kid), 'retired');
  assert.deepEqual(Array.from(states.values()).sort(), ['active', 'retired', 'retired']);
});

test('signing-key rotate --compromised withdraws all others; only list --all shows them', async () => {
  using store = await testStore({ keys: true });
  await store.cli('signing-key', 'rotate');
  const key = await store.json<SigningKeyJson>('signing-key', 'rotate', '--compromised');
  const listed = await store.json<SigningKeyJson[]>('signing-key', 'list');
  assert.deepEqual(
    listed.map(({ kid, state }) => [kid, state]),
    [[key.kid, 'active']],
  );
  const all = await store.json<SigningKeyJson[]>('signing-key', 'list', '--all');
  assert.deepEqual(all.map(({ state }) => state).sort(), ['active', 'removed', 'removed']);
});

test('signing-key list shows a table without any private part', async () => {
  using store = await testStore({ keys: true });
  for (const algorithm of ['EdDSA', 'RS256']) {
    await store.cli('signing-key', 'rotate', '--now', '--signing-algorithm', algorithm);
  }
  const out = await store.cli('signing-key', 'list');
  assert.match(out, /^KEY ID +ALG +STATE +SIGNS FROM +UNTIL +PUBLISHED UNTIL\n/);
  const keys = await store.json<SigningKeyJson[]>('signing-key', 'list');
  for (const { public_jwk, kid } of keys) {
    assert.ok(out.includes(kid));
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.ok(!(member in public_jwk), member);
  }
});

test('signing-key rotate without the right master key has exit code 3', async () => {
  using store = await testStore({ keys: true });
  const wrong = await store.run(['signing-key', 'rotate', '--now'], {
    env: { MINTMARK_MASTER_KEY: 'ab'.repeat(32) },
  });
  assert.equal(wrong.code, 3);
  assert.match(wrong.err, /^mintmark: The master key is not the one .* set MINTMARK_MASTER_KEY or/);
  const missing = await store.run(['signing-key', 'rotate', '--now', '--master-key-file', '/nowhere/key']);
  assert.equal(missing.code, 3);
  assert.match(missing.err, /^mintmark: The master key file \/nowhere\/key is missing/);
  assert.equal((await store.json<unknown[]>('signing-key', 'list', '--all')).length, 1);
});

test('signing-key rotate keeps a retired key for a cut-off process', async () => {
  using store = await testStore({ keys: true });
  const env = { MINTMARK_STALE_MAX: '900', MINTMARK_TOKEN_LIFE: '300', MINTMARK_CLOCK_SKEW: '0' };
  assert.equal((await store.run(['signing-key', 'rotate', '--now'], { env })).code, 0);
  const [retired] = await store.json<SigningKeyJson[]>('signing-key', 'list');
  assert.equal(retired?.state, 'retired');
  assert.equal(seconds(retired?.retires_at ?? null, retired?.removes_at ?? null), 900 + 300 + 1 + 300);
});

test("signing-key rotate keeps to a server's durations where its own are shorter", async () => {
  await using server = await startServer({
    env: { MINTMARK_KEY_ANNOUNCE: '7000', MINTMARK_TOKEN_LIFE: '3600' },
  });
  const next = await server.json<SigningKeyJson>('signing-key', 'rotate', '--key-announce', '600');
  assert.equal(seconds(next.announced_at, next.activates_at), 7000);
  const { out } = await mintmark(['signing-key', 'list', '--json'], {
    env: { MINTMARK_DATA_DIR: server.dataDir },
  });
  const [active] = JSON.parse(out) as SigningKeyJson[];
  assert.equal(seconds(active?.retires_at ?? null, active?.removes_at ?? null), 3600 + 1 + 60 + 300);
});
