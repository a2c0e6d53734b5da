// Test setup: first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { createVerifier, type Verifier, type VerifierOptions } from '../src/index.ts';
import { refused } from './support/refused.ts';
import { eventually } from '@mintmark/test-support/eventually';

// Tokens, keys and metadata of the real server.

async function issue(server: TestServer, from: TestServer = server): Promise<string> {
  const { status, body } = await server.post({
    client_id: from.clientId,
    client_secret: from.clientSecret,
  });
  assert.equal(status, 200, JSON.stringify(body));
  return body['access_token'] as string;
}

for (const algorithm of ['ES256', 'EdDSA', 'RS256']) {
  test(`a token of the server is accepted, signed with ${algorithm}`, async () => {
    await using server = await startServer({ env: { MINTMARK_SIGNING_ALGORITHM: algorithm } });
    const { url: issuer, clientId } = server;
    const token = await issue(server);
    const verified = await createVerifier({ issuer, audience: issuer }).verify(token);
    assert.deepEqual([verified.clientId, verified.subject, verified.issuer], [clientId, clientId, issuer]);
    await refused(createVerifier({ issuer, audience: 'urn:other' }).verify(token), 'audience');
  });
}

test('security 12: rapid key rotation refuses no token', async () => {
  await using server = await startServer({
    env: {
      MINTMARK_KEY_ANNOUNCE: '2',
      MINTMARK_JWKS_MAX_AGE: '1',
      MINTMARK_TOKEN_LIFE: '10',
      MINTMARK_CLOCK_SKEW: '0',
    },
  });
  const { url: issuer } = server;
  const verifier = createVerifier({ issuer, audience: issuer, clockSkewSeconds: 0 });
  const kids = new Set<string>();
  const deadline = Date.now() + 20_000;
  const alive: { token: string; untilMs: number }[] = [];
  while (kids.size < 3 && Date.now() < deadline) {
    const token = await issue(server);
    const header = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as {
      kid: string;
    };
    // Each key that signs gets a successor.
    if (!kids.has(header.kid)) await server.cli('signing-key', 'rotate');
    kids.add(header.kid);
    const verified = await verifier.verify(token);
    alive.push({ token, untilMs: verified.expiresAt * 1000 - 200 });
    // Tokens of keys that sign no longer are good to their end.
    for (const one of alive) if (Date.now() < one.untilMs) await verifier.verify(one.token);
    await sleep(30);
  }
  assert.ok(alive.length > 30, `${alive.length} tokens`);
  assert.ok(kids.size >= 3, `${kids.size} keys signed`);
});

test('security 12: an immediate key is accepted, a compromised one soon refused', async () => {
  await using server = await startServer();
  const { url: issuer } = server;
  const verifier = createVerifier({ issuer, audience: issuer });
  const before = await issue(server);
  await verifier.verify(before);
  await server.cli('signing-key', 'rotate', '--compromised');
  const after = await eventually(async () => {
    const token = await issue(server);
    assert.notEqual(token.split('.')[0], before.split('.')[0]);
    return token;
  });
  await verifier.verify(after);
  await refused(verifier.verify(before), 'unknown_key');
});

test('tokens are accepted across a restart and a ten-minute outage', async () => {
  await using server = await startServer({ env: { MINTMARK_TOKEN_LIFE: '3600' } });
  const { url: issuer, port, dataDir } = server;
  let aheadMs = 0;
  const failures: unknown[] = [];
  const verifier = createVerifier({
    issuer,
    audience: issuer,
    clock: () => Date.now() + aheadMs,
    onKeySetFailure: (error) => failures.push(error),
  });
  const first = await issue(server);
  const second = await issue(server);
  await verifier.verify(first);
  await server.stop();
  for (; aheadMs < 600_000; aheadMs += 5_000) await verifier.verify(first);
  await verifier.verify(second);
  await eventually(() => failures.length > 0);

  await using restarted = await startServer({ dataDir, port, env: { MINTMARK_TOKEN_LIFE: '3600' } });
  aheadMs += 31_000;
  failures.length = 0;
  // Of before the restart, of after it, and with a clock that is by now ten minutes ahead.
  await verifier.verify(first);
  await verifier.verify(await issue(restarted, server));
  assert.deepEqual(failures, []);
});

test('clocks 50 seconds apart are harmless: 70 seconds are too many', async () => {
  await using server = await startServer({ env: { MINTMARK_TOKEN_LIFE: '300' } });
  const { url: issuer, clientId } = server;
  const verifierAt = (aheadSeconds: number, options: Partial<VerifierOptions> = {}) =>
    createVerifier({
      issuer,
      audience: issuer,
      clock: () => Date.now() + aheadSeconds * 1000,
      ...options,
    });
  const token = await issue(server);

  const apart = [verifierAt(-50), verifierAt(50), verifierAt(300 + 50)];
  for (const verifier of apart) assert.equal((await verifier.verify(token)).clientId, clientId);
  await refused(verifierAt(-70, { revocations: false }).verify(token), 'not_yet_valid');
  const failures: unknown[] = [];
  const onKeySetFailure = (error: unknown) => void failures.push(error);
  await refused(verifierAt(-70, { onKeySetFailure }).verify(token), 'revocations_unavailable');
  assert.match(String(failures[0]), /compare this clock/);
  await refused(verifierAt(300 + 70).verify(token), 'expired');

  await server.cli('api-user', 'revoke-tokens', clientId);
  for (const verifier of [verifierAt(-50), verifierAt(50)]) await refusedSoon(verifier, token);
});

/** The server publishes a revocation within its second. */
async function refusedSoon(verifier: Verifier, token: string): Promise<void> {
  await eventually(() => refused(verifier.verify(token), 'revoked'));
}
