// What an integrator tests, for any test runner: each function is one test.
// oxlint-disable typescript/await-thenable -- the linter knows no types of this JavaScript
import assert from 'node:assert/strict';
import { Configuration, TokenManager } from '@mintmark/client';
import { startMintmark } from '@mintmark/testing';
import { createVerifier } from '@mintmark/verifier';

async function setUp() {
  const mint = await startMintmark();
  const { clientId, clientSecret } = await mint.createApiUser({ scopes: ['campaigns:read'] });
  const { baseUrl, clock } = mint;
  return {
    mint,
    clientId,
    manager: new TokenManager(new Configuration({ host: baseUrl, clientId, clientSecret, clock })),
    verifier: createVerifier({ issuer: baseUrl, audience: baseUrl, clock: clock.now, sandbox: true }),
    [Symbol.asyncDispose]: () => mint.stop(),
  };
}

const statuses = ({ requests }) =>
  requests.filter(({ endpoint }) => endpoint === 'token').map(({ status }) => status);

export const tests = {
  async 'a token expires after its life'() {
    await using setup = await setUp();
    const { mint, manager, verifier, clientId } = setup;
    const token = await manager.getToken();
    assert.equal((await verifier.verify(token)).clientId, clientId);
    await mint.clock.advance('20 min');
    await assert.rejects(verifier.verify(token), { reason: 'expired' });
  },

  async 'a token is renewed before it expires'() {
    await using setup = await setUp();
    const { mint, manager, verifier } = setup;
    const token = await manager.getToken();
    await mint.clock.advance('5 min');
    assert.equal(await manager.getToken(), token);
    await mint.clock.advance('580 s');
    assert.notEqual(await manager.getToken(), token);
    await verifier.verify(token);
    assert.deepEqual(statuses(mint), [200, 200]);
  },

  async 'the client waits for Retry-After after 429'() {
    await using setup = await setUp();
    const { mint, manager } = setup;
    mint.faults.next({ endpoint: 'token', status: 429, retryAfter: 30 });
    const before = mint.clock.now();
    await mint.clock.until(manager.getToken());
    assert.ok(mint.clock.now() - before >= 30_000);
    assert.deepEqual(statuses(mint), [429, 200]);
  },

  async 'a rotation of the signing key is not noticed'() {
    await using setup = await setUp();
    const { mint, verifier, clientId } = setup;
    const first = await mint.token({ clientId });
    await mint.faults.rotateKey();
    for (const token of [first, await mint.token({ clientId })]) await verifier.verify(token);
  },

  async 'a revoked token is refused'() {
    await using setup = await setUp();
    const { mint, manager, verifier, clientId } = setup;
    const token = await manager.getToken();
    await verifier.verify(token);
    await mint.faults.revokeTokens(clientId);
    await mint.clock.advance('11 s');
    await assert.rejects(verifier.verify(token), { reason: 'revoked' });
  },

  async 'an outage of ten minutes fails no call'() {
    await using setup = await setUp();
    const { mint, manager, verifier } = setup;
    const token = await manager.getToken();
    await mint.clock.advance('4 min');
    mint.faults.during('10 min', { endpoint: 'token', status: 503 });
    await mint.clock.advance('9 min');
    assert.equal(await manager.getToken(), token);
    await verifier.verify(token);
    await mint.clock.advance('5 min');
    await verifier.verify(await mint.clock.until(manager.getToken()));
  },
};
