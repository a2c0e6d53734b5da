// Test setup: also on PostgreSQL.
import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { decodeJwt } from 'jose';
import {
  addCredential,
  assertionForm,
  newSigner,
  ownClaims,
  seconds,
  userWith,
  type Signer,
} from '@mintmark/test-support/assertions';
import { eventually } from '@mintmark/test-support/eventually';
import { basic, exchange, FORM, type Reply } from '@mintmark/test-support/http';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';
import { SYSTEM } from '../../src/domain/actor.ts';
import { updateApiUser } from '../../src/admin/api-user.ts';

// API users that prove with their own key who they are (RFC 7523 §2.2).

const ALGORITHMS = ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256', 'RS256'];

let opened: TemporaryStore;
let server: TestServer;
let signer: Signer;
let clientId: string;
let credentialId: string;
/** One API user for each algorithm. */
const others = new Map<string, { signer: Signer; clientId: string }>();
let disabled: { signer: Signer; clientId: string };
let ended: { retired: Signer; expired: Signer; clientId: string };

before(async () => {
  opened = await temporaryStore();
  const { store } = opened;
  signer = await newSigner();
  clientId = await userWith(store);
  credentialId = (await addCredential(store, clientId, { jwk: signer.jwk })).id;
  for (const algorithm of ALGORITHMS) {
    const own = await newSigner(algorithm, 3072);
    others.set(algorithm, { signer: own, clientId: await userWith(store, { jwk: own.jwk }) });
  }
  const unused = await newSigner();
  disabled = { signer: unused, clientId: await userWith(store, { jwk: unused.jwk }) };
  await updateApiUser({ store, actor: SYSTEM, nowMs: Date.now() }, disabled.clientId, { enabled: false });
  const [retired, expired] = [await newSigner(), await newSigner()];
  ended = { retired, expired, clientId: await userWith(store) };
  await addCredential(store, ended.clientId, { jwk: { ...retired.jwk, kid: 'r' } }, { retiredAt: 1000 });
  await addCredential(store, ended.clientId, { jwk: { ...expired.jwk, kid: 'e' } }, { expiresAt: 1000 });
  server = await startServer({
    dataDir: opened.dataDir,
    env: { MINTMARK_FAILURE_LIMIT: '1000000', MINTMARK_ADDRESS_LIMIT: '1000000' },
  });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

const claims = (changes = {}, id = clientId) => ownClaims(id, server.url, changes);
const send = async (assertion: string, more = {}) => {
  server.noteSecret(assertion);
  return await server.post(assertionForm(assertion, more));
};

describe('an assertion signed with an own key', () => {
  for (const algorithm of ALGORITHMS) {
    test(`gets a token with ${algorithm}`, async () => {
      const own = others.get(algorithm)!;
      const { status, body } = await send(await own.signer.sign(claims({}, own.clientId)));
      assert.equal(status, 200, JSON.stringify(body));
    });
  }

  test('gets a token with client_id, an audience list, and either typ', async () => {
    for (const typ of ['JWT', 'jwt', 'application/jwt', 'client-authentication+jwt']) {
      const assertion = await signer.sign(claims({ aud: [server.url] }), { typ });
      assert.equal((await send(assertion, { client_id: clientId })).status, 200, typ);
    }
  });

  test('names its key by credential id, thumbprint or any kid', async () => {
    for (const kid of [credentialId, signer.thumbprint, 'another']) {
      assert.equal((await send(await signer.sign(claims(), { kid }))).status, 200, kid);
    }
  });

  test('counts as a use of its credential', async () => {
    const [own] = [others.get('ES256')!];
    assert.equal((await send(await own.signer.sign(claims({}, own.clientId)))).status, 200);
    const uses = async () => (await opened.store.credentials.listOf(own.clientId))[0]?.useCount ?? 0;
    await eventually(async () => assert.ok((await uses()) > 0), 15_000, 'its use is written');
  });

  test('introspects and revokes', async () => {
    const token = (await send(await signer.sign(claims()))).body['access_token'] as string;
    const reply = async (endpoint: string): Promise<Reply> => {
      const form = assertionForm(await signer.sign(claims()), { token });
      return await exchange(server.port, {
        path: `/marketing/oauth2/${endpoint}`,
        headers: { 'Content-Type': FORM },
        body: new URLSearchParams(form).toString(),
      });
    };
    assert.equal((await reply('introspect')).body['error'], 'unauthorized_client');
    assert.equal((await reply('revoke')).status, 200);
  });

  test('is used once', async () => {
    const assertion = await signer.sign(claims());
    const statuses = [(await send(assertion)).status, (await send(assertion)).status];
    assert.deepEqual(statuses, [200, 403]);
    const jti = randomUUID();
    const twice = await Promise.all(
      [1, 2].map(
        async (exp) => (await send(await signer.sign(claims({ jti, exp: seconds() + exp })))).status,
      ),
    );
    assert.deepEqual(
      twice.toSorted((a, b) => a - b),
      [200, 403],
    );
  });

  test('keeps working for callers without kid when a second key is added', async () => {
    const own = others.get('ES384')!;
    const second = await newSigner('ES384');
    const { id } = await addCredential(opened.store, own.clientId, { jwk: second.jwk });
    await eventually(async () => {
      const named = await second.sign(claims({}, own.clientId), { kid: id });
      assert.equal((await send(named)).status, 200);
    });
    assert.equal((await send(await own.signer.sign(claims({}, own.clientId)))).status, 200);
    assert.equal((await send(await second.sign(claims({}, own.clientId)))).status, 403);
  });
});

test('every refused assertion gets the same bytes; the log has its reason', async () => {
  const stranger = await newSigner();
  const now = seconds();
  const used = await signer.sign(claims());
  assert.equal((await send(used)).status, 200);
  const hmac = `${part({ alg: 'HS256' })}.${part(claims())}`;
  const publicKey = createHmac('sha256', JSON.stringify(signer.jwk)).update(hmac).digest('base64url');
  const signed = await signer.sign(claims());
  const refused: [string, string | Promise<string>][] = [
    ['unknown_client_id', signer.sign(claims({}, 'api_00000000000000000000'))],
    ['wrong_signature', stranger.sign(claims())],
    ['wrong_signature', stranger.sign(claims(), { jwk: stranger.jwk, jku: 'https://example.com/' })],
    ['wrong_signature', `${signed.slice(0, signed.lastIndexOf('.'))}.`],
    ['unknown_key', others.get('RS256')!.signer.sign(claims())],
    ['assertion_audience', signer.sign(claims({ aud: 'https://elsewhere.example.com' }))],
    ['assertion_audience', signer.sign(claims({ aud: [server.url, 'https://elsewhere.example.com'] }))],
    ['assertion_audience', signer.sign(claims({ aud: `${server.url}/oauth2/token` }))],
    ['assertion_reused', used],
    ['assertion_id', signer.sign(claims({ jti: undefined }))],
    ['expired_assertion', signer.sign(claims({ exp: now - 31 }))],
    ['early_assertion', signer.sign(claims({ nbf: now + 60 }))],
    ['early_assertion', signer.sign(claims({ iat: now + 60 }))],
    ['assertion_life', signer.sign(claims({ exp: now + 400 }))],
    ['assertion_life', signer.sign(claims({ exp: undefined }))],
    ['assertion_subject', signer.sign(claims({ sub: others.get('EdDSA')!.clientId }))],
    ['malformed_assertion', signer.sign(claims(), { typ: 'at+jwt' })],
    ['malformed_assertion', signed.replace('.', '.=')],
    ['malformed_assertion', `${signed}.`],
    ['malformed_assertion', withHeader(signed, { alg: 'ES256', crit: ['exp'], exp: 1 })],
    ['assertion_algorithm', `${hmac}.${publicKey}`],
    ['assertion_algorithm', `${part({ alg: 'none' })}.${part(claims())}.`],
    ['api_user_disabled', disabled.signer.sign(claims({}, disabled.clientId))],
    ['retired_key', ended.retired.sign(claims({}, ended.clientId), { kid: 'r' })],
    ['expired_key', ended.expired.sign(claims({}, ended.clientId), { kid: 'e' })],
  ];
  const answers = new Set<string>();
  const reasons = new Map<string, string>();
  for (const [reason, assertion] of refused) {
    const text = await assertion;
    const { status, text: body, body: json } = await send(text, { client_id: issuerOf(text) });
    const traceId = json['trace_id'] as string;
    answers.add(`${status} ${body.replaceAll(traceId, '')}`);
    reasons.set(traceId, reason);
  }
  for (const [traceId, reason] of reasons) await logged(traceId, reason);
  const wrongSecret = await server.post({ client_id: clientId, client_secret: 'mms_wrong' });
  answers.add(
    `${wrongSecret.status} ${wrongSecret.text.replaceAll(wrongSecret.body['trace_id'] as string, '')}`,
  );
  assert.equal(answers.size, 1, Array.from(answers).join('\n'));
});

async function logged(traceId: string, reason: string): Promise<void> {
  await eventually(() => {
    const line = server
      .output()
      .split('\n')
      .find((text) => text.includes(traceId));
    assert.equal((JSON.parse(line ?? '{}') as { reason?: string }).reason, reason);
    return Promise.resolve();
  });
}

function issuerOf(assertion: string): string {
  try {
    return decodeJwt(assertion).iss ?? clientId;
  } catch {
    return clientId;
  }
}

function part(json: object): string {
  return Buffer.from(JSON.stringify(json)).toString('base64url');
}

function withHeader(assertion: string, header: object): string {
  return `${part(header)}${assertion.slice(assertion.indexOf('.'))}`;
}

test('a username in iss and sub proves nothing', async () => {
  const own = await newSigner();
  const id = await userWith(opened.store, { jwk: own.jwk });
  const change = { store: opened.store, actor: SYSTEM, nowMs: Date.now() };
  await updateApiUser(change, id, { username: 'ann@example.com' });
  await eventually(async () => assert.equal((await send(await own.sign(claims({}, id)))).status, 200));
  const named = async () => await own.sign(claims({}, 'ann@example.com'));
  assert.equal((await send(await named())).status, 403);
  assert.equal((await send(await named(), { client_id: 'ann@example.com' })).status, 403);
});

test('assertions beyond the limit of calls stay unused and fill no memory', async () => {
  const env = { MINTMARK_TEST_USED_ASSERTIONS_MAX: '2', MINTMARK_API_USER_LIMIT: '2' };
  const limited = await startServer({ dataDir: opened.dataDir, env });
  try {
    const waiting = await signer.sign(ownClaims(clientId, limited.url));
    const statuses: number[] = [];
    for (let i = 0; i < 2; i++) {
      const assertion = await signer.sign(ownClaims(clientId, limited.url));
      statuses.push((await limited.post(assertionForm(assertion))).status);
    }
    for (let i = 0; i < 3; i++) statuses.push((await limited.post(assertionForm(waiting))).status);
    assert.deepEqual(statuses, [200, 200, 429, 429, 429]);
  } finally {
    await limited.stop();
  }
});

test('requests with an assertion in the wrong form say what to send', async () => {
  const assertion = await signer.sign(claims());
  const form = assertionForm(assertion);
  const byBasic = { Authorization: basic(clientId, 'x') };
  const refused: [RegExp, Record<string, string>, Record<string, string>?][] = [
    [/one or the other/, { ...form, client_secret: 'x' }],
    [/one or the other/, form, byBasic],
    [/client_assertion is missing/, { ...form, client_assertion: '', client_id: clientId }],
    [/client_assertion_type is missing/, { client_assertion: assertion }],
    [/client_assertion_type is not supported/, { ...form, client_assertion_type: 'urn:x' }],
    [/client_id is missing/, assertionForm('not.a.jwt')],
    [/client_id is missing/, assertionForm(await signer.sign(claims({ iss: 'https://issuer.example.com' })))],
  ];
  for (const [expected, parameters, headers] of refused) {
    const { status, body } = await server.post(parameters, headers);
    assert.deepEqual([status, body['error']], [400, 'invalid_request']);
    assert.match(body['error_description'] as string, expected);
  }
  const twice = new URLSearchParams([...Object.entries(form), ['client_assertion', assertion]]).toString();
  assert.match((await server.post(twice)).text, /more than once/);
});

test('a full memory of used assertions is 503; a restart forgets them', async () => {
  const env = { MINTMARK_TEST_USED_ASSERTIONS_MAX: '1' };
  const full = await startServer({ dataDir: opened.dataDir, env });
  const { port } = full;
  const assertion = await signer.sign(ownClaims(clientId, full.url));
  assert.equal((await full.post(assertionForm(assertion))).status, 200);
  const another = await signer.sign(ownClaims(clientId, full.url));
  assert.equal((await full.post(assertionForm(another))).status, 503);
  assert.equal((await full.post(assertionForm(assertion))).status, 403);
  await full.stop();
  const restarted = await startServer({ dataDir: opened.dataDir, env, port });
  assert.equal((await restarted.post(assertionForm(assertion))).status, 200);
  await restarted.stop();
});

test('failed assertions exhaust the budget for failures', async () => {
  const dataDir = opened.dataDir;
  const strict = await startServer({ dataDir, env: { MINTMARK_FAILURE_LIMIT: '5' } });
  try {
    const stranger = await newSigner();
    const statuses: number[] = [];
    for (let i = 0; i < 7; i++) {
      const assertion = await stranger.sign(ownClaims(clientId, strict.url));
      statuses.push((await strict.post(assertionForm(assertion))).status);
    }
    assert.deepEqual(statuses.slice(0, 5), [403, 403, 403, 403, 403]);
    assert.equal(statuses.at(-1), 429);
    const own = await signer.sign(ownClaims(clientId, strict.url));
    assert.equal((await strict.post(assertionForm(own))).status, 429);
  } finally {
    await strict.stop();
  }
});

test('the metadata names private_key_jwt and its algorithms', async () => {
  const url = `${server.url}/.well-known/oauth-authorization-server`;
  const metadata = (await (await fetch(url)).json()) as Record<string, string[]>;
  for (const endpoint of ['token', 'introspection', 'revocation']) {
    assert.ok(metadata[`${endpoint}_endpoint_auth_methods_supported`]?.includes('private_key_jwt'));
    assert.deepEqual(metadata[`${endpoint}_endpoint_auth_signing_alg_values_supported`], ALGORITHMS);
  }
});
