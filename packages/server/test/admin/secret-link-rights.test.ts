// Test setup: also on PostgreSQL.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createApiUser, deleteApiUser, updateApiUser } from '../../src/admin/api-user.ts';
import { moveApiUsers } from '../../src/admin/api-user-move.ts';
import type { Change } from '../../src/admin/audited.ts';
import { createSecretLinks } from '../../src/admin/open-secret-link.ts';
import { changeOperatorRole, inviteOperator, removeOperator } from '../../src/admin/operators/operator.ts';
import { createOrganisation, updateOrganisation } from '../../src/admin/organisation.ts';
import { cutOff } from '../../src/admin/reset-credentials.ts';
import { createSecretLink, listSecretLinks } from '../../src/admin/secret-link.ts';
import { SYSTEM } from '../../src/domain/actor.ts';
import { UNSET_SETTINGS, type ApiUser } from '../../src/domain/api-user.ts';
import { AppError } from '../../src/domain/app-error.ts';
import { DEFAULT_POLICY } from '../../src/domain/organisation.ts';
import { temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';

// What a link may do is decided when it is opened, not when it was made.

const NOW = Date.parse('2030-01-01T00:00:00Z');
const DAY_MS = 86_400_000;

let opened: TemporaryStore;
let system: Change;

before(async () => {
  opened = await temporaryStore();
  system = { store: opened.store, actor: SYSTEM, nowMs: NOW };
});
after(async () => await opened[Symbol.asyncDispose]());

function linksAt(nowMs: number) {
  return createSecretLinks({ store: opened.store, payForAddress: async () => null, now: () => nowMs });
}

let made = 0;
async function operator(role: 'operator' | 'admin'): Promise<Change> {
  made += 1;
  const { operator: by } = await inviteOperator(system, { email: `op${made}@example.com`, role }, 3600);
  const { id, email } = by;
  return { ...system, actor: { kind: 'operator', id, name: email, address: null, role } };
}

async function apiUser(organisationId: string | null = null): Promise<ApiUser> {
  return await createApiUser(system, { ...UNSET_SETTINGS, name: 'Importer', scopes: ['a'], organisationId });
}

async function linkOf(change: Change, { clientId }: ApiUser): Promise<string> {
  const { token } = await createSecretLink(change, {
    owner: clientId,
    name: 'by a link',
    expiresAt: null,
    reset: null,
    lifeSeconds: 3600,
    passphrase: null,
  });
  return token;
}

async function refusalOf(token: string, nowMs = NOW): Promise<string | null> {
  try {
    const outcome = await linksAt(nowMs).open({ token }, '192.0.2.1');
    assert.ok(!('denied' in outcome));
    return null;
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    return error.code;
  }
}

test('a link works until its end, and not from then on', async () => {
  const user = await apiUser();
  const [early, late] = [await linkOf(system, user), await linkOf(system, user)];
  assert.equal(await refusalOf(late, NOW + 3_600_000), 'not_found');
  assert.equal(await refusalOf(early, NOW + 3_599_999), null);
  assert.deepEqual(await listSecretLinks(opened.store, SYSTEM, user.clientId, NOW + 3_600_000), []);
  await opened.store.write(({ secretLinks }) => secretLinks.deleteOver(NOW + 3_600_000, 100));
  assert.deepEqual(await opened.store.secretLinks.listOf(user.clientId), []);
});

test('a link of an operator who is gone opens nothing', async () => {
  const change = await operator('operator');
  const token = await linkOf(change, await apiUser());
  await removeOperator(system, change.actor.id);
  assert.equal(await refusalOf(token), 'conflict');
});

test('a link of an operator who became a viewer opens nothing', async () => {
  const change = await operator('operator');
  const token = await linkOf(change, await apiUser());
  await changeOperatorRole(system, change.actor.id, 'viewer');
  assert.equal(await refusalOf(token), 'conflict');
});

test('a link gives no operator a secret with rights of admins', async () => {
  const [change, adminChange] = [await operator('operator'), await operator('admin')];
  const user = await apiUser();
  const [token, ofAdmin] = [await linkOf(change, user), await linkOf(adminChange, user)];
  await updateApiUser(system, user.clientId, { ...user, scopes: ['mintmark:admin'] });
  assert.equal(await refusalOf(token), 'conflict');
  assert.equal(await refusalOf(ofAdmin), null);
});

test('the policy holds when the link is opened', async () => {
  const policy = {
    ...DEFAULT_POLICY,
    scopes: ['a'],
    credentialKinds: ['secret' as const],
    credentialDaysMax: 30,
  };
  const settings = { name: 'Agency', contact: null, externalId: null, policy, claims: {} };
  const { id } = await createOrganisation(system, settings);
  const user = await apiUser(id);
  const [first, second] = [await linkOf(system, user), await linkOf(system, user)];
  const nowMs = NOW + 1_800_000;
  const outcome = await linksAt(nowMs).open({ token: first }, '192.0.2.1');
  assert.ok('credential' in outcome);
  assert.equal(outcome.credential.expiresAt, nowMs + 30 * DAY_MS);
  assert.equal(outcome.credential.createdBy, null);
  await updateOrganisation(system, id, (current) => ({
    ...current,
    policy: { ...policy, credentialKinds: ['key'] },
  }));
  assert.equal(await refusalOf(second), 'conflict');
  await assert.rejects(linkOf(system, user), /secret/);
});

test('a deletion, a move and a cut-off end the links', async () => {
  const settings = {
    name: 'Agency',
    contact: null,
    externalId: null,
    policy: { ...DEFAULT_POLICY, scopes: ['a'] },
    claims: {},
  };
  const { id: organisationId } = await createOrganisation(system, settings);
  const ends: Record<string, (user: ApiUser) => Promise<unknown>> = {
    deletion: ({ clientId }) => deleteApiUser(system, clientId, { force: true }),
    move: ({ clientId }) =>
      moveApiUsers(system, { apiUsers: [clientId], organisationId, keepCredentials: false, force: true }),
    cutOff: ({ clientId }) => cutOff(system, clientId, { credentialId: null, newSecret: false }),
  };
  for (const [name, end] of Object.entries(ends)) {
    const user = await apiUser();
    const token = await linkOf(system, user);
    await end(user);
    assert.equal(await refusalOf(token), 'not_found', name);
  }
});
