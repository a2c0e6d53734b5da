// What every runtime must be able to do with a real server: a token, its renewal, and its check across a key rotation and
// a revocation. Runs in an empty project, or bundled in a browser or a worker, so it uses nothing but the web platform.
import { Configuration, TokenManager } from '@mintmark/client';
import { AccessTokenError, createVerifier } from '@mintmark/verifier';
import { createProtect } from '@mintmark/verifier/fetch';

const WAIT_MS = 100;
const PATIENCE_MS = 20_000;
const TOKEN_SECONDS = 900;

/**
 * `control` does what an operator does: "rotate" changes the signing key, "revoke" revokes the tokens of the API user.
 * Returns what happened, for a comparison.
 */
export async function journey({ host, clientId, clientSecret, control }) {
  let aheadMs = 0;
  const clock = {
    now: () => Date.now() + aheadMs,
    after(ms, run) {
      const timer = setTimeout(() => run(), ms);
      return () => clearTimeout(timer);
    },
  };
  const manager = new TokenManager(new Configuration({ host, clientId, clientSecret, clock }));
  const verifier = createVerifier({ issuer: host, audience: host, revocations: { pollSeconds: 1 } });

  const tokens = await Promise.all(Array.from({ length: 20 }, () => manager.getToken()));
  const [first] = tokens;
  const verified = await verifier.verify(first);

  // Past most of its life, the token still serves while the next one is fetched.
  aheadMs += TOKEN_SECONDS * 1000 - 120_000;
  const servedOldToken = (await manager.getToken()) === first;
  const second = await until(
    () => manager.getToken(),
    (token) => token !== first,
  );
  // Past its end, a call waits for a new one.
  aheadMs += TOKEN_SECONDS * 1000;
  const third = await manager.getToken();

  await control('rotate');
  const rotated = await until(
    () => newToken(manager),
    (token) => keyOf(token) !== keyOf(first),
  );
  const byNewKey = await verifier.verify(rotated);
  const byOldKey = await verifier.verify(second);

  await control('revoke');
  const refused = await until(
    () => reasonOf(verifier, rotated),
    (reason) => reason !== 'accepted',
  );
  // A route of an API refuses the revoked token, and the client sends a new one.
  const statuses = [];
  const route = createProtect(verifier)({}, (_, caller) => new Response(caller.clientId));
  const api = manager.withToken(async (...call) => {
    const response = await route(new Request(...call));
    statuses.push(response.status);
    return response;
  });
  const answer = await until(
    async () => (await api(`${host}/api`)).text(),
    (text) => text === clientId,
  );

  return {
    oneRequestForAll: new Set(tokens).size === 1,
    verified: verified.clientId === clientId,
    servedOldToken,
    renewed: new Set([first, second, third]).size === 3,
    rotation: [byNewKey.clientId === clientId, byOldKey.clientId === clientId],
    malformed: await reasonOf(verifier, 'x.y.z'),
    refused,
    replayed: statuses[0] === 401 && statuses.at(-1) === 200 && answer === clientId,
  };
}

async function newToken(manager) {
  manager.invalidate(await manager.getToken());
  return manager.getToken();
}

/** The name of the key that signed a token. */
function keyOf(token) {
  return JSON.parse(atob(token.split('.')[0].replaceAll('-', '+').replaceAll('_', '/'))).kid;
}

async function reasonOf(verifier, token) {
  try {
    await verifier.verify(token);
    return 'accepted';
  } catch (error) {
    if (error instanceof AccessTokenError) return error.reason;
    throw error;
  }
}

/** Repeats until the result is as it should be. */
async function until(step, isDone) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const result = await step();
    if (isDone(result)) return result;
    if (Date.now() > deadline) throw new Error(`It took too long: ${step}`);
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  }
}
