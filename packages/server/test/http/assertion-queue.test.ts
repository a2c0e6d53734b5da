// Test setup: alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertionForm, newSigner, ownClaims } from '@mintmark/test-support/assertions';
import { keepAlive } from '@mintmark/test-support/keep-alive';
import { startServer, type TestServer } from '@mintmark/test-support/server';

const ASSERTIONS = 60;

test('a caller with a secret does not wait for assertions sent before', async () => {
  await using server = await startServer();
  const { statuses, before } = await burst(server);
  assert.deepEqual(statuses, [403], 'every assertion gets the one answer');
  assert.ok(before < ASSERTIONS / 2, `${before} assertions were answered before`);
});

test('assertions get 503 when too many wait, and secrets pass', async () => {
  await using server = await startServer({ env: { MINTMARK_TEST_ASSERTIONS_WAITING_MAX: '5' } });
  const { statuses } = await burst(server);
  assert.deepEqual(statuses, [403, 503]);
  const signer = await newSigner();
  const later = await server.post(assertionForm(await signer.sign(ownClaims('api_later', server.url))));
  assert.equal(later.status, 403, 'a later assertion is checked');
});

/**
 * Sends many wrong assertions and then a secret to a process that is stopped, and lets it continue. Returns
 * the different statuses of the assertions, and how many were answered before the secret.
 */
async function burst(server: TestServer): Promise<{ statuses: number[]; before: number }> {
  const secret = `client_id=${server.clientId}&client_secret=${server.clientSecret}`;
  const signer = await newSigner();
  const wrong = await Promise.all(
    Array.from({ length: ASSERTIONS }, async (_, i) => {
      const assertion = await signer.sign(ownClaims(`api_${i}`, server.url));
      return new URLSearchParams(assertionForm(assertion)).toString();
    }),
  );
  const connections = await Promise.all([...wrong, secret].map(async () => await keepAlive(server.port)));
  for (const connection of connections) assert.equal((await connection.post(secret)).status, 200);

  server.process.kill('SIGSTOP');
  await sleep(100); // until it is
  const order: string[] = [];
  const answers = [...wrong, secret].map(async (form, i) => {
    const answer = await connections[i]?.post(form);
    order.push(form);
    return answer?.status ?? 0;
  });
  await sleep(200);
  server.process.kill('SIGCONT');
  const statuses = await Promise.all(answers);
  for (const connection of connections) connection.close();
  assert.equal(statuses.pop(), 200, 'the secret gets a token');
  return { statuses: Array.from(new Set(statuses)).toSorted((a, b) => a - b), before: order.indexOf(secret) };
}
