// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { ApiException, Configuration, TokenManager } from '../../client/src/index.ts';
import { AccessTokenError, createVerifier, type Verifier } from '../../verifier/src/index.ts';
import type { Mintmark, MintmarkOptions } from '../src/index.ts';
import { startMintmark } from './start.ts';

const SCOPE = 'campaigns:read';

interface Setup {
  mint: Mintmark;
  clientId: string;
  clientSecret: string;
  manager: TokenManager;
  verifier: Verifier;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A server, an API user, and the SDK and verifier on the same clock. */
async function setUp(options: MintmarkOptions = {}): Promise<Setup> {
  const mint = await startMintmark(options);
  const { clientId, clientSecret } = await mint.createApiUser({ scopes: [SCOPE] });
  const { baseUrl: host, clock } = mint;
  return {
    mint,
    clientId,
    clientSecret,
    manager: new TokenManager(new Configuration({ host, clientId, clientSecret, clock })),
    verifier: createVerifier({ issuer: host, audience: host, clock: clock.now, sandbox: true }),
    [Symbol.asyncDispose]: () => mint.stop(),
  };
}

async function refusal(verifier: Verifier, token: string): Promise<string> {
  try {
    await verifier.verify(token);
    return 'accepted';
  } catch (error) {
    assert.ok(error instanceof AccessTokenError);
    return error.reason;
  }
}

function tokenRequests({ requests }: Mintmark): (number | null)[] {
  return requests.filter(({ endpoint }) => endpoint === 'token').map(({ status }) => status);
}

test('a token expires after its life, and the SDK renews it', async () => {
  await using setup = await setUp();
  const { mint, manager, verifier } = setup;
  const token = await manager.getToken();
  assert.equal((await verifier.verify(token)).clientId, setup.clientId);
  await mint.clock.advance('5 min');
  assert.equal(await manager.getToken(), token);
  await mint.clock.advance('15 min');
  assert.equal(await refusal(verifier, token), 'expired');
  const renewed = await manager.getToken();
  assert.notEqual(renewed, token);
  await verifier.verify(renewed);
  assert.deepEqual(tokenRequests(mint), [200, 200]);
});

test('the SDK waits for Retry-After by the virtual clock', async () => {
  await using setup = await setUp();
  const { mint, manager } = setup;
  mint.faults.next({ endpoint: 'token', status: 429, retryAfter: 30 }).then({ status: 503, retryAfter: 2 });
  const before = mint.clock.now();
  await mint.clock.until(manager.getToken());
  assert.deepEqual(tokenRequests(mint), [429, 503, 200]);
  assert.ok(mint.clock.now() - before >= 32_000, `${mint.clock.now() - before} ms`);
});

test('an API user over its limit gets 429 until the clock moves', async () => {
  await using mint = await startMintmark();
  const user = await mint.createApiUser({ scopes: [SCOPE], limitPerMinute: 2 });
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push(await statusOf(mint, user));
  await mint.clock.advance('1 min');
  assert.deepEqual([...statuses, await statusOf(mint, user)], [200, 200, 429, 200]);
});

async function statusOf(
  { baseUrl }: Mintmark,
  user: { clientId: string; clientSecret: string },
): Promise<number> {
  const body = new URLSearchParams({ client_id: user.clientId, client_secret: user.clientSecret });
  const response = await fetch(`${baseUrl}/oauth2/token`, { method: 'POST', body });
  await response.text();
  return response.status;
}

test('verifiers accept the old key after a rotation, not after a withdrawal', async () => {
  await using setup = await setUp();
  const { mint, clientId, verifier } = setup;
  const first = await mint.token({ clientId });
  await verifier.verify(first);
  await mint.faults.rotateKey();
  const second = await mint.token({ clientId });
  await verifier.verify(first);
  await verifier.verify(second);
  await mint.faults.withdrawKey();
  await mint.clock.advance('6 min');
  const reasons = [first, second, await mint.token({ clientId })].map((token) => refusal(verifier, token));
  assert.deepEqual(await Promise.all(reasons), ['unknown_key', 'unknown_key', 'accepted']);
});

test('keys rotate by schedule when months pass', async () => {
  await using mint = await startMintmark();
  const kids = async () => {
    const response = await fetch(`${mint.baseUrl}/.well-known/jwks.json`);
    const { keys } = (await response.json()) as { keys: { kid: string }[] };
    return keys.map(({ kid }) => kid);
  };
  const before = await kids();
  await mint.clock.advance('120 days');
  const after = await kids();
  assert.equal(after.length, 1);
  assert.notDeepEqual(after, before);
});

test('a revoked token is refused by every verifier after its next poll', async () => {
  await using setup = await setUp();
  const { mint, clientId, verifier } = setup;
  const token = await mint.token({ clientId });
  await verifier.verify(token);
  await mint.faults.revokeTokens(clientId);
  await mint.clock.advance('11 s');
  assert.equal(await refusal(verifier, token), 'revoked');
});

test('an outage of ten minutes ends without a call that fails', async () => {
  await using setup = await setUp();
  const { mint, manager, verifier } = setup;
  const token = await manager.getToken();
  await mint.clock.advance('12 min'); // the SDK may renew the token from here on, and need not yet
  mint.faults.during('10 min', { endpoint: 'token', status: 503 });
  assert.equal(await manager.getToken(), token);
  await verifier.verify(token);
  await mint.clock.advance('11 min');
  await verifier.verify(await mint.clock.until(manager.getToken()));
});

for (const [name, fault] of Object.entries({
  'a reset before the answer': { reset: 'before' },
  'a reset in the headers': { reset: 'in the headers' },
  'a reset in the body': { reset: 'in the body' },
  'a page of a proxy': { html: true },
  'a status 500': { status: 500 },
  'a delay of a minute': { delay: '1 min' },
} as const)) {
  test(`the SDK survives ${name}`, async () => {
    await using setup = await setUp();
    const { mint, manager } = setup;
    mint.faults.next({ endpoint: 'token', ...fault });
    const token = await mint.clock.until(manager.getToken());
    await setup.verifier.verify(token);
    assert.equal(tokenRequests(mint).length, 2);
    assert.match(mint.requests[0]?.fault ?? '', new RegExp(Object.keys(fault)[0] ?? ''));
  });
}

test('a slow answer arrives in parts by the virtual clock', async () => {
  await using setup = await setUp();
  const { mint, clientId, clientSecret } = setup;
  mint.faults.next({ endpoint: 'token', slow: '2 s' });
  const before = mint.clock.now();
  assert.equal(await mint.clock.until(statusOf(mint, { clientId, clientSecret })), 200);
  assert.ok(mint.clock.now() - before >= 32_000);
});

test('half a token and a token of an unknown key are refused', async () => {
  await using setup = await setUp();
  const { mint, verifier } = setup;
  mint.faults.next({ endpoint: 'token', token: 'half' }).then({ token: 'unknown key' });
  const reasons = [];
  for (let i = 0; i < 2; i++) {
    reasons.push(await refusal(verifier, await setup.manager.getToken()));
    await mint.clock.advance('20 min');
  }
  assert.deepEqual(reasons, ['malformed', 'unknown_key']);
});

test('a token may be issued as expired, for other scopes, or unverifiable', async () => {
  await using setup = await setUp();
  const { mint, clientId, verifier } = setup;
  assert.equal(await refusal(verifier, await mint.token({ clientId, expired: true })), 'expired');
  assert.equal(await refusal(verifier, await mint.token({ clientId, unknownKey: true })), 'unknown_key');
  assert.equal(
    await refusal(verifier, await mint.token({ clientId, audience: 'https://other' })),
    'audience',
  );
  const other = await verifier.verify(await mint.token({ clientId, scopes: ['reports:read'], life: '10 s' }));
  assert.deepEqual(Array.from(other.scopes), ['reports:read']);
});

test('the server stays ready through a store outage up to its bound', async () => {
  await using setup = await setUp();
  const { mint } = setup;
  const ready = async () => (await fetch(new URL('/readyz', mint.baseUrl))).status;
  mint.faults.storeAway('20 min');
  await mint.clock.advance('10 min');
  const statuses = [await ready(), await statusOf(mint, setup)];
  await mint.clock.advance('6 min');
  statuses.push(await ready(), await statusOf(mint, setup));
  await mint.clock.advance('5 min');
  assert.deepEqual([...statuses, await ready(), await statusOf(mint, setup)], [200, 200, 503, 503, 200, 200]);
});

test('a server whose clock is ahead issues tokens from the future', async () => {
  await using setup = await setUp();
  const { mint, clientId, verifier } = setup;
  await verifier.verify(await mint.token({ clientId }));
  mint.faults.skewClock(120);
  assert.equal(await refusal(verifier, await mint.token({ clientId })), 'not_yet_valid');
  mint.faults.skewClock(30);
  await verifier.verify(await mint.token({ clientId }));
});

test('the journal shows what the client sent, without its secret', async () => {
  await using setup = await setUp();
  const { mint, clientId, clientSecret } = setup;
  await setup.manager.getToken();
  const { baseUrl: host, clock } = mint;
  const basic = { clientAuthentication: 'basic', scope: SCOPE } as const;
  await new TokenManager(new Configuration({ host, clientId, clientSecret, clock, ...basic })).getToken();
  await fetch(`${host}/oauth2/token?client_secret=${clientSecret}`);
  await fetch(host, { headers: { 'x-note': clientSecret } });
  const [form, header, url] = mint.requests;
  assert.equal(form?.clientId, clientId);
  assert.deepEqual(Object.keys(form?.form ?? {}), ['grant_type', 'client_id', 'client_secret']);
  assert.match(form?.form?.['client_secret'] ?? '', /^mms_\w{10}_…$/);
  assert.equal(header?.clientId, clientId);
  assert.equal(header?.headers['authorization'], 'Basic …');
  assert.equal(header?.form?.['scope'], SCOPE);
  assert.equal(url?.url, '/mintmark-sandbox/marketing/oauth2/token?…');
  const journal = JSON.stringify(mint.requests);
  for (const secret of [clientSecret, Buffer.from(`${clientId}:${clientSecret}`).toString('base64')])
    assert.ok(!journal.includes(secret));
});

test('the same seed brings the same faults', async () => {
  const statuses = [];
  for (let run = 0; run < 2; run++) {
    await using setup = await setUp();
    setup.mint.faults.bySeed(7, { rate: 0.5, endpoint: 'token' });
    for (let i = 0; i < 20; i++)
      await setup.mint.clock.until(statusOf(setup.mint, setup).catch(() => undefined));
    statuses.push(setup.mint.requests.map(({ fault }) => fault));
  }
  assert.deepEqual(statuses[0], statuses[1]);
  assert.ok(new Set(statuses[0]).size > 2);
});

test('a wrong fault is refused with all that is wrong', async () => {
  await using mint = await startMintmark();
  const wrong = { endpoint: 'tokens', status: 1, resett: 'before' } as unknown as { status: number };
  assert.throws(
    () => mint.faults.next(wrong),
    /endpoint: not one of token, .*resett: there is no.*status: not/,
  );
  assert.throws(() => mint.faults.next({ endpoint: 'token' }), /nothing goes wrong/);
  await assert.rejects(mint.clock.advance('soon'), /"soon" is not a span of time/);
  await (mint.faults.next({ status: 500 }) as unknown as Promise<void>); // does not hang
});

test('a wrong setting is refused by its name', async () => {
  await assert.rejects(startMintmark({ settings: { MINTMARK_TOKEN_LIFE: 'x' } }), /MINTMARK_TOKEN_LIFE/);
});

test('the SDK reports a denial as with any server', async () => {
  await using setup = await setUp();
  const { baseUrl: host, clock } = setup.mint;
  const configuration = new Configuration({ host, clientId: setup.clientId, clientSecret: 'x', clock });
  await assert.rejects(new TokenManager(configuration).getToken(), (error) => {
    assert.ok(error instanceof ApiException);
    return error.code === 'forbidden' || assert.fail(error.code);
  });
});

test('several servers have clocks of their own', async () => {
  const all = await Promise.all(Array.from({ length: 50 }, () => setUp({ startMs: 1_800_000_000_000 })));
  const [first, ...others] = all;
  await first?.mint.clock.advance('1 hour');
  assert.equal(first?.mint.clock.now(), 1_800_003_600_000);
  for (const { mint } of others) assert.equal(mint.clock.now(), 1_800_000_000_000);
  for (const { mint, clientId } of all) assert.equal((await mint.token({ clientId })).split('.').length, 3);
  await Promise.all(all.map(({ mint }) => mint.stop()));
});

test('a program ends by itself after stop, and leaves no file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-sandbox-'));
  const program = `
    const { startMintmark } = await import(${JSON.stringify(new URL('start.ts', import.meta.url).href)});
    const mint = await startMintmark();
    await fetch(mint.baseUrl);
    await mint.stop();
  `;
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    cwd: folder,
    timeout: 60_000,
  });
  const { stdout, stderr } = await run;
  assert.equal(stdout + stderr, '');
  assert.deepEqual(readdirSync(folder), []);
  rmSync(folder, { recursive: true });
});

test('servers start in a process that stands still for ten seconds', async () => {
  const program = `
    const { startMintmark } = await import(${JSON.stringify(new URL('start.ts', import.meta.url).href)});
    await (await startMintmark()).stop();
    const beats = new Int32Array(new SharedArrayBuffer(4));
    // Only a timer notices it: the process stands still while several of the servers wait for one.
    const isWaiting = () => process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length > 5;
    let haveStarted = false;
    const standStill = () => {
      if (isWaiting()) Atomics.wait(beats, 0, 0, 10_500);
      else if (!haveStarted) setImmediate(standStill);
    };
    const starting = Promise.all(Array.from({ length: 20 }, () => startMintmark()));
    standStill();
    starting.then(() => (haveStarted = true));
    await Promise.all((await starting).map((mint) => mint.stop()));
    console.log('all started');
  `;
  const options = { timeout: 100_000 };
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], options);
  const { stdout } = await run;
  assert.equal(stdout, 'all started\n');
});
