import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  assertionForm,
  newSigner,
  trustRule,
  userWith,
  workloadClaims,
} from '@mintmark/test-support/assertions';
import { eventually } from '@mintmark/test-support/eventually';
import { startServer } from '@mintmark/test-support/server';
import { temporaryStore } from '@mintmark/test-support/temporary-store';
import { certificate, DISCOVERY, startIssuer } from '../runtime/issuer.ts';

interface Created {
  client_id: string;
  client_secret: string;
}

test('strangers who name a slow issuer stop no caller with a secret', async () => {
  const tls = certificate('localhost');
  await using issuer = await startIssuer(tls);
  await using opened = await temporaryStore();
  issuer.handlers.set(DISCOVERY, () => undefined);
  const signer = await newSigner();
  await userWith(opened.store, trustRule(signer, { issuer: issuer.url, keys: { from: 'discovery' } }));
  const env = { MINTMARK_PRIVATE_KEY_HOSTS: `localhost=${tls.caFile}`, MINTMARK_IN_FLIGHT_MAX: '20' };
  await using server = await startServer({ dataDir: opened.dataDir, env });
  const { client_id: id, client_secret: secret } = await server.json<Created>(
    'api-user',
    'create',
    '--name',
    'With a secret',
  );
  await eventually(() => assert.ok(issuer.requests.length > 0));
  const token = await signer.sign(workloadClaims({ iss: issuer.url }));
  const strangers = Array.from({ length: 200 }, (_, n) =>
    server.post(assertionForm(token, { client_id: `api_${n}` })).catch(() => null),
  );
  const statuses: number[] = [];
  for (let i = 0; i < 10; i++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    statuses.push((await server.post({ client_id: id, client_secret: secret })).status);
  }
  assert.deepEqual(new Set(statuses), new Set([200]), statuses.join(' '));
  await Promise.all(strangers);
});
