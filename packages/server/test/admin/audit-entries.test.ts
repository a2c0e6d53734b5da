// Test setup: also on PostgreSQL.
import assert from 'node:assert/strict';
import { userInfo } from 'node:os';
import { test } from 'node:test';
import { SYSTEM, type Actor } from '../../src/domain/actor.ts';
import { auditEntryJson } from '../../src/http/admin/audit-entry.wire.ts';
import { AppError } from '../../src/domain/app-error.ts';
import { firstStart } from '../../src/server/first-start.ts';
import { createMasterKey } from '../../src/storage/master-key.ts';
import {
  createApiUser,
  deleteApiUser,
  revokeApiUserTokens,
  updateApiUser,
} from '../../src/admin/api-user.ts';
import {
  createPassword,
  createSecret,
  retireCredential,
  updateCredential,
} from '../../src/admin/credential.ts';
import { createApiUserWithSecret } from '../../src/admin/api-user-with-secret.ts';
import { cutOff, resetCredentials } from '../../src/admin/reset-credentials.ts';
import { rotateSigningKey } from '../../src/admin/signing-key.ts';
import type { Store } from '../../src/storage/store.ts';
import { testStore } from '@mintmark/test-support/command-line';
import { assertNoDigestInAudit } from '@mintmark/test-support/audit';
import { startServer } from '@mintmark/test-support/server';
import { databaseUrlOf, SQLITE_ONLY } from '@mintmark/test-support/store-under-test';
import { apiUserSettings, temporaryStore } from '@mintmark/test-support/temporary-store';
import { batch, use } from '@mintmark/test-support/usage';

const NOW = Date.UTC(2026, 0, 1);
const PASSWORD = 'correct horse battery staple';

const ADA: Actor = {
  kind: 'operator',
  id: 'op_1',
  name: 'ada@example.com',
  address: '192.0.2.1',
  role: 'admin',
};

interface Shown {
  n: number;
  action: string;
  outcome: string;
  actor: Record<string, unknown>;
  subject: { kind: string; id: string | null };
  related: { kind: string; id: string | null } | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  reason: string | null;
}

/** In the order of the chain, without the names that are looked up for readers. */
async function entries(store: Store): Promise<Shown[]> {
  const all = await store.audit.after(0, 1000);
  const shown = all.map((entry) => auditEntryJson({ ...entry, subjectName: null, relatedName: null }));
  const bare = JSON.stringify(shown, (key, value: unknown) =>
    key === 'name' && value === null ? undefined : value,
  );
  return JSON.parse(bare) as Shown[];
}

async function lastEntry(store: Store): Promise<Shown> {
  const last = (await entries(store)).at(-1);
  assert.ok(last);
  return last;
}

test('every kind of change is one entry with actor, subject and difference', async () => {
  await using opened = await temporaryStore();
  const { store, config } = opened;
  const user = await createApiUser(
    { store, actor: ADA, nowMs: NOW },
    apiUserSettings({ username: 'importer' }),
  );
  const id = user.clientId;
  await updateApiUser({ store, actor: ADA, nowMs: NOW }, 'importer', { name: 'Exporter', limitPerMinute: 7 });
  await updateApiUser({ store, actor: ADA, nowMs: NOW }, id, { enabled: false }, { revoke: true });
  await updateApiUser({ store, actor: ADA, nowMs: NOW }, id, { enabled: true });
  const asked = { owner: 'importer', name: 'first', expiresAt: null };
  const { credential } = await createSecret({ store, actor: ADA, nowMs: NOW }, asked);
  await createPassword({ store, actor: ADA, nowMs: NOW }, asked, PASSWORD);
  await updateCredential({ store, actor: ADA, nowMs: NOW }, credential.id, {
    name: 'other',
    expiresAt: NOW + 1000,
  });
  await resetCredentials({ store, actor: ADA, nowMs: NOW }, { ...asked, overlapMs: 500, force: false });
  await retireCredential({ store, actor: ADA, nowMs: NOW }, credential.id, { force: true, revoke: true });
  await cutOff({ store, actor: ADA, nowMs: NOW }, 'importer', { credentialId: null, newSecret: true });
  await revokeApiUserTokens({ store, actor: ADA, nowMs: NOW }, 'importer');
  const rotation = { algorithm: 'ES256', schedule: config, mode: 'now' } as const;
  await rotateSigningKey({ store, actor: ADA, nowMs: NOW }, createMasterKey(config), rotation);
  await deleteApiUser({ store, actor: ADA, nowMs: NOW }, 'importer');

  const log = await entries(store);
  assert.deepEqual(
    log.map(({ action }) => action),
    [
      'api_user.create',
      'api_user.update',
      'api_user.disable',
      'api_user.enable',
      'credential.create',
      'credential.create',
      'credential.update',
      'credential.reset',
      'credential.retire',
      'credential.cut_off',
      'api_user.revoke_tokens',
      'signing_key.rotate',
      'api_user.delete',
    ],
  );
  for (const entry of log) {
    assert.deepEqual(entry.actor, ADA);
    assert.equal(entry.outcome, 'done');
    const isKey = entry.subject.kind === 'signing_key';
    assert.ok(
      isKey || [entry.subject.id, entry.related?.id].includes(id),
      `${entry.action} names the API user`,
    );
    assert.ok(entry.subject.id !== null);
  }
  assert.deepEqual(
    [log[1]?.before, log[1]?.after],
    [
      { name: 'Importer', limit_per_minute: null },
      { name: 'Exporter', limit_per_minute: 7 },
    ],
  );
  assert.deepEqual(log[2]?.before, { enabled: true });
  assert.equal(log[2]?.after?.['enabled'], false);
  assert.match(String(log[2]?.after?.['tokens_revoked_issued_before']), /^\d{4}-/);
  assert.deepEqual(
    [log[6]?.before, log[6]?.after],
    [
      { name: 'first', expires_at: null },
      { name: 'other', expires_at: new Date(NOW + 1000).toISOString() },
    ],
  );
  const lengthOf = (value: unknown) => (value as unknown[]).length;
  assert.equal(lengthOf(log[7]?.after?.['others']), 1);
  assert.equal(lengthOf(log[9]?.after?.['credentials']), 2, 'the reset secret and the password');
  assert.equal(log.at(-1)?.before?.['name'], 'Exporter');
});

test('a refused attempt is an entry with its reason and changes nothing', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  const { user, credential } = await createApiUserWithSecret(
    { store, actor: ADA, nowMs: NOW },
    apiUserSettings({ username: 'importer' }),
    { name: 'first', expiresAt: null },
  );
  const id = user.clientId;
  await store.recordUsage(batch(NOW, [use(credential, NOW, 1, '192.0.2.9')]));
  const before = await entries(store);
  const attempts: [() => Promise<unknown>, Partial<Shown>][] = [
    [
      () => createApiUser({ store, actor: ADA, nowMs: NOW }, apiUserSettings({ username: 'IMPORTER' })),
      { action: 'api_user.create', subject: { kind: 'api_user', id: null } },
    ],
    [
      () => updateApiUser({ store, actor: ADA, nowMs: NOW }, 'importer', { name: '' }),
      { action: 'api_user.update', subject: { kind: 'api_user', id } },
    ],
    [
      () => retireCredential({ store, actor: ADA, nowMs: NOW + 1 }, credential.id, { force: false }),
      {
        action: 'credential.retire',
        subject: { kind: 'credential', id: credential.id },
        related: { kind: 'api_user', id },
      },
    ],
    [
      () =>
        createPassword(
          { store, actor: ADA, nowMs: NOW },
          { owner: 'importer', name: 'x', expiresAt: null },
          'short',
        ),
      {
        action: 'credential.create',
        subject: { kind: 'credential', id: null },
        related: { kind: 'api_user', id },
      },
    ],
    [
      () => deleteApiUser({ store, actor: ADA, nowMs: NOW }, 'api_00000000000000000000'),
      { action: 'api_user.delete', subject: { kind: 'api_user', id: 'api_00000000000000000000' } },
    ],
  ];
  for (const [attempt, expected] of attempts) {
    await assert.rejects(attempt, AppError);
    const entry = await lastEntry(store);
    const picked = Object.fromEntries(
      Object.keys(expected).map((name) => [name, entry[name as keyof Shown]]),
    );
    assert.deepEqual(picked, expected);
    assert.equal(entry.outcome, 'refused');
    assert.ok((entry.reason?.length ?? 0) > 10);
    assert.deepEqual([entry.before, entry.after], [null, null]);
  }
  assert.equal((await entries(store)).length, before.length + attempts.length);
  assert.deepEqual(await store.apiUsers.find(id), user);
});

const NO_DIGEST = 'no audit entry of any change has a digest or sealed key';

test(NO_DIGEST, { skip: SQLITE_ONLY }, async () => {
  await using opened = await temporaryStore();
  const { store, config } = opened;
  const masterKey = createMasterKey(config);
  await firstStart(store, masterKey, config, NOW);
  const { clientId: owner } = await createApiUser({ store, actor: ADA, nowMs: NOW }, apiUserSettings());
  const asked = { owner, name: 'first', expiresAt: null };
  const { credential } = await createSecret({ store, actor: ADA, nowMs: NOW }, asked);
  await createPassword({ store, actor: ADA, nowMs: NOW }, asked, PASSWORD);
  await updateCredential({ store, actor: ADA, nowMs: NOW }, credential.id, { name: 'other' });
  await resetCredentials({ store, actor: ADA, nowMs: NOW }, { ...asked, overlapMs: 500, force: false });
  await retireCredential({ store, actor: ADA, nowMs: NOW }, credential.id, { force: true });
  await assert.rejects(createPassword({ store, actor: ADA, nowMs: NOW }, asked, `${PASSWORD}!`), AppError);
  await cutOff({ store, actor: ADA, nowMs: NOW }, owner, { credentialId: null, newSecret: true });
  const rotation = { algorithm: 'EdDSA', schedule: config, mode: 'compromised' } as const;
  await rotateSigningKey({ store, actor: ADA, nowMs: NOW }, masterKey, rotation);
  assert.ok(assertNoDigestInAudit(opened.path) >= 6, 'digests were looked for');
  const digest = (await store.credentials.listOf(owner))[0]?.digest ?? '';
  await updateApiUser({ store, actor: ADA, nowMs: NOW }, owner, { name: digest });
  assert.throws(() => assertNoDigestInAudit(opened.path), /credentials\.digest/);
});

test('no entry has a password or secret typed as a name', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  const { secret } = await createApiUserWithSecret({ store, actor: ADA, nowMs: NOW }, apiUserSettings(), {
    name: 'first',
    expiresAt: null,
  });
  const quoting = `say "${PASSWORD}" twice`;
  for (const given of [secret, PASSWORD, quoting]) {
    await assert.rejects(updateApiUser({ store, actor: ADA, nowMs: NOW }, given, {}), AppError);
    await assert.rejects(
      retireCredential({ store, actor: ADA, nowMs: NOW }, given, { force: true }),
      AppError,
    );
    await assert.rejects(
      cutOff({ store, actor: ADA, nowMs: NOW }, given, { credentialId: given, newSecret: true }),
      AppError,
    );
    await assert.rejects(
      createApiUser({ store, actor: ADA, nowMs: NOW }, apiUserSettings({ scopes: [given, 'ü'] })),
      AppError,
    );
  }
  await createApiUser({ store, actor: ADA, nowMs: NOW }, apiUserSettings({ name: `Importer ${secret}` }));
  const written = JSON.stringify(await store.audit.after(0, 1000));
  for (const text of [secret, PASSWORD]) assert.ok(!written.includes(text), text);
});

test('a change whose entry cannot be written is not made', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  const failing: Actor = { ...SYSTEM, name: undefined as unknown as 'mintmark' };
  await assert.rejects(createApiUser({ store, actor: failing, nowMs: NOW }, apiUserSettings()));
  assert.equal(await store.apiUsers.any(), false);
  assert.equal((await store.audit.head()).last.n, 0);
});

test('cutting off one credential retires it, revokes tokens and spares the others', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  const { clientId } = await createApiUser({ store, actor: ADA, nowMs: NOW }, apiUserSettings());
  const asked = { owner: clientId, name: 'leaked', expiresAt: null };
  const leaked = await createSecret({ store, actor: ADA, nowMs: NOW }, asked);
  const other = await createSecret({ store, actor: ADA, nowMs: NOW }, { ...asked, name: 'other' });
  const { retired, replacement } = await cutOff({ store, actor: ADA, nowMs: NOW + 5 }, clientId, {
    credentialId: leaked.credential.id,
    newSecret: true,
  });
  assert.deepEqual(
    retired.map(({ id, retiredAt }) => [id, retiredAt]),
    [[leaked.credential.id, NOW + 5]],
  );
  const kept = await store.credentials.listOf(clientId);
  const live = kept.filter(({ retiredAt }) => retiredAt === null).map(({ id }) => id);
  assert.deepEqual(new Set(live), new Set([other.credential.id, replacement?.credential.id]));
  assert.equal((await store.revocations.page('', 10)).length, 1);
  const entry = await lastEntry(store);
  assert.deepEqual(entry.subject, { kind: 'credential', id: leaked.credential.id });

  const again = await cutOff({ store, actor: ADA, nowMs: NOW + 9 }, clientId, {
    credentialId: leaked.credential.id,
    newSecret: false,
  });
  assert.deepEqual(again, { retired: [], replacement: null }, 'one that has ended is no reason to refuse');
  const foreign = createApiUser({ store, actor: ADA, nowMs: NOW }, apiUserSettings()).then((user) =>
    cutOff({ store, actor: ADA, nowMs: NOW }, user.clientId, {
      credentialId: other.credential.id,
      newSecret: false,
    }),
  );
  await assert.rejects(foreign, /has no credential/);
});

test('a live credential is renamed and dated; an ended one is refused', async () => {
  await using opened = await temporaryStore();
  const { store } = opened;
  const { clientId } = await createApiUser({ store, actor: ADA, nowMs: NOW }, apiUserSettings());
  const { credential } = await createSecret(
    { store, actor: ADA, nowMs: NOW },
    { owner: clientId, name: 'a', expiresAt: null },
  );
  const update = (changes: Parameters<typeof updateCredential>[2], nowMs = NOW) =>
    updateCredential({ store, actor: ADA, nowMs }, credential.id, changes);
  assert.equal((await update({ name: 'b' })).name, 'b');
  const dated = await update({ expiresAt: NOW + 10 });
  assert.deepEqual([dated.name, dated.expiresAt], ['b', NOW + 10]);
  assert.equal((await update({ expiresAt: null })).expiresAt, null);
  await update({ expiresAt: NOW + 10 });
  await assert.rejects(update({ expiresAt: NOW }), /would have expired already/);
  await assert.rejects(update({ name: ' ' }), /name of 1 to 200 characters/);
  await assert.rejects(update({ name: 'c' }, NOW + 10), /is expired for good/);
  assert.deepEqual(await store.credentials.find(credential.id), dated);
});

test('a change by a command is recorded under the system’s user name', async () => {
  using store = await testStore();
  await store.cli('api-user', 'create', '--name', 'Importer');
  await store.run(['api-user', 'disable', 'nobody']);
  const rows = store.sql('select actor_kind, actor_id, action, outcome, subject_id from audit order by n');
  const name = userInfo().username;
  assert.deepEqual(
    rows.map(({ actor_kind, actor_id, action, outcome }) => [actor_kind, actor_id, action, outcome]),
    [
      ['command_line', name, 'api_user.create', 'done'],
      ['command_line', name, 'credential.create', 'done'],
      ['command_line', name, 'api_user.disable', 'refused'],
    ],
  );
});

test('the system records the first start, and a later start records nothing', async () => {
  await using first = await startServer();
  await first.stop();
  const second = await startServer({ dataDir: first.dataDir });
  await second.stop();
  await using opened = await temporaryStore({ DATABASE_URL: databaseUrlOf(first.dataDir) });
  const log = await entries(opened.store);
  // Each start without an operator also makes a link for the first one.
  const made = log.filter(({ action }) => action !== 'operator.invite');
  assert.deepEqual(
    made.map(({ action, actor, subject }) => [action, actor['kind'], subject.kind]),
    [
      ['signing_key.create', 'system', 'signing_key'],
      ['api_user.create', 'system', 'api_user'],
      ['credential.create', 'system', 'credential'],
    ],
  );
  assert.equal(log[2]?.related?.id, first.clientId);
});
