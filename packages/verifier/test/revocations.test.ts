import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { startServer } from '@mintmark/test-support/server';
import { AccessTokenError, createVerifier } from '../src/index.ts';
import { revocationList } from '../src/revocation-list.ts';
import {
  newKey,
  revocationBody,
  startIssuer,
  type PublishedRevocations,
  type TestIssuer,
} from './support/issuer.ts';
import { refused } from './support/refused.ts';
import { eventually } from '@mintmark/test-support/eventually';

const EMPTY = revocationBody([]);

async function issuerWith(revocations: PublishedRevocations): Promise<TestIssuer> {
  const issuer = await startIssuer();
  issuer.revocations = revocations;
  return issuer;
}

const secondsOf = (issuer: TestIssuer) => Math.floor(issuer.nowMs / 1000);

/** A list of entries of one kind, the last of them before the others. */
function lastEntryFirst(body: Buffer, width: number): Buffer {
  return Buffer.concat([body.subarray(0, 16), body.subarray(-width), body.subarray(16, -width)]);
}

/** A list of tokens, with the entry before the last one in the place of the last one. */
function endTwice(body: Buffer): Buffer {
  return Buffer.concat([body.subarray(0, -16), body.subarray(-32, -16)]);
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

test('security 13: only the listed token of an API user is refused', async () => {
  await using issuer = await issuerWith({ body: revocationBody(['leaked']) });
  const verifier = issuer.verifier();
  await refused(verifier.verify(issuer.token({ jti: 'leaked' })), 'revoked');
  assert.equal((await verifier.verify(issuer.token({ jti: 'another' }))).tokenId, 'another');
});

test('an API user’s tokens from before a time are refused, others not', async () => {
  await using issuer = await startIssuer();
  const now = secondsOf(issuer);
  issuer.revocations = { body: revocationBody([], { api_one: now }) };
  const verifier = issuer.verifier();
  await refused(verifier.verify(issuer.token({ iat: now - 1 })), 'revoked');
  await verifier.verify(issuer.token({ iat: now }));
  await verifier.verify(issuer.token({ iat: now - 1, sub: 'api_two', client_id: 'api_two' }));
});

test('an organisation’s tokens from before a time are refused, others not', async () => {
  await using issuer = await startIssuer();
  const now = secondsOf(issuer);
  issuer.revocations = { body: revocationBody([], { org_one: now }) };
  const verifier = issuer.verifier();
  const kept = issuer.token({ org_id: 'org_one', iat: now });
  await refused(verifier.verify(issuer.token({ org_id: 'org_one', iat: now - 1 })), 'revoked');
  await verifier.verify(kept);
  await verifier.verify(issuer.token({ org_id: 'org_two', iat: now - 1 }));
  await verifier.verify(issuer.token({ iat: now - 1 }));
  issuer.revocations = { body: revocationBody([], { org_one: now + 1 }) };
  issuer.nowMs += 11_000;
  await refused(verifier.verify(kept), 'revoked');
});

test('a remembered token is refused after its revocation’s first poll', async () => {
  await using issuer = await issuerWith({ body: EMPTY });
  const verifier = issuer.verifier();
  const token = issuer.token({ jti: 'leaked' });
  await verifier.verify(token);
  issuer.revocations = { body: revocationBody(['leaked']) };
  issuer.nowMs += 4999;
  await verifier.verify(token);
  assert.equal(issuer.revocationFetches, 1, 'nobody asks before the time');
  // Without traffic in between nobody has renewed the list: who comes first waits for it.
  issuer.nowMs += 5002;
  await refused(verifier.verify(token), 'revoked');
  assert.equal(issuer.revocationFetches, 2);
});

test('a due list renews in the background once for any requests', async () => {
  await using issuer = await issuerWith({ body: EMPTY });
  const verifier = issuer.verifier();
  const token = issuer.token({ jti: 'leaked' });
  await Promise.all(Array.from({ length: 50 }, () => verifier.verify(token)));
  assert.equal(issuer.revocationFetches, 1);
  issuer.revocations = { body: revocationBody(['leaked']) };
  issuer.nowMs += 6000;
  await Promise.all(Array.from({ length: 50 }, () => verifier.verify(token)));
  await eventually(() => issuer.revocationFetches === 2);
  await eventually(() => assert.rejects(verifier.verify(token), /revoked/));
  assert.equal(issuer.revocationFetches, 2);
});

test('a list that has not changed is confirmed by a signed 304', async () => {
  await using issuer = await issuerWith({ body: revocationBody(['leaked']) });
  const verifier = issuer.verifier();
  for (let i = 0; i < 10; i += 1) {
    await refused(verifier.verify(issuer.token({ jti: 'leaked' })), 'revoked');
    await verifier.verify(issuer.token());
    issuer.nowMs += 11_000;
  }
  assert.equal(issuer.revocationFetches, 10);
});

const other = newKey();
for (const [what, revocations] of [
  ['signed by a key that is not the issuer’s', { body: EMPTY, key: other }],
  ['with the type of an access token', { body: EMPTY, header: { typ: 'at+jwt' } }],
  ['of another issuer', { body: EMPTY, statement: { iss: 'https://evil.example' } }],
  ['with another digest', { body: EMPTY, statement: { sha256: 'A'.repeat(43) } }],
  ['from the future', { body: EMPTY, statement: { iat: Date.now() / 1000 + 1000 } }],
  ['that is old', { body: EMPTY, statement: { iat: Date.now() / 1000 - 1000 } }],
  ['without a number', { body: EMPTY, statement: { n: undefined } }],
  ['that is no list', { body: Buffer.from('no list') }],
  ['that is shorter than it says', { body: revocationBody(['a', 'b']).subarray(0, -1) }],
  ['whose tokens are not sorted', { body: lastEntryFirst(revocationBody(['a', 'b', 'c']), 16) }],
  ['whose API users are not sorted', { body: lastEntryFirst(revocationBody([], { a: 1, b: 1, c: 1 }), 24) }],
  ['with a token twice', { body: revocationBody(['a', 'b', 'a']) }],
  ['that is long and holds one twice at its end', { body: endTwice(revocationBody(numbers(100_000))) }],
  ['answered with 304 where none is held', { body: EMPTY, status: 304 }],
  ['answered with 500', { body: EMPTY, status: 500 }],
] as [string, PublishedRevocations][]) {
  test(`a list ${what} is rejected: tokens are 503, or accepted on request`, async () => {
    await using issuer = await issuerWith(revocations);
    const failures: unknown[] = [];
    const onKeySetFailure = (error: unknown) => void failures.push(error);
    const error = await issuer
      .verifier({ onKeySetFailure })
      .verify(issuer.token())
      .catch((reason: unknown) => reason);
    assert.ok(error instanceof AccessTokenError, inspect(error));
    assert.deepEqual([error.status, error.reason], [503, 'revocations_unavailable']);
    assert.ok((error.retryAfterSeconds ?? 0) >= 1);
    assert.equal(failures.length, 1);
    assert.doesNotMatch(inspect(error), /eyJ/);
    await issuer.verifier({ revocations: { onStale: 'accept' } }).verify(issuer.token());
  });
}

test('an older list is skipped; a restored store’s counts after a minute', async () => {
  await using issuer = await issuerWith({ body: revocationBody(['leaked']), statement: { n: 50 } });
  const verifier = issuer.verifier();
  await refused(verifier.verify(issuer.token({ jti: 'leaked' })), 'revoked');
  issuer.revocations = { body: EMPTY, statement: { n: 49 } };
  issuer.nowMs += 11_000;
  await refused(verifier.verify(issuer.token({ jti: 'leaked' })), 'revoked');
  issuer.nowMs += 60_000;
  // After a failed fetch nobody waits for the next one.
  await eventually(() => verifier.verify(issuer.token({ jti: 'leaked' })), 1000);
});

test('a ten-minute outage harms nobody; after staleSeconds tokens get 503', async () => {
  await using issuer = await issuerWith({ body: revocationBody(['leaked']) });
  const verifier = issuer.verifier({ clockSkewSeconds: 0 });
  await verifier.ready();
  await issuer.stop();
  const token = issuer.token({ exp: secondsOf(issuer) + 7200 });
  const leaked = issuer.token({ jti: 'leaked', exp: secondsOf(issuer) + 7200 });
  for (let second = 0; second < 600; second += 5) {
    issuer.nowMs += 5000;
    await verifier.verify(token);
    await refused(verifier.verify(leaked), 'revoked');
  }
  issuer.nowMs += 301_000;
  const error = await verifier.verify(token).catch((reason: unknown) => reason);
  assert.ok(error instanceof AccessTokenError);
  assert.deepEqual([error.status, error.reason], [503, 'revocations_unavailable']);
  await issuer.restart();
  issuer.nowMs += 31_000;
  await verifier.verify(token);
});

test('a clock set back during an outage causes an immediate retry', async () => {
  await using issuer = await issuerWith({ body: EMPTY });
  const verifier = issuer.verifier();
  const token = issuer.token({ jti: 'leaked', iat: secondsOf(issuer) - 3600 });
  await verifier.verify(token);
  await issuer.stop();
  for (let i = 0; i < 10; i += 1) {
    issuer.nowMs += 31_000;
    await verifier.verify(token);
    await verifier.ready();
  }
  await issuer.restart();
  issuer.revocations = { body: revocationBody(['leaked']), statement: { n: 100 } };
  issuer.nowMs -= 3_600_000;
  await eventually(() => refused(verifier.verify(token), 'revoked'), 2000);
});

test('without revocations or a list nothing is fetched', async () => {
  await using issuer = await issuerWith({ body: revocationBody(['leaked']) });
  await issuer.verifier({ revocations: false }).verify(issuer.token({ jti: 'leaked' }));
  assert.equal(issuer.revocationFetches, 0);
  issuer.revocations = undefined;
  const verifier = issuer.verifier();
  await verifier.verify(issuer.token({ jti: 'leaked' }));
  await issuer.stop();
  // Past the time for which a list would serve: there is none that could be too old.
  issuer.nowMs += 1_200_000;
  await verifier.verify(issuer.token());
});

test('options that cannot be meant so stop the start', async () => {
  await using issuer = await startIssuer();
  const { url } = issuer;
  for (const revocations of [
    { pollSeconds: 0 },
    { onStale: 'never' as 'accept' },
    { url: 'http://example.com/' },
  ]) {
    assert.throws(() => issuer.verifier({ revocations }), TypeError);
  }
  assert.throws(() => issuer.verifier({ jwksUrl: `${url}/jwks`, revocations: {} }), /revocations\.url/);
});

test('a listed entry is found in lists of any length', async () => {
  const ids = fc.uniqueArray(fc.string(), { maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(ids, ids, ids, fc.nat(1000), async (tokens, users, others, before) => {
      const list = await revocationList(
        revocationBody(tokens, Object.fromEntries(users.map((id) => [id, before]))),
      );
      const revoked = (tokenId: string, clientId: string, issuedAt: number, organisationId?: string) =>
        list.includes({ tokenId, clientId, organisationId, issuedAt });
      for (const id of [...tokens, ...users, ...others]) {
        assert.equal(revoked(id, '\0nobody', 0), tokens.includes(id));
        assert.equal(revoked('\0none', id, before - 1), users.includes(id));
        assert.equal(revoked('\0none', id, before), false);
        assert.equal(revoked('\0none', '\0nobody', before - 1, id), users.includes(id));
        assert.equal(revoked('\0none', '\0nobody', before, id), false);
      }
    }),
    { numRuns: 30 },
  );
});

test('bytes of any kind are a list or an Error', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), fc.boolean(), async (bytes, headed) => {
      const body = Buffer.concat([headed ? EMPTY.subarray(0, 8) : Buffer.alloc(0), bytes]);
      try {
        const list = await revocationList(body);
        assert.equal(list.includes({ tokenId: 'a', clientId: 'b', organisationId: 'c', issuedAt: 0 }), false);
      } catch (error) {
        assert.match((error as Error).message, /^The (answer|revocation list) is not/);
      }
    }),
  );
});

test('security 13: tokens of a cut-off API user are refused in ten seconds', async () => {
  await using server = await startServer();
  const cut = { client_id: server.clientId, client_secret: server.clientSecret };
  const kept = await server.json<{ client_id: string; client_secret: string }>(
    'api-user',
    'create',
    '--name',
    'kept',
  );
  server.noteSecret(kept.client_secret);
  const tokenOf = async (of: { client_id: string; client_secret: string }) => {
    for (;;) {
      const { status, body } = await server.post({
        client_id: of.client_id,
        client_secret: of.client_secret,
      });
      if (status === 200) return body['access_token'] as string;
    }
  };
  const [cutToken, keptToken] = [await tokenOf(cut), await tokenOf(kept)];
  const verifier = createVerifier({
    issuer: server.url,
    audience: server.url,
    revocations: { pollSeconds: 1 },
  });
  await verifier.verify(cutToken);
  await verifier.verify(keptToken);
  await server.cli('api-user', 'disable', server.clientId, '--force', '--revoke-tokens');
  const revokedAt = Date.now();
  for (;;) {
    await verifier.verify(keptToken);
    const refusal = await verifier.verify(cutToken).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (refusal !== undefined) {
      await refused(Promise.reject(refusal), 'revoked');
      break;
    }
    assert.ok(Date.now() - revokedAt < 10_000, 'the token goes on being accepted');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await verifier.verify(keptToken);
});
