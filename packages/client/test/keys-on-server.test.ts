// Keys on Mintmark itself.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { mintmark, startServer, type TestServer } from '@mintmark/test-support/server';
import { AuthenticationApi, Configuration, ForbiddenException } from '../src/index.ts';
import { privateKey } from '../src/key.ts';

let server: TestServer;
let directory: string;
before(async () => {
  server = await startServer();
  directory = await mkdtemp(join(tmpdir(), 'mintmark-keys-'));
});
after(async () => {
  await rm(directory, { recursive: true });
  await server[Symbol.asyncDispose]();
});

/** Registers the public half of a new key. Returns the private half as PEM. */
async function registerKey(clientId: string): Promise<string> {
  const { publicKey, privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const path = join(directory, 'public.pem');
  await writeFile(path, publicKey.export({ type: 'spki', format: 'pem' }));
  const { code, err } = await mintmark(['credential', 'create', clientId, '--public-key', path], {
    env: { MINTMARK_DATA_DIR: server.dataDir },
  });
  assert.equal(code, 0, err);
  await new Promise((resolve) => setTimeout(resolve, 500));
  return key.export({ type: 'pkcs8', format: 'pem' });
}

function apiWith(clientId: string, key: string, audience?: string): AuthenticationApi {
  const clientAuthentication = privateKey({ key, audience });
  return new AuthenticationApi(new Configuration({ host: server.url, clientId, clientAuthentication }));
}

test('a registered key gets a token, another key is refused', async () => {
  const key = await registerKey(server.clientId);
  for (let i = 0; i < 3; i++)
    server.noteSecret((await apiWith(server.clientId, key).oAuth2TokenPost()).access_token);
  const { privateKey: other } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = other.export({ type: 'pkcs8', format: 'pem' });
  await assert.rejects(apiWith(server.clientId, pem).oAuth2TokenPost(), ForbiddenException);
  const elsewhere = apiWith(server.clientId, key, 'https://elsewhere.example');
  await assert.rejects(elsewhere.oAuth2TokenPost(), ForbiddenException);
});
