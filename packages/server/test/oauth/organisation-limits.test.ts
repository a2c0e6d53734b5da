// Test setup: also on PostgreSQL.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { exceededQuotas } from '../../src/runtime/usage/quota-attention.ts';
import { knownOrganisation, NO_ORGANISATION } from '../../src/domain/known-organisation.ts';
import type { TokenQuota } from '../../src/domain/organisation.ts';
import { quotaUse } from '../../src/storage/tables/usage.ts';
import { eventually } from '@mintmark/test-support/eventually';
import {
  changeOrganisation,
  changeUser,
  newOrganisation,
  userOf,
  type OrganisationApiUser,
} from '@mintmark/test-support/organisation-store';
import { startServer, type TestServer, type TokenResponse } from '@mintmark/test-support/server';
import { temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';

// The limit and the quota of an organisation, over all its API users, in one process.

const ENV = {
  MINTMARK_FIRST_API_USER: 'false',
  MINTMARK_API_USER_LIMIT: '1000000',
  MINTMARK_ADDRESS_LIMIT: '1000000',
  MINTMARK_USAGE_FLUSH: '200',
};
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

let opened: TemporaryStore;
let server: TestServer;

before(async () => {
  opened = await temporaryStore();
  server = await startServer({ dataDir: opened.dataDir, env: ENV });
});
after(async () => {
  await server.stop();
  await opened[Symbol.asyncDispose]();
});

const ask = (user: OrganisationApiUser): Promise<TokenResponse> => server.post(user.form);
const quota = (mode: TokenQuota['mode'], tokensPerHour: number | null, tokensPerDay: number | null) => ({
  quota: { mode, tokensPerHour, tokensPerDay },
});

/** Waits until the server knows the API user. Returns how many tokens that took: one. */
async function firstToken(user: OrganisationApiUser): Promise<1> {
  await eventually(async () => assert.equal((await ask(user)).status, 200));
  return 1;
}

/** Requests tokens until one is refused. */
async function exhaust(user: OrganisationApiUser): Promise<{ issued: number; last: TokenResponse }> {
  for (let issued = 0; ; issued++) {
    const last = await ask(user);
    if (last.status === 429) return { issued, last };
    assert.equal(last.status, 200, last.text);
  }
}

/** A test that begins just before the end of an hour waits for the next one: a quota starts again then. */
async function withinAnHour(): Promise<void> {
  const leftMs = HOUR_MS - (Date.now() % HOUR_MS);
  if (leftMs < MINUTE_MS) await eventually(() => Date.now() % HOUR_MS < MINUTE_MS, 2 * MINUTE_MS);
}

test('API users share their organisation’s limit, and refused calls charge neither', async () => {
  const { store } = opened;
  const { id } = await newOrganisation(store, { policy: { limitPerMinute: 12 } });
  const [small, large] = [await userOf(store, id, { limitPerMinute: 3 }), await userOf(store, id)];
  const other = await userOf(store, null);
  await firstToken(small);
  const { issued, last } = await exhaust(small);
  assert.equal(issued, 2);
  assert.match(last.headers.get('ratelimit-policy') ?? '', /^"api-user";q=3;w=60$/);
  await firstToken(large);
  const ofAll = await exhaust(large);
  assert.ok(ofAll.issued >= 8 && ofAll.issued <= 10, `${ofAll.issued} of the 8 that are left`);
  const { body, headers } = ofAll.last;
  assert.equal(body['error'], 'rate_limit_exceeded');
  assert.match(String(body['error_description']), /organisation/);
  assert.equal(headers.get('ratelimit-policy'), '"organisation";q=12;w=60');
  assert.equal(headers.get('x-ratelimit-limit'), '12');
  const retryAfter = Number(headers.get('retry-after'));
  assert.ok(retryAfter >= 1 && retryAfter <= 5, String(retryAfter));
  for (let i = 0; i < 30; i++) await ask(large);
  await firstToken(other);
  await changeOrganisation(store, id, { policy: { limitPerMinute: null } });
  const { headers: next } = await eventually(async () => {
    const answer = await ask(large);
    assert.equal(answer.status, 200);
    return answer;
  });
  const left = Number(next.get('x-ratelimit-remaining'));
  assert.ok(left >= 1_000_000 - 12, `${left}: what the organisation refused is not charged`);
});

test('an enforced quota refuses tokens until the end of its hour', async () => {
  await withinAnHour();
  const { store } = opened;
  const { id } = await newOrganisation(store, { policy: quota('enforce', 6, 1000) });
  const users = [await userOf(store, id), await userOf(store, id)] as const;
  let issued: number = (await firstToken(users[0])) + (await firstToken(users[1]));
  issued += (await exhaust(users[0])).issued;
  assert.equal(issued, 6);
  const { last } = await exhaust(users[1]);
  const { headers, body } = last;
  assert.equal(body['error'], 'rate_limit_exceeded');
  assert.equal(headers.get('ratelimit-policy'), '"quota-hour";q=6;w=3600');
  assert.equal(headers.get('x-ratelimit-limit'), '6');
  assert.equal(headers.get('x-ratelimit-remaining'), '0');
  const endsInS = (HOUR_MS - (Date.now() % HOUR_MS)) / 1000;
  const retryAfter = Number(headers.get('retry-after'));
  assert.ok(Math.abs(retryAfter - endsInS) < 60, `${retryAfter} and not ${endsInS}`);
  assert.equal(Number(headers.get('x-ratelimit-reset')) % 3600, 0);
});

test('a quota survives a restart, and moves and deletions of API users', async () => {
  await withinAnHour();
  const { store } = opened;
  const { id } = await newOrganisation(store, { policy: quota('enforce', null, 10) });
  const users = await Promise.all([1, 2, 3, 4].map(() => userOf(store, id)));
  for (const user of users) await firstToken(user);
  await server.stop();
  await changeUser(store, users[0]?.clientId ?? '', { organisationId: null });
  await store.write(async ({ apiUsers, changed }) => {
    await apiUsers.delete(users[1]?.clientId ?? '');
    await changed('api_user', users[1]?.clientId ?? '');
  });
  server = await startServer({ dataDir: opened.dataDir, env: ENV });
  const [, , third, fourth] = users as [unknown, unknown, OrganisationApiUser, OrganisationApiUser];
  assert.equal((await exhaust(third)).issued, 6, '4 of 10 were issued before');
  assert.equal((await ask(fourth)).headers.get('ratelimit-policy'), '"quota-day";q=10;w=86400');
  await eventually(async () => {
    const use = await quotaUse(store.usage, [id], Date.now());
    assert.deepEqual(use.get(id), { hour: 10, day: 10 });
  });
  await server.kill();
  server = await startServer({ dataDir: opened.dataDir, env: ENV });
  assert.equal((await ask(third)).status, 429, 'what was written before the crash counts');
});

test('an observed quota issues every token, and reports once', async () => {
  await withinAnHour();
  const { store } = opened;
  const policy = quota('observe', 3, null);
  const { id } = await newOrganisation(store, { name: 'Over', policy });
  const user = await userOf(store, id);
  await firstToken(user);
  for (let i = 0; i < 6; i++) assert.equal((await ask(user)).status, 200);
  const lines = server
    .output()
    .match(new RegExp(`"organisation":"${id}","unit":"hour","mode":"observe"`, 'g'));
  assert.equal(lines?.length, 1);
  const metrics = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
  assert.match(metrics, /^mintmark_quota_observed_tokens_total 4$/m);
  const known = knownOrganisation(id, { ...NO_ORGANISATION, quota: policy.quota });
  const [item] = await eventually(async () => {
    const items = await exceededQuotas(store, [known], Date.now());
    assert.equal(items[0]?.count, 7);
    return items;
  });
  assert.deepEqual([item?.kind, item?.name, item?.organisationId], ['organisation_quota', 'Over', id]);
});

test('tokens before a quota was set count towards it', async () => {
  await withinAnHour();
  const { store } = opened;
  const { id } = await newOrganisation(store);
  const user = await userOf(store, id);
  await firstToken(user);
  for (let i = 0; i < 4; i++) await ask(user);
  await eventually(async () => {
    assert.equal((await quotaUse(store.usage, [id], Date.now())).get(id)?.hour, 5);
  });
  await changeOrganisation(store, id, { policy: quota('enforce', 5, null) });
  await eventually(async () => assert.equal((await ask(user)).status, 429));
  const series = await store.usage.series(id, 'minute', Date.now() - HOUR_MS, Date.now());
  assert.ok(series.reduce((sum, { tokens }) => sum + tokens, 0) >= 5);
});
