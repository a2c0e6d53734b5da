import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import type { Client } from '../../src/client.ts';
import { newKeyClient, RESOURCE, SCOPES, type Subject } from './subject.ts';

interface Created {
  client_id: string;
  client_secret: string;
}

/** Mintmark with its own limits raised: a run makes more failed attempts than a client in use. */
export async function startMintmark(): Promise<Subject> {
  const server = await startServer({
    env: { MINTMARK_FAILURE_LIMIT: '1000', MINTMARK_API_USER_LIMIT: '10000' },
  });
  const { url } = server;
  const client = await createClient(server, [...SCOPES, 'mintmark:introspect', 'mintmark:read']);
  const otherClient = await createClient(server, SCOPES);
  const keyUser = await createClient(server, SCOPES);
  const keyClient = newKeyClient(keyUser.id);
  await registerKey(server, keyUser.id, keyClient.publicJwk);
  return {
    name: 'Mintmark',
    version: readVersion(),
    target: {
      url,
      client,
      otherClient,
      keyClient,
      scopes: SCOPES,
      resource: RESOURCE,
      protectedUrl: `${url}/admin/v1/api-users`,
    },
    deviations: MINTMARK_DEVIATIONS,
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  };
}

/** Its tokens are for the admin API unless the request names another audience. */
async function createClient(server: TestServer, scopes: readonly string[]): Promise<Client> {
  const created = await server.json<Created>(
    'api-user',
    'create',
    '--name',
    'conformance',
    ...[server.url, RESOURCE].flatMap((audience) => ['--audience', audience]),
    ...scopes.flatMap((scope) => ['--scope', scope]),
  );
  server.noteSecret(created.client_secret);
  return { id: created.client_id, secret: created.client_secret };
}

async function registerKey(server: TestServer, clientId: string, jwk: object): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-conformance-'));
  const file = join(folder, 'key.json');
  writeFileSync(file, JSON.stringify(jwk));
  await server.cli('credential', 'create', clientId, '--public-key', file);
  rmSync(folder, { recursive: true });
}

function readVersion(): string {
  const manifest = new URL('../../../server/package.json', import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

/** The platform's own contract requires these (docs/AuthenticationApi.md). */
export const MINTMARK_DEVIATIONS: Subject['deviations'] = [
  {
    check: 'token-grant-type-missing',
    seen: 'The status is 200',
    reason: 'The reference of the API says that grant_type is optional, with client_credentials as default.',
  },
  {
    check: 'client-wrong-form-status',
    seen: 'The status is 403',
    reason: 'The reference of the API answers wrong credentials in the form with 403.',
  },
];
