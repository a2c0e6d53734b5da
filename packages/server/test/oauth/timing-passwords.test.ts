// Test setup: alone.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SYSTEM } from '../../src/domain/actor.ts';
import { randomBase62 } from '../../src/lib/random.ts';
import { createApiUser, updateApiUser } from '../../src/admin/api-user.ts';
import {
  createPassword,
  createSecret,
  retireCredential,
  updateCredential,
} from '../../src/admin/credential.ts';
import { createOperator, inviteOperator } from '../../src/admin/operators/operator.ts';
import { eventually } from '@mintmark/test-support/eventually';
import { FORM } from '@mintmark/test-support/http';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { apiUserSettings, temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';
import {
  differencesFoundEachTime,
  differencesFoundOnce,
  proxyThatIsSlowFor,
  type Classes,
} from '@mintmark/test-support/timing';

// Refused passwords take the time of one slow hash, whatever is wrong: support/timing.ts says how that is compared. The process
// remembers passwords that it has accepted; "remembered" are those that it accepted before they were ended.

const PASSWORD = 'correct horse battery staple';
const ROUNDS = 30;
/** Fewer would show no difference: the ranks of 12 against 12 are at most 4.2 standard deviations apart. */
const ROUNDS_OF_FEW = 20;
/** More than slow hashes differ by on a busy machine. */
const PLANTED_MICROS = 300_000;
const EXPIRES_IN_MS = 1500;

let opened: TemporaryStore;
let server: TestServer;
let passwords: Classes;
/** The classes that memory could tell apart from the first. */
let few: Classes;
let elsewhere: Classes;

const form = (id: string, password: string) =>
  `client_id=${id}&client_secret=${encodeURIComponent(password)}&token=x`;
const guess = () => `guess-${randomBase62(20)}`;

before(async () => {
  opened = await temporaryStore();
  const { store } = opened;
  const operator = { email: 'ada@example.com', role: 'viewer', password: PASSWORD } as const;
  await createOperator({ store, actor: SYSTEM, nowMs: Date.now() }, operator);
  await inviteOperator(
    { store, actor: SYSTEM, nowMs: Date.now() },
    { email: 'invited@example.com', role: 'viewer' },
    3600,
  );
  const unlimited = '1000000';
  server = await startServer({
    dataDir: opened.dataDir,
    env: {
      MINTMARK_FAILURE_LIMIT: unlimited,
      MINTMARK_ADDRESS_LIMIT: unlimited,
      MINTMARK_ADMIN_ADDRESS_LIMIT: unlimited,
      MINTMARK_TEST_SIGN_IN_LIMIT: unlimited,
      MINTMARK_TEST_SIGN_IN_ADDRESS_LIMIT: unlimited,
      MINTMARK_TEST_SIGN_IN_ACCOUNT_LIMIT: unlimited,
      MINTMARK_TEST_REFUSALS_LOGGED_MAX: '0',
    },
  });
  passwords = await passwordClasses();
  few = Object.fromEntries(
    Object.entries(passwords).filter(([name]) => name === 'wrong password' || name.endsWith('once')),
  );
  elsewhere = await classesFromElsewhere();
});

after(async () => {
  await server.stop();
  await opened[Symbol.asyncDispose]();
});

interface WithPassword {
  id: string;
  credentialId: string;
}

async function withPassword(): Promise<WithPassword> {
  const { clientId: id } = await createApiUser(
    { store: opened.store, actor: SYSTEM, nowMs: Date.now() },
    apiUserSettings(),
  );
  const asked = { owner: id, name: 'person', expiresAt: null };
  const { id: credentialId } = await createPassword(
    { store: opened.store, actor: SYSTEM, nowMs: Date.now() },
    asked,
    PASSWORD,
  );
  return { id, credentialId };
}

const post = ({ id }: WithPassword) => server.post({ client_id: id, client_secret: PASSWORD });

/** Has its password accepted, and so remembered by the process. */
async function remembered(): Promise<WithPassword> {
  const user = await withPassword();
  await eventually(async () => assert.equal((await post(user)).status, 200));
  return user;
}

async function refused(user: WithPassword, error = 'invalid_client'): Promise<WithPassword> {
  await eventually(async () => assert.equal((await post(user)).body['error'], error));
  return user;
}

const disable = ({ id }: WithPassword) =>
  updateApiUser(
    { store: opened.store, actor: SYSTEM, nowMs: Date.now() },
    id,
    { enabled: false },
    { force: true },
  );
const retire = ({ credentialId }: WithPassword) =>
  retireCredential({ store: opened.store, actor: SYSTEM, nowMs: Date.now() }, credentialId, { force: true });
const expire = ({ credentialId }: WithPassword) =>
  updateCredential({ store: opened.store, actor: SYSTEM, nowMs: Date.now() }, credentialId, {
    expiresAt: Date.now() + EXPIRES_IN_MS,
  });

async function passwordClasses(): Promise<Classes> {
  const { clientId: without } = await createApiUser(
    { store: opened.store, actor: SYSTEM, nowMs: 1 },
    apiUserSettings(),
  );
  await createSecret(
    { store: opened.store, actor: SYSTEM, nowMs: 1 },
    { owner: without, name: 'first', expiresAt: null },
  );
  const [never, once] = [await withPassword(), await remembered()];
  const classes: Classes = {
    'wrong password': () => form(never.id, guess()),
    'wrong password, the right one remembered': () => form(once.id, guess()),
    'unknown id': () => form(`api_${randomBase62(20)}`, guess()),
    'no password': () => form(without, guess()),
  };
  for (const [name, end] of Object.entries({ disabled: disable, expired: expire, retired: retire })) {
    for (const [when, make] of Object.entries({ never: withPassword, once: remembered })) {
      const user = await make();
      await end(user);
      await refused(user);
      classes[`${name}, accepted ${when}`] = () => form(user.id, PASSWORD);
    }
  }
  return classes;
}

/** Of API users that may not be used from this address. The body says so for a right password: its time adds nothing. */
async function classesFromElsewhere(): Promise<Classes> {
  const [never, once] = [await withPassword(), await remembered()];
  for (const user of [never, once]) {
    await updateApiUser({ store: opened.store, actor: SYSTEM, nowMs: Date.now() }, user.id, {
      allowedNetworks: ['192.0.2.0/24'],
    });
    await refused(user, 'unauthorized_client');
  }
  return {
    'right password, never accepted': () => form(never.id, PASSWORD),
    'right password, accepted once': () => form(once.id, PASSWORD),
    'wrong password': () => form(once.id, guess()),
    'unknown id': () => form(`api_${randomBase62(20)}`, guess()),
  };
}

describe('a refused password', () => {
  test('takes the same time, whatever the state of the password', async () => {
    assert.deepEqual(await differencesFoundEachTime(server.port, passwords, ROUNDS), []);
  });

  for (const endpoint of ['introspect', 'revoke']) {
    test(`takes the same time at the ${endpoint} endpoint`, async () => {
      const to = { path: `/marketing/oauth2/${endpoint}`, contentType: FORM };
      assert.deepEqual(await differencesFoundEachTime(server.port, few, ROUNDS_OF_FEW, to), []);
    });
  }

  test('takes the same time from a forbidden network, right or wrong', async () => {
    assert.deepEqual(await differencesFoundEachTime(server.port, elsewhere, ROUNDS_OF_FEW), []);
  });

  test('answered 300 ms later than others is found by the same comparison', async () => {
    const name = 'disabled, accepted once';
    const slow = few[name]!();
    const proxy = await proxyThatIsSlowFor(server.port, PLANTED_MICROS, (request) => request.endsWith(slow));
    const found = await differencesFoundOnce(proxy.port, few, ROUNDS_OF_FEW);
    proxy.close();
    assert.ok(found.length >= Object.keys(few).length - 1, `only these were found: ${found.join('; ')}`);
    assert.ok(
      found.every((pair) => pair.includes(name)),
      found.join('; '),
    );
  });
});

test('a refused sign-in takes the same time for any operator', async () => {
  const body = (email: string) => JSON.stringify({ email, password: guess() });
  const classes = {
    'wrong password': () => body('ada@example.com'),
    invited: () => body('invited@example.com'),
    unknown: () => body(`${randomBase62(8)}@example.com`),
  };
  const to = { path: '/marketing/admin/v1/session', contentType: 'application/json' };
  assert.deepEqual(await differencesFoundEachTime(server.port, classes, ROUNDS, to, 401), []);
});
