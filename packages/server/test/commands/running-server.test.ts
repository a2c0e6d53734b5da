// Test setup: also on PostgreSQL.
// Commands on a store on which a server runs: what they change holds in the server within one second.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeProtectedHeader } from 'jose';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { eventually } from '@mintmark/test-support/eventually';
import { keySet } from '@mintmark/test-support/nodes';
import { stopBetweenWrites } from '@mintmark/test-support/stopped';
import { changeStore, onPostgres, SQLITE_ONLY } from '@mintmark/test-support/store-under-test';

const WITHIN_MS = 1000;

interface Made {
  client_id: string;
  client_secret: string;
  credential_id: string;
}

let server: TestServer;

before(async () => {
  server = await startServer({
    env: {
      MINTMARK_USAGE_FLUSH: '100',
      MINTMARK_API_USER_LIMIT: '100000', // these tests ask until the answer changes
      MINTMARK_FAILURE_LIMIT: '100000',
      MINTMARK_ADDRESS_LIMIT: '100000',
    },
  });
});

after(async () => {
  await server[Symbol.asyncDispose]();
});

async function apiUser(...options: string[]): Promise<Made> {
  const made = await server.json<Made>('api-user', 'create', '--name', 'Importer', ...options);
  await becomes(made, 200);
  return made;
}

async function status({ client_id, client_secret }: Made): Promise<number> {
  return (await server.post({ client_id, client_secret })).status;
}

/** The kids of the key set. */
async function published(): Promise<string[]> {
  return (await keySet(server)).keys.map(({ kid }) => String(kid));
}

async function becomes(made: Made, wanted: number): Promise<void> {
  await eventually(async () => (await status(made)) === wanted, WITHIN_MS, `status ${wanted}`);
}

test('a created API user gets a token; disable, enable and delete hold', async () => {
  const made = await apiUser();
  await server.cli('api-user', 'disable', made.client_id, '--force');
  await becomes(made, 403);
  await server.cli('api-user', 'enable', made.client_id);
  await becomes(made, 200);
  await server.cli('api-user', 'delete', made.client_id, '--force');
  await becomes(made, 403);
});

test('changes during SIGSTOP hold for the first request afterwards', async () => {
  const made = await apiUser();
  // Connections on which requests are read as soon as it goes on.
  await Promise.all(Array.from({ length: 6 }, published));
  await stopBetweenWrites(server);
  let waiting: Promise<number>[];
  let keySets: Promise<string[]>[];
  let kid: string;
  try {
    await server.cli('api-user', 'disable', made.client_id, '--force');
    kid = (await server.json<{ kid: string }>('signing-key', 'rotate', '--compromised')).kid;
    keySets = Array.from({ length: 3 }, published);
    waiting = Array.from({ length: 3 }, () => status(made));
    await sleep(WITHIN_MS + 200);
  } finally {
    server.process.kill('SIGCONT');
  }
  const { body } = await server.post({ client_id: server.clientId, client_secret: server.clientSecret });
  assert.equal(decodeProtectedHeader(String(body['access_token'])).kid, kid);
  assert.deepEqual(await Promise.all(waiting), [403, 403, 403]);
  assert.deepEqual(await Promise.all(keySets), [[kid], [kid], [kid]]);
});

test('a created credential works, a retired one does not', async () => {
  const first = await apiUser();
  const second = await server.json<Made>('credential', 'create', first.client_id);
  await becomes(second, 200);
  await server.cli('credential', 'retire', first.credential_id, '--force');
  await becomes(first, 403);
  assert.equal(await status(second), 200);
});

test('a reset without overlap ends the old secret; with overlap both work', async () => {
  const first = await apiUser();
  const second = await server.json<Made>('credential', 'reset', first.client_id);
  await becomes(second, 200);
  assert.equal(await status(first), 200);
  const third = await server.json<Made>('credential', 'reset', first.client_id, '--overlap', '0', '--force');
  await becomes(third, 200);
  await becomes(first, 403);
  await becomes(second, 403);
});

test('a new limit, scope and allowed network of an API user hold', async () => {
  const made = await apiUser('--scope', 'campaigns:read');
  await server.cli('api-user', 'update', made.client_id, '--limit', '777');
  await eventually(
    async () => {
      return (await server.post({ ...made })).headers.get('x-ratelimit-limit') === '777';
    },
    WITHIN_MS,
    'the new limit',
  );
  await server.cli('api-user', 'update', made.client_id, '--scope', 'campaigns:read,audiences:read');
  await eventually(
    async () => {
      return (await server.post({ ...made })).body['scope'] === 'campaigns:read audiences:read';
    },
    WITHIN_MS,
    'the new scope',
  );
  await server.cli('api-user', 'update', made.client_id, '--allow-network', '192.0.2.0/24');
  await eventually(
    async () => {
      return (await server.post({ ...made })).body['error'] === 'unauthorized_client';
    },
    WITHIN_MS,
    'the network',
  );
});

test('an immediate key signs; announcements and withdrawals show in the key set', async () => {
  const made = await apiUser();
  const kidOfToken = async () =>
    decodeProtectedHeader(String((await server.post({ ...made })).body['access_token'])).kid;
  const original = await kidOfToken();
  const announced = await server.json<{ kid: string }>('signing-key', 'rotate');
  await eventually(async () => (await published()).includes(announced.kid), WITHIN_MS, 'it is announced');
  assert.equal(await kidOfToken(), original);
  const now = await server.json<{ kid: string }>('signing-key', 'rotate', '--now');
  await eventually(async () => (await kidOfToken()) === now.kid, WITHIN_MS, 'the new key signs');
  assert.ok((await published()).includes(original ?? ''));
  const last = await server.json<{ kid: string }>('signing-key', 'rotate', '--compromised');
  await eventually(
    async () => {
      return (await published()).join(' ') === last.kid;
    },
    WITHIN_MS,
    'all others are withdrawn',
  );
  assert.equal(await kidOfToken(), last.kid);
});

test('a credential’s use appears in its list after the flush', async () => {
  const startedAt = Date.now();
  const made = await apiUser();
  for (let i = 0; i < 4; i++) assert.equal(await status(made), 200);
  const uses = async () =>
    (
      await server.json<{ last_used_at: string; last_used_address: string; use_count: number }[]>(
        'credential',
        'list',
        made.client_id,
      )
    )[0];
  await eventually(async () => ((await uses())?.use_count ?? 0) >= 5, 10_000, 'the uses are counted');
  const use = await uses();
  assert.equal(use?.use_count, 5, 'one while it was waited for, and four');
  assert.equal(use?.last_used_address, '127.0.0.1');
  assert.ok(
    Date.parse(use?.last_used_at ?? '') >= startedAt && Date.parse(use?.last_used_at ?? '') <= Date.now(),
  );
  const refused = await server.cli('credential', 'list', made.client_id);
  assert.match(refused, /127\.0\.0\.1 +5$/m);
});

test('doctor finds nothing wrong beside a running server', async () => {
  // PostgreSQL runs without fsync in tests, and doctor warns of that.
  assert.doesNotMatch(await server.cli('doctor'), onPostgres ? /FAIL/ : /WARN|FAIL/);
});

test('a server is ready only while it has an active signing key', async () => {
  await using alone = await startServer();
  const ready = async () => {
    const response = await fetch(new URL('/readyz', alone.url));
    return `${response.status} ${((await response.json()) as { status: string }).status}`;
  };
  changeStore(
    alone.dataDir,
    `update signing_keys set retires_at = 1; update epoch set n = n + 1;
     insert into changes select n, 'signing_key', 'all', 0 from epoch`,
  );
  await eventually(async () => (await ready()) === '503 no_signing_key', WITHIN_MS, 'not ready');
  await alone.cli('signing-key', 'rotate', '--now');
  await eventually(async () => (await ready()) === '200 ready', WITHIN_MS, 'ready');
});

const LOCKED = 'a lock held for seconds delays neither look-ups nor the feed';

test(LOCKED, { skip: SQLITE_ONLY }, async () => {
  await using alone = await startServer({
    env: { MINTMARK_TEST_UNKNOWN_TTL: '0', MINTMARK_USAGE_FLUSH: '100' },
  });
  const other = new DatabaseSync(join(alone.dataDir, 'mintmark.db'));
  other.exec('begin immediate');
  const slowest = { staleSeconds: 0 };
  for (let i = 0; i < 15; i++) {
    const right = { client_id: alone.clientId, client_secret: alone.clientSecret };
    assert.equal((await alone.post(right)).status, 200); // its use waits to be written all the while
    const response = await fetch(new URL('/readyz', alone.url));
    const { stale_seconds } = (await response.json()) as { stale_seconds: number };
    slowest.staleSeconds = Math.max(slowest.staleSeconds, stale_seconds);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  other.exec('rollback');
  other.close();
  assert.ok(slowest.staleSeconds < 1, `the change feed was ${slowest.staleSeconds} s behind`);
  await eventually(
    async () => {
      const [made] = await alone.json<{ use_count: number }[]>('credential', 'list', alone.clientId);
      return made?.use_count === 15;
    },
    5000,
    'the use is written',
  );
});

test('a live secret keeps working despite many newer ones', async () => {
  const made = await apiUser();
  for (let i = 0; i < 10; i++) {
    const { id } = await server.json<{ id: string }>('credential', 'create', made.client_id);
    await server.cli('credential', 'retire', id, '--force');
  }
  const last = await server.json<Made>('credential', 'create', made.client_id);
  await becomes(last, 200); // the server has seen all of it
  assert.equal(await status(made), 200);
});
