// Servers by several authors, set up so that every check that applies to them can run.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KeyClient } from '../../src/client.ts';
import type { Deviation } from '../../src/deviation.ts';
import type { TargetOptions } from '../../src/target.ts';

/** A running server, and what a person would tell the command about it. */
export interface Subject extends AsyncDisposable {
  name: string;
  version: string;
  target: TargetOptions;
  deviations: readonly Deviation[];
}

export const SCOPES: readonly string[] = ['campaigns:read', 'campaigns:write'];
export const RESOURCE = 'https://api.example.com';

/** A client with a new P-256 key. */
export function newKeyClient(id: string): KeyClient & { publicJwk: object } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = randomUUID();
  return {
    id,
    signer: { algorithm: 'ES256', key: privateKey, kid },
    publicJwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' },
  };
}

/** The version of an installed package. */
export function versionOf(name: string): string {
  const manifest = new URL(`../../../../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

export async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Answers on a free port; the handler may need the URL. */
export async function served(
  createHandler: (url: string) => RequestListener,
): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer();
  const url = await listening(server);
  server.on('request', createHandler(url));
  return {
    url,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
