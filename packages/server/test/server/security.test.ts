import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { after, before, test } from 'node:test';
import { decodeJwt } from 'jose';
import pino from 'pino';
import { SYSTEM } from '../../src/domain/actor.ts';
import { AppError } from '../../src/domain/app-error.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { generateSecret } from '../../src/domain/secret.ts';
import { argon2id } from '../../src/lib/argon2id.ts';
import type { GuessBudget } from '../../src/domain/failure-budget.ts';
import type { KnownApiUser, KnownPassword } from '../../src/domain/known-api-user.ts';
import { createMaintenance } from '../../src/server/maintenance.ts';
import { createMasterKey } from '../../src/storage/master-key.ts';
import { createApiUser } from '../../src/admin/api-user.ts';
import { createSecret } from '../../src/admin/credential.ts';
import { rotateSigningKey } from '../../src/admin/signing-key.ts';
import { createPasswordCheck, type PasswordCheck } from '../../src/runtime/password-checks.ts';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { databaseUrlOf } from '@mintmark/test-support/store-under-test';
import { apiUserSettings, temporaryStore } from '@mintmark/test-support/temporary-store';
import { eventually } from '@mintmark/test-support/eventually';

const WIDE = { MINTMARK_ADDRESS_LIMIT: '1000000', MINTMARK_API_USER_LIMIT: '1000000' };
const DAY_MS = 86_400_000;
const silent = pino({ level: 'silent' });

interface Made {
  client_id: string;
  client_secret: string;
}

let server: TestServer;
before(async () => {
  server = await startServer({ env: { ...WIDE, MINTMARK_FAILURE_LIMIT: '1000000' } });
});
after(async () => await server[Symbol.asyncDispose]());

test('disable, delete and enable of an API user hold after a second', async () => {
  const { client_id, client_secret } = await server.json<Made>('api-user', 'create', '--name', 'Importer');
  const isAnswered = (status: number) => async () =>
    (await server.post({ client_id, client_secret })).status === status;
  await eventually(isAnswered(200));
  for (const [command, status] of [
    ['disable', 403],
    ['enable', 200],
    ['delete', 403],
  ] as const) {
    await server.cli('api-user', command, client_id, ...(command === 'enable' ? [] : ['--force']));
    const startedAt = performance.now();
    await eventually(isAnswered(status));
    const ms = performance.now() - startedAt;
    assert.ok(ms < 1000, `${command} took ${ms} ms`);
  }
});

test('an API user without a credential gets no token by any secret', async () => {
  const { client_id } = await server.json<Made>('api-user', 'create', '--name', 'Bare', '--no-secret');
  const guesses = ['null', 'undefined', '0', '-', ' ', 'true', generateSecret().secret, server.clientSecret];
  for (const client_secret of guesses) {
    assert.equal((await server.post({ client_id, client_secret })).status, 403);
  }
  assert.equal((await server.post({ client_id, client_secret: '' })).status, 400);
  assert.equal((await server.post({ client_id })).status, 400);
  const basic = Buffer.from(`${client_id}:`).toString('base64');
  assert.equal((await server.post('', { authorization: `Basic ${basic}` })).status, 400);
});

test('an API user’s secret gets no token for another one', async () => {
  const other = await server.json<Made>('api-user', 'create', '--name', 'Other');
  const pairs = [
    [server.clientId, other.client_secret],
    [other.client_id, server.clientSecret],
  ] as const;
  for (const [client_id, client_secret] of pairs) {
    assert.equal((await server.post({ client_id, client_secret })).status, 403);
  }
});

test('no parameter gives a client an audience it lacks', async () => {
  const audiences = ['--audience', 'https://ads.example.com/', '--audience', 'https://stats.example.com/'];
  const made = await server.json<Made>('api-user', 'create', '--name', 'Two', ...audiences);
  const credentials = { client_id: made.client_id, client_secret: made.client_secret };
  const audienceOf = async (more: Record<string, string>) => {
    const { status, body } = await server.post({ ...credentials, ...more });
    return status === 200
      ? decodeJwt(String(body['access_token'])).aud
      : `${status} ${String(body['error'])}`;
  };
  await eventually(async () => (await audienceOf({})) === 'https://ads.example.com/');
  assert.equal(await audienceOf({ resource: 'https://stats.example.com/' }), 'https://stats.example.com/');
  for (const resource of [
    'https://payments.example.com/',
    server.url,
    'https://ads.example.com',
    'HTTPS://ads.example.com/',
    'https://ads.example.com/ https://stats.example.com/',
    'https://ads.example.com/#fragment',
  ]) {
    assert.equal(await audienceOf({ resource }), '400 invalid_target', resource);
  }
  const ignored = {
    audience: 'https://payments.example.com/',
    aud: 'x',
    'resource[]': 'x',
    requested_audience: 'x',
  };
  assert.equal(await audienceOf(ignored), 'https://ads.example.com/');
  const twice = new URLSearchParams([
    ...Object.entries(credentials),
    ['resource', 'https://ads.example.com/'],
    ['resource', 'x'],
  ]);
  assert.equal((await server.post(twice.toString())).status, 400);
});

test('a wrong guess costs at most one slow hash at any id', async () => {
  const hashes = countSlowHashes();
  const hash = await argon2id('correct horse battery staple');
  const ended = { credentialId: 'old', hash, expiresAt: 1, retiredAt: null };
  const rotated = [{ ...ended, credentialId: 'live', expiresAt: null }, ended, ended, ended];
  const ofToken = { organisation: null, claims: {}, tokenLifeSeconds: null, shapes: [] };
  const limits = { limitPerMinute: 1, networks: null };
  const policy = { enabled: true, ...limits, ...ofToken, scopes: [], audiences: ['a'] };
  const user = (passwords: readonly KnownPassword[]): KnownApiUser => ({
    clientId: 'x',
    policy,
    secrets: '',
    others: { passwords, keys: '', trustRules: '' },
    arrivalMs: 0,
    useNumber: -1,
  });
  const settings = { passwordChecksMax: 2, passwordQueueMax: 16 };
  const check = asynchronous(createPasswordCheck(settings, () => true));
  const caller = (clientSecret: string) => ({
    clientId: 'api_x',
    clientSecret,
    assertion: null,
    address: '::1',
    traceId: '',
  });
  const costOf = async (known: KnownApiUser | undefined, password: string) => {
    const soFar = hashes.count();
    await check(caller(password), known, 1000, ENDLESS);
    return hashes.count() - soFar;
  };
  assert.equal(await costOf(user(rotated), 'wrong 1'), 1);
  assert.equal(await costOf(user([ended, ended]), 'wrong 2'), 1);
  assert.equal(await costOf(user([]), 'wrong 3'), 1);
  assert.equal(await costOf(undefined, 'wrong 4'), 1);
  assert.equal(await costOf(user(rotated), 'correct horse battery staple'), 1);
  assert.equal(await costOf(user(rotated), 'correct horse battery staple'), 0, 'it was verified before');
  const soFar = hashes.count();
  await Promise.all(
    Array.from({ length: 50 }, () => check(caller('the same wrong one'), user(rotated), 1000, ENDLESS)),
  );
  assert.equal(hashes.count() - soFar, 1, 'the same guess at the same time');
  const none = createPasswordCheck(settings, () => false);
  await none(caller('wrong'), undefined, 1000, ENDLESS);
  assert.equal(hashes.count() - soFar, 1, 'without a password in the store there is nothing to hash');
  hashes.stop();
});

/** A budget that pays for any number of guesses. */
const ENDLESS: GuessBudget = {
  key: 'api_x ::1',
  exhausted: () => null,
  pay: () => ({ perMinute: 1, shared: false }),
  refund: () => undefined,
};

function asynchronous(check: PasswordCheck): (...args: Parameters<PasswordCheck>) => Promise<object> {
  return async (...args) => await check(...args);
}

/** Slow hashes run on the thread pool, and node:async_hooks sees each one begin. */
function countSlowHashes(): { count(): number; stop(): void } {
  let count = 0;
  const hook = createHook({ init: (_id, type) => void (count += /argon2/i.test(type) ? 1 : 0) }).enable();
  return { count: () => count, stop: () => hook.disable() };
}

test('a schedule that signs too early is refused at the start', () => {
  const schedule = { MINTMARK_KEY_ANNOUNCE: '599', MINTMARK_JWKS_MAX_AGE: '300' };
  assert.throws(
    () => loadConfig(schedule),
    (error) => error instanceof AppError && /twice/.test(error.message),
  );
  assert.equal(loadConfig({ ...schedule, MINTMARK_KEY_ANNOUNCE: '600' }).keyAnnounceSeconds, 600);
});

test('a compromised key leaves at once, its successor signs at once', async () => {
  const right = { client_id: server.clientId, client_secret: server.clientSecret };
  const kids = async () => {
    const response = await fetch(`${server.url}/.well-known/jwks.json`);
    return ((await response.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
  };
  const [old] = await kids();
  const { kid } = await server.json<{ kid: string }>('signing-key', 'rotate', '--compromised');
  await eventually(async () => (await kids()).join() === kid);
  assert.notEqual(old, kid);
  assert.equal(kidOf(String((await server.post(right)).body['access_token'])), kid);
});

function kidOf(token: string): string {
  return (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid;
}

test('maintenance removes old changes, ended credentials and removed private keys', async () => {
  await using opened = await temporaryStore({
    MINTMARK_TEST_CHANGES_KEPT: '100',
    MINTMARK_ENDED_CREDENTIALS_KEPT: '1',
    MINTMARK_KEY_ROTATION: '0',
  });
  const { store, config } = opened;
  const masterKey = createMasterKey(config);
  const now = Date.now();
  const { clientId } = await createApiUser({ store, actor: SYSTEM, nowMs: now }, apiUserSettings());
  const ends = [now - 2 * DAY_MS, now - 2 * DAY_MS, now - DAY_MS / 2, null];
  for (const expiresAt of ends) {
    await createSecret(
      { store, actor: SYSTEM, nowMs: now - 3 * DAY_MS },
      { owner: clientId, name: 'x', expiresAt },
    );
  }
  const compromised = { algorithm: 'ES256', schedule: config, mode: 'compromised' } as const;
  for (let i = 0; i < 2; i++)
    await rotateSigningKey({ store, actor: SYSTEM, nowMs: now - 1000 }, masterKey, compromised);
  await store.write(async (transaction) => {
    for (let i = 0; i < 1700; i++) await transaction.changed('api_user', clientId);
  });
  const epoch = await store.changes.epoch();
  await createMaintenance(store, masterKey, config, silent).run();

  assert.equal(await store.changes.epoch(), epoch, 'nothing that anybody must hear of');
  const kept = await store.changes.after(0, 10_000);
  assert.ok(kept.length >= 100 && kept.length <= 101, `${kept.length} changes are kept`);
  assert.equal((await store.credentials.listOf(clientId)).length, 2);
  const keys = await store.signingKeys.list();
  assert.equal(keys.length, 2);
  assert.equal(keys.filter((key) => key.sealedPrivateKey === null).length, 1);
});

test('tokens leave nothing in the store but the counts of their credentials', async () => {
  await using own = await startServer({ env: { ...WIDE, MINTMARK_USAGE_FLUSH: '100' } });
  await using opened = await temporaryStore({ DATABASE_URL: databaseUrlOf(own.dataDir) });
  const epoch = await opened.store.changes.epoch();
  const right = { client_id: own.clientId, client_secret: own.clientSecret };
  for (let i = 0; i < 200; i++) assert.equal((await own.post(right)).status, 200);
  const uses = async () => (await opened.store.credentials.listOf(own.clientId))[0]?.useCount;
  await eventually(async () => (await uses()) === 200);
  assert.equal(await opened.store.changes.epoch(), epoch);
  await own.stop();
});
