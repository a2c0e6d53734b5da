// Test setup: also on PostgreSQL.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  addCredential,
  assertionForm,
  newSigner,
  ownClaims,
  seconds,
  trustRule,
  userWith,
  workloadClaims,
  type Signer,
} from '@mintmark/test-support/assertions';
import { eventually } from '@mintmark/test-support/eventually';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';

// API users that prove with a token of another issuer who they are: here with its keys in the rule.

const NOBODY = 'api_00000000000000000000';

let opened: TemporaryStore;
let server: TestServer;
let issuer: Signer;
let clientId: string;
let reusing: string;
let ended: { retired: string; expired: string };

before(async () => {
  opened = await temporaryStore();
  const { store } = opened;
  issuer = await newSigner('RS256');
  clientId = await userWith(store, trustRule(issuer), trustRule(issuer, { subject: 'repo:acme/site:*' }));
  reusing = await userWith(store, trustRule(issuer, { reuse: 'until_expired' }));
  ended = { retired: await userWith(store), expired: await userWith(store) };
  await addCredential(store, ended.retired, trustRule(issuer), { retiredAt: 1000 });
  await addCredential(store, ended.expired, trustRule(issuer), { expiresAt: 1000 });
  server = await startServer({
    dataDir: opened.dataDir,
    env: { MINTMARK_FAILURE_LIMIT: '1000000', MINTMARK_ADDRESS_LIMIT: '1000000' },
  });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

const send = async (assertion: string, id = clientId) => {
  server.noteSecret(assertion);
  return await server.post(assertionForm(assertion, { client_id: id }));
};

describe('a token of an issuer that a trust rule names', () => {
  test('gets a token for each rule of the issuer', async () => {
    for (const sub of ['repo:acme/shop:main', 'repo:acme/site:main']) {
      const { status, body } = await send(await issuer.sign(workloadClaims({ sub })));
      assert.equal(status, 200, JSON.stringify(body));
    }
  });

  test('is used once, also without jti', async () => {
    const { jti: _, ...withoutId } = workloadClaims();
    for (const claims of [workloadClaims(), withoutId]) {
      const token = await issuer.sign(claims);
      assert.deepEqual([(await send(token)).status, (await send(token)).status], [200, 403]);
    }
  });

  test('is used until it expires if the rule says so', async () => {
    const token = await issuer.sign(workloadClaims());
    for (let i = 0; i < 3; i++) assert.equal((await send(token, reusing)).status, 200);
  });

  test('is refused with one body, whatever is wrong with it', async () => {
    const stranger = await newSigner('RS256');
    const other = await newSigner('ES256');
    const now = seconds();
    const used = await issuer.sign(workloadClaims());
    assert.equal((await send(used)).status, 200);
    const { iss: _, ...withoutIssuer } = workloadClaims();
    const refused: [string, string, string?][] = [
      ['untrusted_issuer', await issuer.sign(workloadClaims({ iss: 'https://issuer.example.com/' }))],
      ['untrusted_issuer', await issuer.sign(withoutIssuer)],
      ['unknown_client_id', await issuer.sign(workloadClaims()), NOBODY],
      ['wrong_signature', await stranger.sign(workloadClaims())],
      ['unknown_key', await other.sign(workloadClaims())],
      ['unknown_key', await issuer.sign(workloadClaims(), { kid: 'another' })],
      ['assertion_subject', await issuer.sign(workloadClaims({ sub: 'repo:acme/other:main' }))],
      ['assertion_audience', await issuer.sign(workloadClaims({ aud: ['https://auth.example.com', 'x'] }))],
      ['claim_mismatch', await issuer.sign(workloadClaims({ repository_id: '2' }))],
      ['assertion_life', await issuer.sign(workloadClaims({ exp: now + 3600 }))],
      ['expired_assertion', await issuer.sign(workloadClaims({ iat: now - 300, exp: now - 31 }))],
      ['early_assertion', await issuer.sign(workloadClaims({ nbf: now + 60 }))],
      ['retired_trust_rule', await issuer.sign(workloadClaims()), ended.retired],
      ['expired_trust_rule', await issuer.sign(workloadClaims()), ended.expired],
      ['assertion_reused', used],
    ];
    const answers = new Set<string>();
    const reasons = new Map<string, string>();
    for (const [reason, assertion, id] of refused) {
      const { status, text, body } = await send(assertion, id);
      const traceId = body['trace_id'] as string;
      answers.add(`${status} ${text.replaceAll(traceId, '')}`);
      reasons.set(traceId, reason);
    }
    assert.equal(answers.size, 1, Array.from(answers).join('\n'));
    assert.match(Array.from(answers).join(''), /^403 .*invalid_client/);
    for (const [traceId, reason] of reasons) await assertLogged(traceId, reason);
  });

  test('is refused within a second after its rule ended', async () => {
    const { store } = opened;
    const id = await userWith(store);
    const credential = await addCredential(store, id, trustRule(issuer));
    await eventually(async () => {
      assert.equal((await send(await issuer.sign(workloadClaims()), id)).status, 200);
    });
    await store.write(async (transaction) => {
      await transaction.credentials.update({ ...credential, retiredAt: Date.now() });
      await transaction.changed('api_user', id);
    });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    assert.equal((await send(await issuer.sign(workloadClaims()), id)).status, 403);
  });
});

test('an issuer that is away is 503 for every client id', async () => {
  const iss = 'https://issuer.invalid';
  const id = await userWith(opened.store, trustRule(issuer, { issuer: iss, keys: { from: 'discovery' } }));
  await eventually(async () => {
    for (const clientIdOrNobody of [id, NOBODY]) {
      const { status, body } = await send(await issuer.sign(workloadClaims({ iss })), clientIdOrNobody);
      assert.deepEqual([status, body['error']], [503, 'temporarily_unavailable']);
      await eventually(() => {
        const line = lineOf(body['trace_id'] as string);
        assert.match(line, /"denied":"temporarily_unavailable"/);
      });
    }
  });
});

test('an issuer that is away reveals no rule with other keys', async () => {
  const iss = 'https://away.invalid';
  const named = await userWith(opened.store, trustRule(issuer, { issuer: iss, keys: { from: 'discovery' } }));
  const inline = await userWith(opened.store, trustRule(issuer, { issuer: iss }));
  const url = { from: 'url', url: 'https://other.invalid/' } as const;
  const byUrl = await userWith(opened.store, trustRule(issuer, { issuer: iss, keys: url }));
  const stranger = await newSigner('RS256');
  await eventually(async () => {
    for (const id of [named, inline, byUrl, NOBODY]) {
      const { status } = await send(await stranger.sign(workloadClaims({ iss })), id);
      assert.equal(status, 503, `${[named, inline, byUrl, NOBODY].indexOf(id)}`);
    }
  }, 20_000);
  assert.equal((await send(await issuer.sign(workloadClaims({ iss })), inline)).status, 200);
});

test('an API user’s own key URL that is away is 403', async () => {
  const id = await userWith(opened.store, { jwks_url: 'https://keys.invalid/' });
  await eventually(async () => {
    const { status, body } = await send(await issuer.sign(ownClaims(id, server.url)), id);
    assert.equal(status, 403);
    await assertLogged(body['trace_id'] as string, 'unknown_key');
  }, 20_000);
});

function lineOf(traceId: string): string {
  return (
    server
      .output()
      .split('\n')
      .find((text) => text.includes(traceId)) ?? '{}'
  );
}

async function assertLogged(traceId: string, reason: string): Promise<void> {
  await eventually(() => {
    assert.equal((JSON.parse(lineOf(traceId)) as { reason?: string }).reason, reason);
  });
}
