import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import { createApiUser, existingApiUser, updateApiUser } from '../../src/admin/api-user.ts';
import { importApiUsers } from '../../src/admin/api-user-import.ts';
import type { Change } from '../../src/admin/audited.ts';
import { createKey } from '../../src/admin/key.ts';
import { createOrganisation } from '../../src/admin/organisation.ts';
import { AppError } from '../../src/domain/app-error.ts';
import { UNSET_SETTINGS, type ApiUserSettings } from '../../src/domain/api-user.ts';
import { apiUserFilter } from '../../src/domain/api-user-list.ts';
import { DEFAULT_POLICY } from '../../src/domain/organisation.ts';
import { temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';

// What members of an organisation may set, and what they see of others.

const NOW = Date.parse('2030-01-01T00:00:00Z');
const ADA = { id: 'op_1', name: 'ada@example.com', address: null };

let opened: TemporaryStore;
let platform: Change;
let one: string;
let two: string;

before(async () => {
  opened = await temporaryStore();
  platform = { store: opened.store, actor: { kind: 'operator', role: 'admin', ...ADA }, nowMs: NOW };
  const input = { contact: null, externalId: null, policy: { ...DEFAULT_POLICY, scopes: ['a'] }, claims: {} };
  one = (await createOrganisation(platform, { ...input, name: 'One' })).id;
  two = (await createOrganisation(platform, { ...input, name: 'Two' })).id;
});
after(async () => await opened[Symbol.asyncDispose]());

function memberOf(organisationId: string): Change {
  return { ...platform, actor: { kind: 'member', role: 'admin', organisationId, ...ADA } };
}

const SETTINGS: ApiUserSettings = { ...UNSET_SETTINGS, name: 'Importer', scopes: ['a'] };

async function refusal(work: Promise<unknown>): Promise<AppError> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof AppError, String(error));
  return error;
}

test('an API user that a member creates belongs to the organisation', async () => {
  const user = await createApiUser(memberOf(one), SETTINGS);
  assert.equal(user.organisationId, one);
});

test('a member sets nothing that only operators set', async () => {
  const reserved = {
    username: 'ada@example.com',
    externalId: 'crm-1',
    claims: { tier: 'gold' },
    tokenLifeSeconds: 60,
  };
  const created = await refusal(
    createApiUser(memberOf(one), { ...SETTINGS, ...reserved, organisationId: two }),
  );
  assert.equal(created.code, 'forbidden');
  const members = ['claims', 'external_id', 'organisation_id', 'token_life_seconds', 'username'];
  assert.deepEqual(created.faults.map(({ member }) => member).toSorted(), members);
  const { clientId } = await createApiUser(platform, { ...SETTINGS, ...reserved, organisationId: one });
  const removal = { username: null, externalId: null, claims: {}, tokenLifeSeconds: null };
  const changed = await refusal(updateApiUser(memberOf(one), clientId, removal));
  assert.deepEqual(
    changed.faults.map(({ member }) => member).toSorted(),
    members.filter((member) => member !== 'organisation_id'),
  );
  const renamed = await updateApiUser(memberOf(one), clientId, { name: 'Renamed', contact: 'ops' });
  assert.deepEqual([renamed.name, renamed.username], ['Renamed', 'ada@example.com']);
});

test('an API user of another organisation does not exist for a member', async () => {
  const { clientId } = await createApiUser(platform, { ...SETTINGS, organisationId: two });
  const { actor } = memberOf(one);
  const other = await refusal(existingApiUser(opened.store, clientId, actor));
  const none = await refusal(existingApiUser(opened.store, 'api_none', actor));
  assert.equal(other.message.replace(clientId, 'api_none'), none.message);
});

test('the filter of a member selects only the organisation', () => {
  const filter = apiUserFilter({ organisation_id: two }, memberOf(one).actor);
  assert.equal(filter.organisation, one);
});

test('a member imports nothing', async () => {
  async function* lines() {
    yield { n: 1, text: JSON.stringify({ name: 'Importer' }) };
  }
  const outcomes = importApiUsers(memberOf(one), lines(), () => NOW);
  assert.equal((await refusal(outcomes.next())).code, 'forbidden');
});

test('a key of another organisation is refused without a word about it', async () => {
  const publicKey = JSON.stringify(generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }));
  const { clientId: theirs } = await createApiUser(memberOf(two), SETTINGS);
  const { clientId: ours } = await createApiUser(memberOf(one), SETTINGS);
  const check = async () => undefined;
  const create = async (change: Change, owner: string) =>
    await createKey(change, { owner, name: 'CI', expiresAt: null }, { publicKey }, check);
  const { credential } = await create(memberOf(two), theirs);
  const refused = await refusal(create(memberOf(one), ours));
  assert.ok(!refused.message.includes(theirs) && !refused.message.includes(credential.id), refused.message);
  const forOperators = await refusal(create(platform, ours));
  assert.ok(forOperators.message.includes(theirs), forOperators.message);
});

test('a member does not learn why keys could not be fetched', async () => {
  const { clientId: owner } = await createApiUser(memberOf(one), SETTINGS);
  const check = async () => {
    throw new AppError('invalid', 'No keys can be fetched: 10.0.0.7 refused the connection.');
  };
  const key = { jwksUrl: 'https://keys.example/jwks' };
  const refused = await refusal(createKey(memberOf(one), { owner, name: 'CI', expiresAt: null }, key, check));
  assert.doesNotMatch(refused.message, /10\.0\.0\.7/);
});
