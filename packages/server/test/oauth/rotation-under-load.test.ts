// Test setup: first.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { mintmark, startServer, type TestServer } from '@mintmark/test-support/server';
import { sqlOn } from '@mintmark/test-support/store-under-test';

// The shortest life of a token that there is, and everything else in proportion. A schedule is looked at every ten
// seconds, so this sees a rotation by command and two by schedule.
const SCHEDULE = {
  MINTMARK_TOKEN_LIFE: '10',
  MINTMARK_JWKS_MAX_AGE: '1',
  MINTMARK_STALE_MAX: '2',
  MINTMARK_KEY_ANNOUNCE: '2',
  MINTMARK_KEY_ROTATION: '4',
  MINTMARK_CLOCK_SKEW: '0',
};
const LIMITS = { MINTMARK_API_USER_LIMIT: '1000000', MINTMARK_ADDRESS_LIMIT: '1000000' };
const LOAD_MS = 27_000;
const CLIENTS = 4;
/** Between two tokens of one client: a steady load that leaves the machine to others. */
const PAUSE_MS = 40;

interface Verifier {
  /** Throws where the token is refused. */
  verify(token: string): Promise<{ kid: string; exp: number }>;
}

/** Reads the key set again when its max-age is over, and never because of a key id that it does not know. */
function verifier(url: string): Verifier {
  let keys: ReturnType<typeof createLocalJWKSet> | undefined;
  let freshUntil = 0;
  return {
    async verify(token) {
      if (keys === undefined || performance.now() >= freshUntil) {
        const askedAt = performance.now();
        const response = await fetch(`${url}/.well-known/jwks.json`);
        const [, maxAge = ''] = /max-age=(\d+)/.exec(response.headers.get('cache-control') ?? '') ?? [];
        keys = createLocalJWKSet((await response.json()) as JSONWebKeySet);
        freshUntil = askedAt + Number(maxAge) * 1000;
      }
      const { payload, protectedHeader } = await jwtVerify(token, keys, { issuer: url, audience: url });
      return { kid: protectedHeader.kid ?? '', exp: payload.exp ?? 0 };
    },
  };
}

describe('under load', { concurrency: true }, () => {
  test('signing keys rotated by schedule and command refuse no token', async () => {
    await using server = await startServer({ env: { ...SCHEDULE, ...LIMITS } });
    const signedBy = new Map<string, number>();
    const refused: string[] = [];
    const endsAt = Date.now() + LOAD_MS;
    let verified = 0;

    const client = async (number: number) => {
      const checks = verifier(server.url);
      const kept: { token: string; exp: number }[] = [];
      for (let i = 0; Date.now() < endsAt; i++) {
        const { status, body } = await server.post({
          client_id: server.clientId,
          client_secret: server.clientSecret,
        });
        if (status !== 200) refused.push(`${status} ${String(body['error'])}`);
        const token = String(body['access_token']);
        const due = kept.filter(({ exp }) => exp * 1000 - Date.now() < 1500);
        for (const old of [{ token, exp: Infinity }, ...due]) {
          try {
            const { kid, exp } = await checks.verify(old.token);
            verified += 1;
            signedBy.set(kid, Math.max(signedBy.get(kid) ?? 0, exp));
            // Some tokens are shown again shortly before they expire.
            if (old.token === token && i % 10 === number) kept.push({ token, exp });
          } catch (error) {
            // On a busy machine an old one may have expired before it is shown.
            if (Date.now() < old.exp * 1000) refused.push(String(error));
          }
        }
        kept.splice(0, kept.length, ...kept.filter((each) => !due.includes(each)));
        await sleep(PAUSE_MS);
      }
    };
    const rotating = sleep(1000).then(() => rotateByCommand(server));
    await Promise.all([rotating, ...Array.from({ length: CLIENTS }, (_, number) => client(number))]);

    assert.deepEqual(refused, []);
    assert.ok(verified > 100, `${verified} tokens were verified`);
    assert.ok(
      signedBy.size >= 3,
      `${signedBy.size} keys signed: one by command and one by schedule at least`,
    );
    await retiredKeysAreGone(server, signedBy);
    await server.stop();
  });

  test('a secret reset with overlap refuses no request as callers move', async () => {
    await using server = await startServer({ env: { ...LIMITS, MINTMARK_USAGE_FLUSH: '100' } });
    const { json } = server;
    const [old] = await json<{ id: string }[]>('credential', 'list', server.clientId);
    const refused: string[] = [];
    const asked = { old: 0, next: 0 };
    const callers = Array.from({ length: CLIENTS }, () => ({ secret: server.clientSecret }));
    const load = { over: false };
    const call = async (caller: { secret: string }) => {
      while (!load.over) {
        asked[caller.secret === server.clientSecret ? 'old' : 'next'] += 1;
        const { status } = await server.post({ client_id: server.clientId, client_secret: caller.secret });
        if (status !== 200) refused.push(`${status}`);
        await sleep(PAUSE_MS);
      }
    };
    const calling = Promise.all(callers.map(call));
    await sleep(500);
    const reset = ['credential', 'reset', server.clientId, '--overlap', '1h'];
    const { client_secret: next } = await json<{ client_secret: string }>(...reset);
    // The new one is good within a second; nobody has moved to it yet.
    await sleep(1000);
    for (const caller of callers) {
      const retired = await retire(server, old!.id);
      assert.equal(retired.code, 4, `a credential in use was retired: ${retired.out}`);
      caller.secret = next;
      await sleep(200);
    }
    await sleep(500);
    const early = await retire(server, old!.id);
    assert.equal(early.code, 4, 'it was used within the hour');
    anHourPasses(server, old!.id);
    const retired = await retire(server, old!.id);
    assert.equal(retired.code, 0, retired.err);
    await sleep(1500);
    load.over = true;
    await calling;
    assert.deepEqual(refused, []);
    assert.ok(asked.old > 10 && asked.next > 10);
    const late = await server.post({ client_id: server.clientId, client_secret: server.clientSecret });
    assert.equal(late.status, 403, 'the old secret is good no longer');
    await server.stop();
  });
});

function retire(server: TestServer, id: string, ...options: string[]): ReturnType<typeof mintmark> {
  return mintmark(['credential', 'retire', id, ...options], { env: { MINTMARK_DATA_DIR: server.dataDir } });
}

/** Without a use of the credential. */
function anHourPasses({ dataDir }: TestServer, credentialId: string): void {
  const earlier = 'update credential_usage set last_used_at = last_used_at - 3600000 where credential_id = ?';
  sqlOn(join(dataDir, 'mintmark.db'), earlier, credentialId);
}

async function rotateByCommand(server: TestServer): Promise<void> {
  const env = { ...SCHEDULE, MINTMARK_DATA_DIR: server.dataDir };
  const { code, err } = await mintmark(['signing-key', 'rotate'], { env });
  assert.equal(code, 0, err);
}

/** Those whose last token has expired are out of the key set; those with a token that is good are in it. */
async function retiredKeysAreGone(server: TestServer, signedBy: Map<string, number>): Promise<void> {
  const response = await fetch(`${server.url}/.well-known/jwks.json`);
  const { keys } = (await response.json()) as JSONWebKeySet;
  const published = new Set(keys.map((key) => key.kid));
  const now = Date.now() / 1000;
  const roundedUpAndMaxAge = 2 + 1;
  const gone = Array.from(signedBy).filter(([, exp]) => exp + roundedUpAndMaxAge < now);
  assert.ok(gone.length > 0, 'the first key was retired long enough ago');
  for (const [kid] of gone) assert.ok(!published.has(kid), 'its last token has expired');
  for (const [kid, exp] of signedBy) if (exp > now) assert.ok(published.has(kid), 'it has good tokens');
}
