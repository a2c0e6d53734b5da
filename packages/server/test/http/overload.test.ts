// Test setup: alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { keepAlive } from '@mintmark/test-support/keep-alive';
import { startServer } from '@mintmark/test-support/server';

const CONNECTIONS = 40;
const IN_FLIGHT_MAX = 2;
/** A turn after a calm one may be so large: BURST_FACTOR of http/admission.ts. */
const BURST = 4 * IN_FLIGHT_MAX;

test('requests beyond the bound get an early 503 and keep their connections', async () => {
  await using server = await startServer({
    env: { MINTMARK_IN_FLIGHT_MAX: String(IN_FLIGHT_MAX), MINTMARK_METRICS_NETWORKS: '127.0.0.1' },
  });
  const form = `client_id=${server.clientId}&client_secret=${server.clientSecret}`;
  const connections = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => await keepAlive(server.port)),
  );
  // One after the other there is no overload. And each connection is accepted now: one that waits for that is read in a
  // later turn than the others.
  for (const connection of connections) assert.equal((await connection.post(form)).status, 200);

  // Stopped, so that all of them are ready when it looks at its connections again.
  server.process.kill('SIGSTOP');
  await sleep(100); // until it is
  const asked = connections.map((connection) => connection.post(form));
  await sleep(200);
  server.process.kill('SIGCONT');
  const answers = await Promise.all(asked);

  const issued = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status }) => status === 503);
  assert.equal(issued.length + refused.length, CONNECTIONS);
  assert.ok(issued.length >= BURST && issued.length < CONNECTIONS / 2, `${issued.length} were issued`);
  for (const { headers, body } of refused) {
    const { error, error_description, trace_id } = JSON.parse(body) as Record<string, string>;
    assert.equal(error, 'temporarily_unavailable');
    assert.match(error_description ?? '', /Retry-After/);
    assert.match(headers, /^retry-after: 1$/im);
    assert.match(headers, /^cache-control: no-store$/im);
    assert.match(headers, /^connection: keep-alive$/im);
    assert.match(headers, new RegExp(`^x-request-id: ${trace_id}$`, 'im'));
  }

  // The same connections go on; and nothing was counted for those refused.
  let headers = '';
  for (const connection of connections) {
    const answer = await connection.post(form);
    assert.equal(answer.status, 200);
    ({ headers } = answer);
  }
  const remaining = Number(/^x-ratelimit-remaining: (\d+)$/im.exec(headers)?.[1]);
  assert.ok(remaining >= 250 - CONNECTIONS - issued.length - CONNECTIONS, `${remaining} calls are left`);

  const metrics = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
  assert.match(
    metrics,
    new RegExp(`mintmark_requests_total\\{endpoint="token",outcome="overloaded"\\} ${refused.length}\n`),
  );
  for (const connection of connections) connection.close();
});
