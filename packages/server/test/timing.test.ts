import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { before, after, describe, test } from 'node:test';
import { SYSTEM } from '../src/domain/actor.ts';
import { randomBase62 } from '../src/domain/random.ts';
import { generateSecret } from '../src/domain/secret.ts';
import { createApiUser, updateApiUser } from '../src/manage/api-users.ts';
import { createPassword, createSecret, retireCredential } from '../src/manage/credentials.ts';
import { keepAlive, type KeepAlive } from './support/keep-alive.ts';
import { median, rankDifference, shuffled } from './support/ranks.ts';
import { startServer, type TestServer } from './support/server.ts';
import { apiUserSettings, temporaryStore, type TemporaryStore } from './support/temporary-store.ts';

// How differences are looked for. Each class of refused request is sent thousands of times over one connection, one of
// each class in every round, in a random order, so that whatever else the machine does falls on all classes alike. Each
// pair of classes is compared by the ranks of its times (Mann–Whitney). With ten pairs and |z| > 4 an experiment raises
// a false alarm with a probability below 10 × 6.4e-5 = 0.00064. It is made anew, at most twice, so that a test fails by
// chance about once in 3.8e9 runs. A difference that is there fails all three: the control shows it.
const Z_MAX = 4;
/** Loopback shows differences that no network lets through, such as that of a new key in a map to one that is there. */
const MICROS_MAX = 3;
const ATTEMPTS = 3;
const ROUNDS = 2500;
const PASSWORD_ROUNDS = 40;
/** Of each class, so that no one of them is warmer in the caches than an unknown id. */
const USERS_EACH = 20;
const PLANTED_MICROS = 60;

type Classes = Record<string, () => string>;
type Times = Record<string, number[]>;

let opened: TemporaryStore;
let server: TestServer;
let secrets: Classes;
let passwords: Classes;

const form = (id: string, secret: string) => `client_id=${id}&client_secret=${secret}`;
const pick = <T>(items: readonly T[]): T => items[Math.floor(Math.random() * items.length)]!;
const unknownId = () => `api_${randomBase62(20)}`;

before(async () => {
  opened = await temporaryStore();
  secrets = await secretClasses();
  passwords = await passwordClasses();
  server = await startServer({
    dataDir: opened.dataDir,
    env: {
      MINTMARK_FAILURE_LIMIT: '1000000000',
      MINTMARK_ADDRESS_LIMIT: '1000000000',
      MINTMARK_REFUSALS_LOGGED_MAX: '0',
    },
  });
});

after(async () => {
  await server.stop();
  await opened[Symbol.asyncDispose]();
});

async function userWithSecret(): Promise<{ id: string; secret: string; credentialId: string }> {
  const { clientId: id } = await createApiUser(opened.store, SYSTEM, apiUserSettings(), 1);
  const asked = { owner: id, name: 'first', expiresAt: null };
  const { secret, credential } = await createSecret(opened.store, SYSTEM, asked, 1);
  return { id, secret, credentialId: credential.id };
}

async function several<T>(make: () => Promise<T>): Promise<T[]> {
  return await Promise.all(Array.from({ length: USERS_EACH }, make));
}

async function secretClasses(): Promise<Classes> {
  const live = await several(userWithSecret);
  const disabled = await several(async () => {
    const user = await userWithSecret();
    await updateApiUser(opened.store, SYSTEM, user.id, { enabled: false }, 1);
    return user;
  });
  const expired = await several(async () => {
    const { clientId: id } = await createApiUser(opened.store, SYSTEM, apiUserSettings(), 1);
    const { secret } = await createSecret(
      opened.store,
      SYSTEM,
      { owner: id, name: 'first', expiresAt: 5000 },
      1,
    );
    return { id, secret };
  });
  const retired = await several(async () => {
    const user = await userWithSecret();
    await retireCredential(opened.store, SYSTEM, user.credentialId, { force: true }, Date.now());
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

async function passwordClasses(): Promise<Classes> {
  const withPassword = await createApiUser(opened.store, SYSTEM, apiUserSettings(), 1);
  const asked = { owner: withPassword.clientId, name: 'person', expiresAt: null };
  await createPassword(opened.store, SYSTEM, asked, 'correct horse battery staple', 1);
  const { id: without } = await userWithSecret();
  const guess = () => `guess-${randomBase62(20)}`;
  return {
    'wrong password': () => form(withPassword.clientId, guess()),
    'unknown id': () => form(unknownId(), guess()),
    'no password': () => form(without, guess()),
  };
}

async function timesOf(connection: KeepAlive, classes: Classes, rounds: number): Promise<Times> {
  const times: Times = Object.fromEntries(Object.keys(classes).map((name) => [name, []]));
  const warmUp = Math.ceil(rounds / 10);
  // Made before the first is sent: what the client does just before a request would be measured with it.
  const requests = Array.from({ length: warmUp + rounds }, (_, round) =>
    shuffled(Object.keys(classes)).map((name) => ({ name, form: classes[name]!(), counts: round >= warmUp })),
  ).flat();
  for (const { name, form: sent, counts } of requests) {
    const { status, micros } = await connection.post(sent);
    assert.equal(status, 403, name);
    if (counts) times[name]!.push(micros);
  }
  return times;
}

/** The pairs that differ by more than chance lets them. */
function differences(times: Times): string[] {
  const names = Object.keys(times);
  return names.flatMap((a, i) =>
    names.slice(i + 1).flatMap((b) => {
      const z = rankDifference(times[a]!, times[b]!);
      const [left, right] = [median(times[a]!), median(times[b]!)];
      if (Math.abs(z) <= Z_MAX || Math.abs(left - right) <= MICROS_MAX) return [];
      return [`${a} (median ${left.toFixed(1)} µs) and ${b} (${right.toFixed(1)} µs): z = ${z.toFixed(1)}`];
    }),
  );
}

/** What the last of the experiments found, if each of them found something. */
async function differencesFoundEachTime(port: number, classes: Classes, rounds: number): Promise<string[]> {
  let found: string[] = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const connection = await keepAlive(port);
    found = differences(await timesOf(connection, classes, rounds));
    connection.close();
    if (found.length === 0) return [];
  }
  return found;
}

/** In front of the server; works for a while before it passes on a request that holds one of the texts. */
async function proxyThatIsSlowFor(
  holds: (request: string) => boolean,
): Promise<{ port: number; close(): void }> {
  const proxy = createServer({ noDelay: true }, (socket) => {
    const upstream = connect({ port: server.port, host: '127.0.0.1', noDelay: true });
    upstream.pipe(socket);
    socket.on('data', (chunk: Buffer) => {
      const until = process.hrtime.bigint() + BigInt(PLANTED_MICROS * 1000);
      if (holds(chunk.toString('latin1'))) while (process.hrtime.bigint() < until);
      upstream.write(chunk);
    });
    socket.on('close', () => upstream.destroy());
    socket.on('error', () => upstream.destroy());
    upstream.on('error', () => socket.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return { port: (proxy.address() as AddressInfo).port, close: () => proxy.close() };
}

describe('a refused request', () => {
  test('with an unknown id, a wrong, expired or retired secret, or of a disabled API user has the same bytes', async () => {
    const connection = await keepAlive(server.port);
    const answers = new Set<string>();
    for (const request of [...Object.values(secrets), ...Object.values(passwords)]) {
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

  test('with a wrong password, an unknown id, or of an API user without a password takes the same time', async () => {
    assert.deepEqual(await differencesFoundEachTime(server.port, passwords, PASSWORD_ROUNDS), []);
  });

  test('that is answered 60 microseconds later than others is found out by the same comparison', async () => {
    const slow = new Set<string>();
    const disabled = () => {
      const request = secrets['disabled']!();
      slow.add(request);
      return request;
    };
    const classes = { ...secrets, disabled };
    const proxy = await proxyThatIsSlowFor((request) =>
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
