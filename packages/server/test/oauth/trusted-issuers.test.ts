// Test setup: long.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { addCredential, assertionForm, userWith } from '@mintmark/test-support/assertions';
import { eventually } from '@mintmark/test-support/eventually';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';
import { createTrustRule } from '../../src/admin/trust-rule.ts';
import { SYSTEM } from '../../src/domain/actor.ts';
import type { TrustRule } from '../../src/domain/trust-rule.ts';
import { createKeySourceCheck } from '../../src/runtime/trusted-keys/check.ts';
import { certificate, json, startIssuer, type Issuer } from '../runtime/issuer.ts';
import { mockServer, oidcProvider, type RealIssuer } from '../runtime/real-issuers.ts';

// Workloads get tokens with those of real issuers, whose keys change, and which stop and misbehave.

const TLS = certificate('localhost');
const HOSTS = { MINTMARK_PRIVATE_KEY_HOSTS: `localhost=${TLS.caFile}` };
const AUDIENCE = 'https://auth.example.com/marketing';
/** Keys are due soon after their fetch, so that an outage lasts for many of their lives. */
const SHORT_LIFE = 'max-age=1';
/** Above it, a caller would have waited for a fetch, which ends after five seconds. */
const NO_WAIT_MS = 3000;
const NOBODY = 'api_00000000000000000000';
/** Bytes of memory that bad answers may cost. */
const GROWTH_MAX = 64 * 2 ** 20;

let opened: TemporaryStore;
let server: TestServer;
before(async () => {
  opened = await temporaryStore(HOSTS);
  server = await startServer({
    dataDir: opened.dataDir,
    env: {
      ...HOSTS,
      MINTMARK_FAILURE_LIMIT: '1000000',
      MINTMARK_ADDRESS_LIMIT: '1000000',
      MINTMARK_TEST_KEY_LIFE_MIN: '1000',
    },
  });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

/** A live rule for the issuer's workload. Its creation fetches the keys. */
async function trust(owner: string, issuer: Issuer, { subject }: RealIssuer): Promise<void> {
  const { store, config } = opened;
  await createTrustRule(
    { store, actor: SYSTEM, nowMs: Date.now() },
    { owner, name: 'workload', expiresAt: null },
    { rule: ruleFor(issuer, subject), force: false },
    createKeySourceCheck(store, config),
  );
}

function ruleFor({ url }: Issuer, subject: string): TrustRule {
  return {
    preset: null,
    issuer: url,
    subject,
    audience: AUDIENCE,
    otherAudiences: false,
    claims: {},
    lifeSecondsMax: 3600,
    reuse: 'until_expired',
    keys: { from: 'discovery' },
  };
}

const send = async (clientId: string, assertion: string) => {
  server.noteSecret(assertion);
  return await server.post(assertionForm(assertion, { client_id: clientId }));
};

/** Asserts that a caller whose key is known gets a token without a wait for the issuer. */
async function assertUnharmed(clientId: string, token: string): Promise<void> {
  const startedAt = performance.now();
  const { status, text } = await send(clientId, token);
  assert.equal(status, 200, text);
  const ms = performance.now() - startedAt;
  assert.ok(ms < NO_WAIT_MS, `it waited for ${Math.round(ms)} ms`);
}

async function failedFetches(): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
  const [, count = '0'] = /^mintmark_key_fetches_total\{[^}]*"failed"[^}]*\} (\d+)$/m.exec(text) ?? [];
  return Number(count);
}

/** Answers to every request for discovery or keys. */
const MISBEHAVIOURS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  nothing: () => undefined,
  'a redirect to a private address': (response) =>
    response.writeHead(302, { location: 'https://169.254.169.254/latest' }).end(),
  HTML: (response) => response.setHeader('Content-Type', 'text/html').end('<html>Sign in</html>'),
  'ten megabytes': (response) => json(response, { keys: ['x'.repeat(10_000_000)] }),
  'another issuer': (response) =>
    json(response, { issuer: 'https://elsewhere.example', jwks_uri: 'https://elsewhere.example/keys' }),
  'an endless body': (response) => {
    const timer = setInterval(() => response.write(Buffer.alloc(100_000, 'x')), 1);
    response.on('close', () => clearInterval(timer));
  },
};

const ISSUERS = { 'oidc-provider': oidcProvider, 'oauth2-mock-server': mockServer };

for (const [name, start] of Object.entries(ISSUERS)) {
  describe(`the workload of ${name}`, () => {
    let issuer: Issuer;
    let real: RealIssuer;
    let clientId: string;
    before(async () => {
      issuer = await startIssuer(TLS);
      real = await start(issuer, TLS, AUDIENCE);
      clientId = await userWith(opened.store);
      await trust(clientId, issuer, real);
      await eventually(async () => assert.equal((await send(clientId, await real.token())).status, 200));
    });
    after(async () => await issuer.stop());

    test('gets a token at its own API user only', async () => {
      const token = await real.token();
      const { status, body } = await send(clientId, token);
      assert.equal(status, 200, JSON.stringify(body));
      assert.equal((await send(await userWith(opened.store), token)).status, 403);
      assert.equal((await send(NOBODY, token)).status, 403);
    });

    test('gets a token with the first request after its keys rotated', async () => {
      for (let i = 0; i < 2; i++) {
        const old = await real.token();
        await real.rotate();
        const { status, body } = await send(clientId, await real.token());
        assert.equal(status, 200, JSON.stringify(body));
        assert.equal((await send(clientId, old)).status, 403, 'the removed key is gone');
      }
    });

    test('notices nothing while its issuer is away for long', async () => {
      issuer.cacheControl = SHORT_LIFE;
      await real.rotate();
      const token = await real.token();
      await assertUnharmed(clientId, token);
      await issuer.stop();
      await unharmedUntilFailed(clientId, token, 3);
      await issuer.start();
      await recovers(clientId, real);
    });

    // Which server stands behind bad answers makes no difference.
    for (const [what, misbehave] of Object.entries(name === 'oidc-provider' ? {} : MISBEHAVIOURS)) {
      test(`notices nothing while its issuer sends ${what}`, async () => {
        issuer.cacheControl = SHORT_LIFE;
        await real.rotate();
        const token = await recovers(clientId, real);
        const usual = new Map(issuer.handlers);
        const bytes = residentBytes();
        for (const path of usual.keys())
          issuer.handlers.set(path, (_request, response) => misbehave(response));
        await unharmedUntilFailed(clientId, token, 1);
        const growth = residentBytes() - bytes;
        assert.ok(growth < GROWTH_MAX, `${growth} bytes more`);
        for (const [path, handler] of usual) issuer.handlers.set(path, handler);
      });
    }
  });
}

/** Repeats requests until this many more fetches of keys have failed. */
async function unharmedUntilFailed(clientId: string, token: string, fetches: number): Promise<void> {
  const failed = await failedFetches();
  await eventually(async () => {
    await assertUnharmed(clientId, token);
    return (await failedFetches()) >= failed + fetches;
  }, 30_000);
}

/** Waits until a token with the newest key passes, and returns it. */
async function recovers(clientId: string, real: RealIssuer): Promise<string> {
  const token = await real.token();
  await eventually(async () => assert.equal((await send(clientId, token)).status, 200), 30_000);
  return token;
}

/** Resident memory of the server. */
function residentBytes(): number {
  const status = readFileSync(`/proc/${server.process.pid}/status`, 'utf8');
  const [, kilobytes = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
  return Number(kilobytes) * 1024;
}

test('an issuer whose keys were never fetched is 503 for anyone', async () => {
  const issuer = await startIssuer(TLS);
  const real = await mockServer(issuer, TLS, AUDIENCE);
  await issuer.stop();
  const [clientId, without] = [await userWith(opened.store), await userWith(opened.store)];
  await addCredential(opened.store, clientId, ruleFor(issuer, real.subject));
  const token = await real.token();
  await eventually(async () => assert.equal((await send(clientId, token)).status, 503));
  // The list of issuers that rules name is read again within seconds.
  const answers = await eventually(async () => {
    const all = [];
    for (const id of [clientId, without, NOBODY]) all.push(await send(id, token));
    assert.deepEqual(
      all.map(({ status }) => status),
      [503, 503, 503],
    );
    return all;
  }, 30_000);
  const bodies = answers.map(({ text, body }) => text.replace(body['trace_id'] as string, ''));
  assert.equal(new Set(bodies).size, 1, bodies.join('\n'));
  await issuer.start();
  await eventually(async () => assert.equal((await send(clientId, token)).status, 200), 30_000);
  await issuer.stop();
});
