// The promise of the package: an import outlives its tokens, whatever happens on the way. Tokens come from the real
// server, through a proxy that harms some of the requests; the items go to an API that harms some as well. The client's
// clock runs fast, so that 50 lives of a token pass in seconds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServer } from '@mintmark/test-support/server';
import { Configuration, TokenManager } from '../src/index.ts';
import type { ClientEvent } from '../src/index.ts';
import { fastClock } from './support/fast-clock.ts';
import type { Answer } from './support/fault-server.ts';
import { halfBody, json, plain, problem, reset, startFaultServer } from './support/fault-server.ts';

const LIFE_S = 10;
const EXPIRIES = 50;
const FACTOR = 25;
const ITEMS_MIN = 1000;

/** One of the answers, in turns that a seed decides. */
function dice(seed: number): (chance: number) => boolean {
  let state = seed;
  return (chance) => {
    // A linear congruential generator (Numerical Recipes): the same faults in every run.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 < chance;
  };
}

test('an import across 50 expiries and a restart delivers every item once', async () => {
  const clock = fastClock(FACTOR);
  await using server = await startServer({
    env: {
      MINTMARK_TOKEN_LIFE: String(LIFE_S),
      MINTMARK_API_USER_LIMIT: '100000',
      MINTMARK_ADDRESS_LIMIT: '100000',
    },
  });
  let upstream = server;
  const harm = dice(7);
  /** Each token with the instants of its issue and its end. */
  const lives = new Map<string, { from: number; to: number }>();

  const forward: Answer = (response, request) => {
    const sentAt = clock.now();
    void (async () => {
      const { status, body } = await upstream.post(request.body);
      if (typeof body['access_token'] === 'string') {
        lives.set(body['access_token'], { from: sentAt, to: sentAt + Number(body['expires_in']) * 1000 });
      }
      json(status, body)(response);
    })().catch(() => response.destroy());
  };
  const tokenFaults = [
    reset,
    halfBody,
    problem(500, 'server_error'),
    problem(429, 'rate_limit_exceeded', { 'retry-after': '1' }),
    plain(503, '<html>busy</html>'),
  ];
  let fault = 0;
  await using proxy = await startFaultServer((...args) =>
    (harm(0.3) ? tokenFaults[fault++ % tokenFaults.length]! : forward)(...args),
  );

  const delivered = new Map<string, number>();
  const keys = new Set<string>();
  let expired = 0;
  const refused = plain(401, '{}', { 'www-authenticate': 'Bearer error="invalid_token"' });
  const deliver = (item: string) => {
    // As an API with idempotent writes does: the second of two equal requests has no further effect.
    if (keys.has(item)) return;
    keys.add(item);
    delivered.set(item, (delivered.get(item) ?? 0) + 1);
  };
  await using api = await startFaultServer((response, request, raw) => {
    const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
    const life = lives.get(token);
    if (!life) return problem(400, 'no_token_of_ours')(response, request, raw);
    // Revoked in the middle of its life; a token that was just issued is not.
    if (clock.now() - life.from > 3000 && harm(0.02)) return refused(response, request, raw);
    if (harm(0.02))
      return problem(429, 'rate_limit_exceeded', { 'retry-after': '1' })(response, request, raw);
    if (harm(0.02)) return problem(500, 'server_error')(response, request, raw);
    if (harm(0.02)) return reset(response, request, raw);
    deliver(request.body);
    if (harm(0.02)) return reset(response, request, raw);
    json(200, {})(response);
  });

  const events: ClientEvent[] = [];
  const manager = new TokenManager(
    new Configuration({
      host: `${proxy.origin}/marketing`,
      clientId: server.clientId,
      clientSecret: server.clientSecret,
      clock,
      retry: { attempts: 1000, deadlineMs: 1_000_000, maxDelayMs: 5000 },
      onEvent: (event) => events.push(event),
    }),
  );
  // What is sent is looked at when it is sent: on its way here, the fast clock would run on.
  const sending = manager.withToken((input, init) => {
    const token = new Headers(init?.headers).get('authorization')?.replace('Bearer ', '') ?? '';
    if ((lives.get(token)?.to ?? 0) <= clock.now()) expired += 1;
    return fetch(input, init);
  });

  // Until it has seen what it is about: on a busy machine the restart alone lasts for many lives of the fast clock.
  const renewed = () => events.filter(({ type }) => type === 'renewal').length;
  const deadline = clock.now() + 5 * EXPIRIES * LIFE_S * 1000;
  const goOn = () => (renewed() < EXPIRIES || items <= ITEMS_MIN) && clock.now() < deadline;
  let items = 0;
  let restarted: Promise<void> | undefined;
  const restart = async () => {
    await server.stop();
    upstream = await startServer({
      dataDir: server.dataDir,
      port: server.port,
      env: { MINTMARK_TOKEN_LIFE: String(LIFE_S) },
    });
  };
  const worker = async () => {
    while (goOn()) {
      const item = `item-${items++}`;
      const response = await sending(`${api.origin}/items/${item}`, { method: 'PUT', body: item });
      assert.equal(response.status, 200);
      if (items > 500) restarted ??= restart();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  await restarted;
  await upstream.stop();

  const failed = events.filter((event) => event.type === 'retry').length;
  assert.ok(restarted, 'the server was restarted');
  assert.ok(items > ITEMS_MIN, `${items} items`);
  assert.ok(renewed() >= EXPIRIES, `${renewed()} renewals`);
  assert.ok(failed > 50, `${failed} faults`);
  assert.equal(expired, 0, 'calls sent with an expired token');
  assert.equal(delivered.size, items);
  assert.ok([...delivered.values()].every((times) => times === 1));
});
