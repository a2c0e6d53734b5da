import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KeySearch } from '../../src/domain/key-source.ts';
import { createKeySourceCheck } from '../../src/runtime/trusted-keys/check.ts';
import { eventually } from '@mintmark/test-support/eventually';
import { DISCOVERY, publicKey } from './issuer.ts';
import { awayOf, isKey, setup } from './key-setup.ts';

// When keys of others are fetched, kept and forgotten.

const HOUR_MS = 3_600_000;

test('keys of a named issuer are fetched once, before anyone needs them', async () => {
  await using all = await setup();
  const { keys, find } = await all.process();
  await eventually(() => assert.equal(keys.states(all.clock.ms)[0]?.state, 'current'));
  const found = await Promise.all(Array.from({ length: 100 }, () => find('first')));
  assert.ok(found.every(isKey));
  assert.deepEqual(all.issuer.requests, [DISCOVERY, '/keys']);
  assert.ok('key' in ((await find(null)) as object), 'one key fits, so its id may be absent');
  assert.ok('none' in (await find('first', undefined, 'RS256')));
  assert.deepEqual(all.issuer.requests.length, 2);
});

test('a hundred requests at once wait for one fetch', async () => {
  await using all = await setup();
  all.named.length = 0;
  const { find } = await all.process();
  const found = await Promise.all(Array.from({ length: 100 }, () => find('first')));
  assert.ok(found.every(isKey));
  assert.deepEqual(all.issuer.requests, [DISCOVERY, '/keys']);
});

test('requests beyond the bound do not wait', async () => {
  await using all = await setup({ MINTMARK_TEST_KEY_WAITERS_MAX: '10' });
  all.named.length = 0;
  const { find } = await all.process();
  const found = await Promise.all(Array.from({ length: 15 }, () => find('first')));
  assert.equal(found.filter(isKey).length, 10);
  assert.match(awayOf(found.at(-1) ?? NEVER), /too many requests wait/);
});

const NEVER: KeySearch = { none: true };

test('requests that wait for one slow source leave room for others', async () => {
  await using all = await setup({
    MINTMARK_TEST_KEY_WAITERS_MAX: '10',
    MINTMARK_TEST_KEY_WAITERS_OF_SOURCE_MAX: '5',
  });
  all.named.length = 0;
  const { find } = await all.process();
  const slow = { url: `${all.issuer.url}/slow` };
  all.issuer.handlers.set('/slow', () => undefined);
  const searches = Array.from({ length: 20 }, () => find('first', slow));
  assert.ok(isKey(await find('first')));
  for (const search of await Promise.all(searches)) assert.ok('away' in search);
});

test('a search that does not wait starts a fetch', async () => {
  await using all = await setup({ MINTMARK_TEST_KEY_WAITERS_MAX: '1' });
  all.named.length = 0;
  const { keys, find } = await all.process();
  const slow = { url: `${all.issuer.url}/slow` };
  all.issuer.handlers.set('/slow', () => undefined);
  for (let i = 0; i < 20; i++) assert.ok('away' in keys.findNow(slow, 'first', 'ES256', all.clock.ms));
  assert.ok(isKey(await find('first')));
  await eventually(async () => assert.ok(all.issuer.requests.includes('/slow')));
});

test('a rotated key is fetched with its first use', async () => {
  await using all = await setup();
  const { find } = await all.process();
  assert.ok(isKey(await find('first')));
  all.issuer.keys = [publicKey('second')];
  assert.ok(isKey(await find('second')));
  assert.ok('none' in (await find('first')), 'the removed key is gone');
});

test('invented key ids cause few fetches and hide no rotated key', async () => {
  await using all = await setup();
  const { find } = await all.process();
  assert.ok(isKey(await find('first')));
  for (let round = 0; round < 200; round++) assert.ok('none' in (await find(`invented-${round}`)));
  const fetches = all.issuer.requests.filter((path) => path === '/keys').length;
  assert.ok(fetches <= 7, `${fetches} fetches`);
  all.issuer.keys = [publicKey('second')];
  for (let second = 0; second < 10; second++) {
    all.clock.ms += 1000;
    await find(`invented-again-${second}`);
  }
  assert.ok(isKey(await find('second')), 'within ten seconds');
});

test('keys outlive an outage of ten minutes, also over a restart', async () => {
  await using all = await setup();
  {
    using first = await all.process();
    assert.ok(isKey(await first.find('first')));
    await eventually(async () => (await all.opened.store.keySources.list(9)).length === 1);
    await all.issuer.stop();
    all.clock.ms += 10 * 60_000;
    assert.ok(isKey(await first.find('first')));
    assert.ok('none' in (await first.find('unknown')), 'its keys are known, and this is none of them');
  }
  using second = await all.process();
  assert.ok(isKey(await second.find('first')));
  all.clock.ms += HOUR_MS;
  const [state] = await eventually(() => {
    const states = second.keys.states(all.clock.ms);
    assert.equal(states[0]?.state, 'old');
    assert.match(states[0]?.error ?? '', /cannot be reached \(ECONNREFUSED\)/);
    return states;
  });
  assert.equal(state?.keys, 1);
  const [row] = await eventually(async () => {
    const rows = await all.opened.store.keySources.list(9);
    assert.match(rows[0]?.error ?? '', /ECONNREFUSED/);
    return rows;
  });
  assert.equal(row?.keys.length, 1, 'a failure leaves the keys in the store');
  all.clock.ms += 24 * HOUR_MS;
  assert.match(awayOf(await second.find('first')), /not known: .*ECONNREFUSED/);
  await all.issuer.start();
  all.clock.ms += 10_000;
  assert.ok(isKey(await second.find('first')));
  assert.equal(second.keys.states(all.clock.ms)[0]?.error, null);
});

test('a restart with fresh keys in the store fetches nothing', async () => {
  await using all = await setup();
  {
    using first = await all.process();
    assert.ok(isKey(await first.find('first')));
    await eventually(async () => (await all.opened.store.keySources.list(9)).length === 1);
  }
  const before = all.issuer.requests.length;
  using second = await all.process();
  assert.ok(isKey(await second.find('first')));
  assert.equal(all.issuer.requests.length, before);
});

test('a process takes over keys that another one fetched later', async () => {
  await using all = await setup();
  const [first, second] = [await all.process(), await all.process({ store: await all.opened.another() })];
  assert.ok(isKey(await first.find('first')) && isKey(await second.find('first')));
  all.issuer.keys = [publicKey('second')];
  all.clock.ms += 1000;
  assert.ok(isKey(await first.find('second')));
  await eventually(async () => (await all.opened.store.keySources.list(9))[0]?.fetchedAt === all.clock.ms);
  const before = all.issuer.requests.length;
  assert.ok(isKey(await second.find('second')));
  assert.equal(all.issuer.requests.length, before);
});

test('keys are fetched again at half of their life', async () => {
  await using all = await setup();
  all.issuer.cacheControl = 'max-age=1200';
  const { find } = await all.process();
  assert.ok(isKey(await find('first')));
  const before = all.issuer.requests.length;
  all.issuer.keys = [publicKey('first'), publicKey('second')];
  all.clock.ms += 400_000;
  await new Promise((resolve) => setTimeout(resolve, 1200)); // a tick passes, and nothing may be fetched
  assert.equal(all.issuer.requests.length, before);
  all.clock.ms += 200_000;
  await eventually(() => all.issuer.requests.length === before + 2);
});

test('an issuer that only a stranger names is not fetched', async () => {
  await using all = await setup();
  all.named.length = 0;
  const { keys } = await all.process();
  assert.deepEqual(await keys.findNamed(all.issuer.url, 'first', 'ES256', all.clock.ms), { none: true });
  assert.equal(all.issuer.requests.length, 0);
  all.named.push({ source: { url: `${all.issuer.url}/keys` }, issuer: 'https://issuer.example' });
  keys.credentialsChanged();
  all.clock.ms += 5000;
  await eventually(async () =>
    isKey(await keys.findNamed('https://issuer.example', 'first', 'ES256', all.clock.ms)),
  );
});

test('key sources that no credential names are forgotten', async () => {
  await using all = await setup();
  const { keys, find } = await all.process();
  assert.ok(isKey(await find('first')));
  all.named.length = 0;
  await eventually(async () => {
    all.clock.ms += HOUR_MS;
    const rows = await all.opened.store.keySources.list(9);
    return keys.states(all.clock.ms).length === 0 && rows.length === 0;
  });
});

test('keys that cannot be used are left out and counted', async () => {
  await using all = await setup();
  const [sig, enc] = [publicKey('sig'), { ...publicKey('enc'), use: 'enc' }];
  const many = Array.from({ length: 40 }, (_, n) => publicKey(`key-${n}`));
  all.issuer.keys = [enc, { kty: 'oct', k: 'c2VjcmV0' }, { ...sig, d: 'AAAA' }, {}, sig, ...many];
  const { keys, find } = await all.process();
  assert.ok(isKey(await find('sig')));
  assert.ok('none' in (await find('enc')));
  assert.ok('none' in (await find(null)), 'several keys fit');
  const [state] = keys.states(all.clock.ms);
  assert.deepEqual([state?.keys, state?.leftOut], [32, 13]);
});

test('a check of a key source names the fault or stores keys', async () => {
  await using all = await setup();
  const check = createKeySourceCheck(all.opened.store, all.opened.config);
  await assert.rejects(check({ issuer: `${all.issuer.url}/typo` }, 'keys', all.clock.ms), {
    code: 'invalid',
    faults: [
      {
        member: 'keys',
        problem:
          `No keys can be fetched: ${all.issuer.url}/typo${DISCOVERY} answered with status 404, and ` +
          `${all.issuer.url}/.well-known/oauth-authorization-server/typo with status 404.`,
      },
    ],
  });
  await check({ issuer: all.issuer.url }, 'keys', all.clock.ms);
  const before = all.issuer.requests.length;
  const { find } = await all.process();
  assert.ok(isKey(await find('first')));
  assert.equal(all.issuer.requests.length, before, 'a running process reads them from the store');
});
