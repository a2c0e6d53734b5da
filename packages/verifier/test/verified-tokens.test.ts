import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';
import { createTokenCache } from '../src/token-cache.ts';
import { newKey, startIssuer, type TestIssuer } from './support/issuer.ts';
import { refused } from './support/refused.ts';

// security.md, line 11, and what a remembered token may and may not do.

let issuer: TestIssuer;
before(async () => {
  issuer = await startIssuer([newKey()]);
});
after(async () => await issuer[Symbol.asyncDispose]());

test('security 11: claims are frozen against changes by other handlers', async () => {
  const verifier = issuer.verifier();
  const token = issuer.token({ roles: ['reader'], nested: { deep: [{ a: 1 }] } });
  const first = await verifier.verify(token);
  const untouched = structuredClone(first.claims);
  const writes: (() => unknown)[] = [
    () => Object.assign(first, { clientId: 'api_admin' }),
    () => Object.assign(first.claims, { sub: 'api_admin' }),
    () => (first.claims['roles'] as string[]).push('admin'),
    () => Object.assign((first.claims['nested'] as { deep: object[] }).deep[0]!, { a: 2 }),
    () => (first.audience as string[]).push('urn:other'),
    () => Object.assign(first.scopes, { has: () => true }),
    () => Object.assign(Object.getPrototypeOf(first.scopes) as object, { has: () => true }),
    () => Set.prototype.add.call(first.scopes as never, 'admin'),
  ];
  for (const write of writes) assert.throws(write, TypeError);
  const second = await verifier.verify(token);
  assert.deepEqual(second.claims, untouched);
  assert.equal(second.clientId, 'api_one');
  assert.ok(!second.scopes.has('admin'));
  assert.deepEqual([...second.audience], ['https://api.example.com']);
});

test('a remembered token is not remembered past its end', async () => {
  await using own = await startIssuer([newKey()]);
  const verifier = own.verifier({ clockSkewSeconds: 0 });
  const token = own.token();
  await verifier.verify(token);
  own.nowMs = (Math.floor(own.nowMs / 1000) + 899) * 1000;
  await verifier.verify(token);
  own.nowMs += 1000;
  await refused(verifier.verify(token), 'expired');
});

test('security 10: a remembered token ends when its key leaves the set', async () => {
  const [old, successor] = [newKey(), newKey()];
  await using own = await startIssuer([old]);
  const verifier = own.verifier();
  const token = own.token();
  await verifier.verify(token);
  own.keys = [successor];
  await verifier.verify(token);
  await verifier.verify(own.token()); // its new key id makes the verifier fetch the key set
  await refused(verifier.verify(token), 'unknown_key');
});

test('a remembered token survives a key set renewal with its key', async () => {
  await using own = await startIssuer([newKey()]);
  const verifier = own.verifier();
  const token = own.token();
  const first = await verifier.verify(token);
  own.keys = [...own.keys, newKey()];
  own.nowMs += 400_000;
  assert.equal(await verifier.verify(token), first);
  assert.equal(own.keySetFetches, 2);
});

test('a refused token is not remembered as anything', async () => {
  const verifier = issuer.verifier();
  const token = issuer.token({ iat: Math.floor(issuer.nowMs / 1000) + 100 });
  await refused(verifier.verify(token), 'not_yet_valid');
  issuer.nowMs += 100_000;
  await verifier.verify(token);
});

test('the memory of tokens is bounded and keeps recently used ones', () => {
  const cache = createTokenCache<number>(10);
  cache.set('used', 1);
  for (let i = 0; i < 1000; i += 1) {
    cache.set(`other ${i}`, i);
    assert.equal(cache.get('used'), 1);
    assert.ok(cache.size <= 10);
  }
  assert.equal(cache.get('other 0'), undefined);
  assert.equal(cache.get('other 999'), 999);
});

test('with no memory for tokens each is checked anew', async () => {
  const verifier = issuer.verifier({ cacheEntriesMax: 0 });
  const token = issuer.token();
  assert.notEqual(await verifier.verify(token), await verifier.verify(token));
});

test('no token is in what the verifier gives back, throws or shows', async () => {
  const verifier = issuer.verifier();
  const good = issuer.token();
  const bad = [
    `${good}x`,
    issuer.token({}, {}, newKey('ES256', issuer.keys[0]!.kid)),
    issuer.token({ exp: 1 }),
    issuer.token({ aud: 'urn:other' }),
    issuer.token({}, { typ: 'JWT' }),
    issuer.token({}, { crit: ['x'], x: 1 }),
    issuer.token({}, { alg: 'HS256' }),
    issuer.token({}, { kid: 'unknown' }),
    'x'.repeat(9000),
  ];
  for (const token of bad) {
    const error = await refused(verifier.verify(token));
    const shown =
      inspect(error, { depth: 20, showHidden: true, getters: true }) +
      JSON.stringify(error) +
      String(error.stack) +
      JSON.stringify(error.toEnvelope({ traceId: 'a', instance: '/' }));
    for (const part of token.split('.')) assert.ok(!shown.includes(part.slice(0, 20)), shown);
    assert.equal(error.cause, undefined);
  }
  const shown = inspect([verifier, await verifier.verify(good)], { depth: 20, showHidden: true });
  for (const part of good.split('.')) assert.ok(!shown.includes(part));
});
