import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newOperator, type Operator } from '../../src/domain/operator.ts';
import { sessionDigest, startSession, type StartedSession } from '../../src/domain/session.ts';
import { makeInvitation } from '../../src/domain/invitation.ts';
import type { Store } from '../../src/storage/store.ts';
import { refusedWith, type OpenedStore } from './store-contract.ts';

const NOW = 2 ** 41;
const LIMITS = { sessionIdleSeconds: 60, sessionLifeSeconds: 600 };

type Open = () => Promise<OpenedStore>;

/** The part of the store contract that operators and their sessions rest on. */
export function operatorsContract(open: Open): void {
  test('an operator is read as written, by id and any-case address', async () => {
    await using opened = await open();
    const ada = await insert(opened.store, {
      ...newOperator('Ada@Example.com', 'admin', NOW),
      passwordHash: 'hash',
      sealedTotpSecret: 'sealed',
      sealedPendingTotpSecret: 'pending',
      lastTotpStep: 2 ** 40,
      wrongCodes: 3,
      codesLockedUntil: NOW + 1,
      lastSeenAt: NOW + 2,
    });
    const other = await opened.another();
    assert.deepEqual(await other.operators.find(ada.id), ada);
    assert.deepEqual(await other.operators.findByEmail('ada@EXAMPLE.com'), ada);
    assert.equal(await other.operators.find('ada@example.com'), undefined);
    const again = newOperator('ADA@example.com', 'viewer', NOW);
    await refusedWith('conflict', insert(opened.store, again));
  });

  test('pages of operators, put together, hold each one once', async () => {
    await using opened = await open();
    assert.equal(await opened.store.operators.any(), false);
    const made: string[] = [];
    for (let i = 0; i < 7; i++) made.push((await insert(opened.store, operator(`${i}@example.com`))).id);
    const read: string[] = [];
    for (let after: string | null = null; ;) {
      const page: Operator[] = await opened.store.operators.list({ after, limit: 3 });
      read.push(...page.map(({ id }) => id));
      if (page.length < 3) break;
      after = page.at(-1)?.id ?? null;
    }
    assert.deepEqual(read, made.toSorted());
  });

  test('of two simultaneous uses of a step, code or invitation one succeeds', async () => {
    await using opened = await open();
    const { store } = opened;
    const other = await opened.another();
    const { id } = await insert(store, operator('ada@example.com'));
    const { invitation } = makeInvitation(id, 60, NOW);
    await store.write(async ({ operators, invitations }) => {
      await operators.setRecoveryCodes(id, ['first', 'second']);
      await invitations.put(invitation);
    });
    const both = async (use: (store: Store) => Promise<boolean>) => {
      const results = await Promise.all([use(store), use(other), use(store)]);
      assert.equal(results.filter(Boolean).length, 1);
    };
    await both((at) => at.write(({ operators }) => operators.useTotpStep(id, 100)));
    await both((at) => at.write(({ operators }) => operators.useRecoveryCode(id, 'first')));
    await both((at) => at.write(({ invitations }) => invitations.consume(invitation.digest)));
    assert.equal(await store.write(({ operators }) => operators.useTotpStep(id, 99)), false);
    assert.equal(await store.write(({ operators }) => operators.useTotpStep(id, 101)), true);
    assert.equal(await store.write(({ operators }) => operators.useRecoveryCode(id, 'second')), true);
  });

  test('a transaction with the lock counts alone until it ends', async () => {
    await using opened = await open();
    const { store } = opened;
    const other = await opened.another();
    const [ada, bob] = [operator('ada@example.com'), operator('bob@example.com')];
    for (const admin of [ada, bob]) await insert(store, { ...admin, role: 'admin', passwordHash: 'x' });
    const removed: string[] = [];
    const removeUnlessLast = (at: Store, { id }: Operator) =>
      at.write(async ({ operators }) => {
        await operators.lock();
        if ((await operators.otherActiveAdmins(id)) === 0) return;
        await operators.delete(id);
        removed.push(id);
      });
    await Promise.all([removeUnlessLast(store, ada), removeUnlessLast(other, bob)]);
    assert.equal(removed.length, 1);
  });

  test('deleting an operator deletes its sessions, invitation and codes, no others', async () => {
    await using opened = await open();
    const { store } = opened;
    const [ada, bob] = [await insert(store, operator('a@x')), await insert(store, operator('b@x'))];
    const sessions = [await signIn(store, ada, NOW), await signIn(store, bob, NOW)];
    const invitations = [ada, bob].map(({ id }) => makeInvitation(id, 60, NOW).invitation);
    await store.write(async (transaction) => {
      for (const invitation of invitations) await transaction.invitations.put(invitation);
      for (const { id } of [ada, bob]) await transaction.operators.setRecoveryCodes(id, ['code']);
    });
    await store.write(({ operators }) => operators.delete(ada.id));
    const left = await Promise.all(sessions.map(({ token }) => store.sessions.find(digest(token))));
    assert.deepEqual(
      left.map((found) => found?.operator.id),
      [undefined, bob.id],
    );
    assert.equal(await store.invitations.find(invitations[0]!.digest), undefined);
    assert.deepEqual(await store.invitations.find(invitations[1]!.digest), invitations[1]);
    const use = (id: string) => store.write(({ operators }) => operators.useRecoveryCode(id, 'code'));
    assert.deepEqual([await use(ada.id), await use(bob.id)], [false, true]);
  });

  sessionsContract(open);
}

function sessionsContract(open: Open): void {
  test('a session is found by digest with its operator, newest first', async () => {
    await using opened = await open();
    const { store } = opened;
    const ada = await insert(store, operator('ada@example.com'));
    const made: StartedSession[] = [];
    for (let i = 0; i < 5; i++) made.push(await signIn(store, ada, NOW + i));
    const last = made.at(-1)!;
    const found = await (await opened.another()).sessions.find(digest(last.token));
    assert.deepEqual(found, { session: last.session, operator: ada });
    const ids = async () => (await store.sessions.listOf(ada.id)).map(({ id }) => id);
    const newestFirst = made.map(({ session }) => session.id).toReversed();
    assert.deepEqual(await ids(), newestFirst);
    await store.write(({ sessions }) => sessions.trim(ada.id, 3));
    assert.deepEqual(await ids(), newestFirst.slice(0, 3));
    assert.equal(await store.write(({ sessions }) => sessions.delete('op_other', last.session.id)), false);
    assert.equal(await store.write(({ sessions }) => sessions.deleteOf(ada.id, last.session.id)), 2);
    assert.deepEqual(await ids(), [last.session.id]);
    assert.equal(await store.write(({ sessions }) => sessions.delete(ada.id, last.session.id)), true);
    assert.equal(await store.sessions.find(digest(last.token)), undefined);
  });

  test('expired sessions and invitations are removed in batches, others kept', async () => {
    await using opened = await open();
    const { store } = opened;
    const ada = await insert(store, operator('ada@example.com'));
    for (let i = 0; i < 7; i++) await signIn(store, ada, NOW - 1_000_000 + i); // their life is over
    for (let i = 0; i < 7; i++) await signIn(store, ada, NOW - 70_000 + i); // nobody used them for a minute
    const live = await signIn(store, ada, NOW - 1000);
    const batch = () => store.write(({ sessions }) => sessions.deleteOver(NOW, NOW - 60_000, 4));
    let deleted = 0;
    for (let one = await batch(); one > 0; one = await batch()) {
      assert.ok(one <= 8, `${one} in one batch`);
      deleted += one;
    }
    assert.equal(deleted, 14);
    const left = await store.sessions.listOf(ada.id);
    assert.deepEqual(left, [live.session]);

    const [over, good] = [makeInvitation(null, 60, NOW - 61_000), makeInvitation(ada.id, 60, NOW)];
    await store.write(async ({ invitations }) => {
      await invitations.put(over.invitation);
      await invitations.put(good.invitation);
    });
    assert.equal(await store.write(({ invitations }) => invitations.deleteOver(NOW, 10)), 1);
    assert.equal(await store.invitations.find(over.invitation.digest), undefined);
    assert.ok(await store.invitations.find(good.invitation.digest));
  });

  test('a new invitation replaces the operator’s or the first admin’s last', async () => {
    await using opened = await open();
    const { store } = opened;
    const ada = await insert(store, operator('ada@example.com'));
    for (const owner of [ada.id, null]) {
      const [before, after] = [makeInvitation(owner, 60, NOW), makeInvitation(owner, 60, NOW)];
      for (const { invitation } of [before, after]) {
        await store.write(({ invitations }) => invitations.put(invitation));
      }
      assert.equal(await store.invitations.find(before.invitation.digest), undefined);
      assert.deepEqual(await store.invitations.find(after.invitation.digest), after.invitation);
    }
  });
}

function operator(email: string): Operator {
  return newOperator(email, 'viewer', NOW);
}

function digest(token: string): string {
  return sessionDigest(token)!;
}

async function insert(store: Store, made: Operator): Promise<Operator> {
  await store.write(({ operators }) => operators.insert(made));
  return made;
}

async function signIn(store: Store, { id }: Operator, nowMs: number): Promise<StartedSession> {
  const started = startSession(id, { address: '192.0.2.1', userAgent: 'test' }, LIMITS, nowMs);
  await store.write(({ sessions }) => sessions.insert(started.session, digest(started.token)));
  return started;
}
