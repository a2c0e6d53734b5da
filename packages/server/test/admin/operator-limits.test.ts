// Test setup: first.
import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { createFailedSignIns } from '../../src/admin/operators/failed-sign-ins.ts';
import { createOperator, inviteOperator } from '../../src/admin/operators/operator.ts';
import { createMasterKey } from '../../src/storage/master-key.ts';
import { createSignIn } from '../../src/admin/operators/sign-in.ts';
import { memoryCounters } from '../../src/storage/memory/counters.ts';
import { assertProblem } from '@mintmark/test-support/admin';
import {
  auditOf,
  browser,
  codeOf,
  makeOperator,
  PASSWORD,
  turnOnSecondFactor,
  type Browser,
} from '@mintmark/test-support/operators';
import { eventually } from '@mintmark/test-support/eventually';
import { type Reply } from '@mintmark/test-support/http';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { temporaryStore } from '@mintmark/test-support/temporary-store';

// What guessing costs the guesser, and what it does not cost the owner.

const WIDE = {
  MINTMARK_TEST_SIGN_IN_LIMIT: '100000',
  MINTMARK_TEST_SIGN_IN_ADDRESS_LIMIT: '100000',
  MINTMARK_TEST_SIGN_IN_ACCOUNT_LIMIT: '100000',
};

const EMAIL = 'ada@example.com';
const guess = (by: Browser, email = EMAIL, password = 'a wrong guess'): Promise<Reply> =>
  by.send('POST', '/session', { email, password });

test('guesses at any account end at their budget and resume later', async () => {
  await using server = await startServer({ env: { ...WIDE, MINTMARK_TEST_SIGN_IN_LIMIT: '30' } });
  await makeOperator(server, EMAIL, 'viewer');
  for (const email of [EMAIL, 'nobody@example.com']) {
    const stranger = browser(server, '127.0.0.2');
    const startedAt = Date.now();
    let refused: Reply | undefined;
    let taken = 0;
    for (; refused === undefined && taken < 60; taken++) {
      const reply = await guess(stranger, email.toUpperCase());
      if (reply.status === 429) refused = reply;
      else assertProblem(reply, 401, 'wrong_credentials');
    }
    const most = 31 + Math.ceil((Date.now() - startedAt) / 2000);
    assert.ok(refused !== undefined && taken <= most, `${taken} guesses`);
    assertProblem(refused, 429, 'too_many');
    const wait = Number(refused.headers['retry-after']);
    assert.ok(wait >= 1 && wait <= 2, `${wait} s`);
    if (email !== EMAIL) continue;
    // The right password, too, or a guess would be confirmed by it.
    const right = { email: EMAIL, password: 'four odd wombats sing' };
    assertProblem(await stranger.send('POST', '/session', right), 429, 'too_many');
    // The owner, from another address, is not locked out, nor with a browser known from before at the stranger's own.
    const owner = browser(server);
    await owner.signIn(EMAIL);
    const known = browser(server, '127.0.0.2');
    for (const [name, value] of owner.cookies) known.cookies.set(name, value);
    await known.signIn(EMAIL);
    await sleep(2100);
    assert.equal((await stranger.send('POST', '/session', right)).status, 200, 'released by the time');
  }
  await server.stop();
  // Not an entry for each guess, and none for an e-mail address that nobody has.
  const refused = (await auditOf(server)).filter(({ outcome }) => outcome === 'refused');
  const attempts = refused.reduce((sum, { after }) => sum + Number(after?.['attempts']), 0);
  assert.ok(attempts >= 60, `${attempts} attempts`);
  assert.ok(refused.length >= 2 && refused.length < attempts / 4, `${refused.length} entries`);
  assert.ok(refused.every(({ after }) => after?.['address'] === '127.0.0.2'));
  assert.ok(!JSON.stringify(refused).includes('nobody@'));
});

test('an address trying many accounts ends at its budget, others sign in', async () => {
  await using server = await startServer({ env: { ...WIDE, MINTMARK_TEST_SIGN_IN_ADDRESS_LIMIT: '10' } });
  await makeOperator(server, EMAIL, 'viewer');
  const stranger = browser(server, '127.0.0.2');
  const statuses: number[] = [];
  for (let i = 0; i < 15; i++) statuses.push((await guess(stranger, `guess${i}@example.com`)).status);
  assert.deepEqual(
    statuses.slice(0, 10),
    Array.from({ length: 10 }, () => 401),
  );
  assert.ok(statuses.slice(10).includes(429));
  assertProblem(await stranger.send('POST', '/invitations/inspect', { token: 'mmi_x' }), 429, 'too_many');
  await browser(server).signIn(EMAIL);
  await server.stop();
});

test('guesses from everywhere are slowed, the owner’s known browser is not', async () => {
  await using server = await startServer({ env: { ...WIDE, MINTMARK_TEST_SIGN_IN_ACCOUNT_LIMIT: '20' } });
  await makeOperator(server, EMAIL, 'viewer');
  const owner = browser(server);
  await owner.signIn(EMAIL);
  const guesses = Array.from({ length: 60 }, (_, i) => guess(browser(server, `127.0.1.${i + 1}`)));
  await owner.signIn(EMAIL);
  const replies = await Promise.all(guesses);
  const statuses = replies.map(({ status }) => status);
  assert.ok(statuses.filter((status) => status === 429).length >= 20, statuses.join(' '));
  await owner.signIn(EMAIL);
  await server.stop();
});

test('a flood of guesses delays neither tokens nor the known browser', async () => {
  await using server = await startServer({ env: WIDE });
  await makeOperator(server, EMAIL, 'viewer');
  const owner = browser(server);
  await owner.signIn(EMAIL);
  const flood = Array.from({ length: 60 }, (_, i) => guess(browser(server, '127.0.0.2'), `${i}@example.com`));
  await owner.signIn(EMAIL);
  const token = await server.post({ client_id: server.clientId, client_secret: server.clientSecret });
  assert.equal(token.status, 200);
  for (const reply of await Promise.all(flood)) {
    if (reply.status === 503) assertProblem(reply, 503, 'unavailable');
    else assertProblem(reply, 401, 'wrong_credentials');
  }
  await server.stop();
});

/** How many of the replies were evaluated; fails on any that is neither wrong nor beyond the budget. */
function evaluated(replies: readonly Reply[], ...others: number[]): number {
  for (const { status, text } of replies) assert.ok([401, 429, ...others].includes(status), text);
  return replies.filter(({ status }) => status !== 429).length;
}

test('guesses at an operator that come at once end at the budget', async () => {
  await using server = await startServer({ env: { ...WIDE, MINTMARK_TEST_SIGN_IN_LIMIT: '5' } });
  await makeOperator(server, EMAIL, 'viewer');
  const stranger = browser(server, '127.0.0.2');
  const bodies = Array.from({ length: 18 }, (_, i) => ({ email: EMAIL, password: `a wrong guess ${i}` }));
  bodies.push({ email: EMAIL, password: PASSWORD });
  const replies = await Promise.all(bodies.map((body) => stranger.send('POST', '/session', body)));
  assert.equal(evaluated(replies, 200), 5);
  await server.stop();
});

test('guesses at an operator through several workers end at one budget', async () => {
  const env = {
    ...WIDE,
    MINTMARK_TEST_SIGN_IN_LIMIT: '5',
    MINTMARK_WORKERS: '2',
    MINTMARK_LIMITS_DEADLINE: '5000',
  };
  await using server = await startServer({ env });
  await makeOperator(server, EMAIL, 'viewer');
  const stranger = browser(server, '127.0.0.2');
  const replies = await Promise.all(
    Array.from({ length: 24 }, (_, i) => guess(stranger, EMAIL, `a wrong guess ${i}`)),
  );
  assert.equal(evaluated(replies), 5);
  // Each right one gives back what it took.
  for (let i = 0; i < 8; i++) await browser(server, '127.0.0.3').signIn(EMAIL);
  await server.stop();
});

test('a right password refunds its budget, so frequent sign-ins are allowed', async () => {
  await using server = await startServer({ env: { ...WIDE, MINTMARK_TEST_SIGN_IN_LIMIT: '2' } });
  await makeOperator(server, EMAIL, 'viewer');
  for (let i = 0; i < 5; i++) await browser(server, '127.0.0.2').signIn(EMAIL);
  const stranger = browser(server, '127.0.0.2');
  const replies = await Promise.all(
    Array.from({ length: 5 }, (_, i) => guess(stranger, EMAIL, `guess ${i}`)),
  );
  assert.equal(evaluated(replies), 2);
  await server.stop();
});

test('simultaneous wrong codes lock after five, confirmations end at their budget', async () => {
  await using server = await startServer({ env: { ...WIDE, MINTMARK_TEST_SIGN_IN_LIMIT: '8' } });
  await makeOperator(server, EMAIL, 'viewer');
  const owner = browser(server);
  await owner.signIn(EMAIL);
  // The current password, asked for again.
  const change = (current: string) =>
    owner.send('PUT', '/profile/password', { current_password: current, new_password: 'x' });
  const changes = await Promise.all(Array.from({ length: 12 }, (_, i) => change(`a wrong password ${i}`)));
  assert.equal(evaluated(changes), 8);
  // The code that turns the second factor on.
  await browser(server).signIn(EMAIL);
  const other = browser(server);
  await other.signIn(EMAIL);
  const { secret, recoveryCodes } = await turnOnLater(server, other);
  const confirm = () => other.send('PUT', '/profile/second-factor', { code: '000000' });
  const confirmations = await Promise.all(Array.from({ length: 12 }, confirm));
  assert.ok(evaluated(confirmations, 400, 409) <= 8, 'codes that confirm are paid for');
  // The code of the second factor at sign-in, and recovery codes: counted together, in the store.
  const wrong = ['000000', 'AAAA-AAAA-AAAA-AAAA'];
  const attempts = await Promise.all(
    Array.from({ length: 16 }, (_, i) => {
      const body = { email: EMAIL, password: PASSWORD, code: wrong[i % 2]! };
      return browser(server, `127.0.2.${i + 1}`).send('POST', '/session', body);
    }),
  );
  const busy = attempts.filter(({ status }) => status === 503).length;
  assert.ok(evaluated(attempts, 503) - busy <= 5, 'codes are locked after five');
  const right = { email: EMAIL, password: PASSWORD, code: recoveryCodes[0] ?? codeOf(secret, 1) };
  assertProblem(await browser(server, '127.0.3.1').send('POST', '/session', right), 429, 'too_many');
  await server.stop();
});

/** With the current password's budget used up, as the test before this has left it, a known browser cannot begin. */
async function turnOnLater(
  server: TestServer,
  by: Browser,
): Promise<{ secret: string; recoveryCodes: string[] }> {
  return await eventually(async () => await turnOnSecondFactor(server, by), 20_000);
}

test('a sign-in costs one slow hash, whether the operator exists or not', async () => {
  await using opened = await temporaryStore();
  const { store, config } = opened;
  const by = { kind: 'command_line', id: 'root', name: 'root', address: null } as const;
  const asked = { email: EMAIL, role: 'viewer', password: PASSWORD } as const;
  await createOperator({ store, actor: by, nowMs: Date.now() }, asked);
  await inviteOperator(
    { store, actor: by, nowMs: Date.now() },
    { email: 'invited@example.com', role: 'viewer' },
    60,
  );
  const failed = createFailedSignIns(store, pino({ level: 'silent' }), Date.now);
  const counter = () => ({ counters: memoryCounters(1000), shared: null });
  const counters = { addresses: counter(), attempts: counter(), accounts: counter() };
  const masterKey = createMasterKey(config);
  // Equal guesses share their look-up, so that a busy machine cannot finish one before the others begin.
  const lookUps = new Map<string, ReturnType<typeof store.operators.findByEmail>>();
  const findByEmail = (email: string) =>
    lookUps.get(email) ?? lookUps.set(email, store.operators.findByEmail(email)).get(email)!;
  const answeredTogether = { ...store, operators: { ...store.operators, findByEmail } };
  const { signIn } = createSignIn({
    store: answeredTogether,
    masterKey,
    config,
    counters,
    failed,
    now: Date.now,
  });
  let hashes = 0;
  const hook = createHook({ init: (_id, type) => void (hashes += /argon2/i.test(type) ? 1 : 0) }).enable();
  const from = { address: '192.0.2.1', userAgent: '', sessionToken: null, browser: null };
  for (const email of [EMAIL, 'invited@example.com', 'nobody@example.com']) {
    const before = hashes;
    assert.deepEqual(await signIn({ email, password: 'a wrong guess' }, from), {
      denied: 'wrong_credentials',
    });
    assert.equal(hashes - before, 1, email);
  }
  const before = hashes;
  const same = { email: EMAIL, password: 'the same guess' };
  await Promise.all(Array.from({ length: 8 }, () => signIn(same, from)));
  assert.equal(hashes - before, 1, 'identical guesses in flight share one evaluation');
  hook.disable();
  await failed.stop();
});
