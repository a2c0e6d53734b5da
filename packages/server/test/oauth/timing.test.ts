import assert from 'node:assert/strict';
import { before, after, describe, test } from 'node:test';
import { SYSTEM } from '../../src/domain/actor.ts';
import { randomBase62 } from '../../src/lib/random.ts';
import { generateSecret } from '../../src/domain/secret.ts';
import { createApiUser, updateApiUser } from '../../src/admin/api-user.ts';
import { createSecret, retireCredential } from '../../src/admin/credential.ts';
import { FORM } from '@mintmark/test-support/http';
import { keepAlive } from '@mintmark/test-support/keep-alive';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { apiUserSettings, temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';
import { differencesFoundEachTime, proxyThatIsSlowFor, type Classes } from '@mintmark/test-support/timing';

const ROUNDS = 2500;
/** Of each class, so that no one of them is warmer in the caches than an unknown id. */
const USERS_EACH = 20;
const PLANTED_MICROS = 60;

let opened: TemporaryStore;
let server: TestServer;
let secrets: Classes;

const form = (id: string, secret: string) => `client_id=${id}&client_secret=${secret}`;
const pick = <T>(items: readonly T[]): T => items[Math.floor(Math.random() * items.length)]!;
const unknownId = () => `api_${randomBase62(20)}`;

before(async () => {
  opened = await temporaryStore();
  secrets = await secretClasses();
  server = await startServer({
    dataDir: opened.dataDir,
    env: {
      MINTMARK_FAILURE_LIMIT: '1000000000',
      MINTMARK_ADDRESS_LIMIT: '1000000000',
      MINTMARK_TEST_REFUSALS_LOGGED_MAX: '0',
    },
  });
});

after(async () => {
  await server.stop();
  await opened[Symbol.asyncDispose]();
});

async function userWithSecret(): Promise<{ id: string; secret: string; credentialId: string }> {
  const { clientId: id } = await createApiUser(
    { store: opened.store, actor: SYSTEM, nowMs: 1 },
    apiUserSettings(),
  );
  const asked = { owner: id, name: 'first', expiresAt: null };
  const { secret, credential } = await createSecret({ store: opened.store, actor: SYSTEM, nowMs: 1 }, asked);
  return { id, secret, credentialId: credential.id };
}

async function several<T>(make: () => Promise<T>): Promise<T[]> {
  return await Promise.all(Array.from({ length: USERS_EACH }, make));
}

async function secretClasses(): Promise<Classes> {
  const live = await several(userWithSecret);
  const disabled = await several(async () => {
    const user = await userWithSecret();
    await updateApiUser({ store: opened.store, actor: SYSTEM, nowMs: 1 }, user.id, { enabled: false });
    return user;
  });
  const expired = await several(async () => {
    const { clientId: id } = await createApiUser(
      { store: opened.store, actor: SYSTEM, nowMs: 1 },
      apiUserSettings(),
    );
    const { secret } = await createSecret(
      { store: opened.store, actor: SYSTEM, nowMs: 1 },
      { owner: id, name: 'first', expiresAt: 5000 },
    );
    return { id, secret };
  });
  const retired = await several(async () => {
    const user = await userWithSecret();
    await retireCredential({ store: opened.store, actor: SYSTEM, nowMs: Date.now() }, user.credentialId, {
      force: true,
    });
    return user;
  });
  return {
    'unknown id': () => form(unknownId(), generateSecret().secret),
    'wrong secret': () => form(pick(live).id, generateSecret().secret),
    disabled: () => formOf(pick(disabled)),
    expired: () => formOf(pick(expired)),
    retired: () => formOf(pick(retired)),
  };
}

const formOf = ({ id, secret }: { id: string; secret: string }) => form(id, secret);

describe('a refused request', () => {
  test('with an unknown id, a wrong, expired or retired secret, or of a disabled API user has the same bytes', async () => {
    const connection = await keepAlive(server.port);
    const answers = new Set<string>();
    for (const request of Object.values(secrets)) {
      for (let i = 0; i < 2; i++) {
        const { status, headers, body } = await connection.post(request());
        const traceId = (JSON.parse(body) as { trace_id: string }).trace_id;
        const withoutDate = headers.replace(/^Date: .*$/im, 'Date: -');
        answers.add(`${status}\n${withoutDate}\n${body}`.replaceAll(traceId, 'TRACE'));
      }
    }
    connection.close();
    assert.equal(answers.size, 1, Array.from(answers).join('\n\n'));
  });

  test('with an unknown id, a wrong, expired or retired secret, or of a disabled API user takes the same time', async () => {
    assert.deepEqual(await differencesFoundEachTime(server.port, secrets, ROUNDS), []);
  });

  for (const endpoint of ['introspect', 'revoke']) {
    test(`takes the same time at the ${endpoint} endpoint`, async () => {
      const withToken = Object.fromEntries(
        Object.entries(secrets).map(([name, make]) => [name, () => `${make()}&token=x`]),
      );
      const to = { path: `/marketing/oauth2/${endpoint}`, contentType: FORM };
      assert.deepEqual(await differencesFoundEachTime(server.port, withToken, ROUNDS / 2, to), []);
    });
  }

  test('that is answered 60 microseconds later than others is found out by the same comparison', async () => {
    const slow = new Set<string>();
    const disabled = () => {
      const request = secrets['disabled']!();
      slow.add(request);
      return request;
    };
    const classes = { ...secrets, disabled };
    const proxy = await proxyThatIsSlowFor(server.port, PLANTED_MICROS, (request) =>
      slow.has(request.slice(request.indexOf('client_id='))),
    );
    const found = await differencesFoundEachTime(proxy.port, classes, ROUNDS / 5);
    proxy.close();
    assert.ok(found.length >= 4, `only these were found: ${found.join('; ')}`);
    assert.ok(
      found.every((pair) => pair.includes('disabled')),
      found.join('; '),
    );
  });
});
