// Real clients that are given only the issuer, or only the API, and discover the rest: none of them is ours.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import {
  createServer,
  request,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { ConfidentialClientApplication, ProtocolMode } from '@azure/msal-node';
import { ClientCredentialsProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as openid from 'openid-client';
import { protectedResource } from '../../../verifier/src/index.ts';
import { createProtect, metadataHandler } from '../../../verifier/src/node-http.ts';
import { freePort } from '@mintmark/test-support/free-port';
import type { TestServer } from '@mintmark/test-support/server';
import { newStore } from '@mintmark/test-support/store';

const SCOPE = 'campaigns:read';

async function listening(server: Server): Promise<AsyncDisposable & { port: number }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Asserts that the server's tokens verify with what its OpenID document names, as go-oidc does it. */
async function verifiedByDiscovery(server: TestServer, token: string): Promise<void> {
  server.noteSecret(token);
  const response = await fetch(`${server.url}/.well-known/openid-configuration`);
  const document = (await response.json()) as Record<string, unknown>;
  assert.equal(document['issuer'], server.url);
  await jwtVerify(token, createRemoteJWKSet(new URL(document['jwks_uri'] as string)), {
    issuer: server.url,
    algorithms: document['id_token_signing_alg_values_supported'] as string[],
  });
}

/** An MCP server with one tool, behind the verifier. */
function mcpListener(url: string, issuer: string): RequestListener {
  const resource = protectedResource({ resource: url, issuers: [issuer], scopes: [SCOPE] });
  const protect = createProtect({ issuer, audience: url, resourceMetadataUrl: resource.url });
  const metadata = metadataHandler(resource);
  const mcp = protect(
    { scope: SCOPE },
    async (incoming: IncomingMessage, response: ServerResponse, caller) => {
      const server = new McpServer({ name: 'portfolio', version: '1.0.0' });
      server.registerTool('caller', { description: 'Names the API user.' }, () => ({
        content: [{ type: 'text', text: caller.clientId }],
      }));
      const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
      await server.connect(transport);
      await transport.handleRequest(incoming, response);
    },
  );
  return (incoming, response) => {
    if (incoming.url === resource.path) metadata(incoming, response);
    else mcp(incoming, response).catch((error: unknown) => response.destroy(error as Error));
  };
}

test('the MCP SDK discovers the server, gets a token, calls a tool', async () => {
  let listener: RequestListener | undefined;
  await using api = await listening(createServer((...exchange) => listener?.(...exchange)));
  const url = `http://127.0.0.1:${api.port}/mcp`;
  const store = await newStore();
  const user = await store.apiUser('Agent', '--scope', SCOPE, '--audience', url);
  await using server = await store.start();
  listener = mcpListener(url, server.url);
  const authProvider = new ClientCredentialsProvider({
    clientId: user.client_id,
    clientSecret: user.client_secret,
    expectedIssuer: server.url,
  });
  const client = new Client({ name: 'agent', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider }));
  const { content } = await client.callTool({ name: 'caller' });
  assert.deepEqual(content, [{ type: 'text', text: user.client_id }]);
  await client.close();
  await verifiedByDiscovery(server, authProvider.tokens()?.access_token ?? '');
});

for (const algorithm of ['ES256', 'EdDSA', 'RS256']) {
  test(`openid-client finds the OpenID document, and ${algorithm} tokens verify with it`, async () => {
    const store = await newStore();
    const user = await store.apiUser('Importer', '--scope', SCOPE);
    await using server = await store.start({ MINTMARK_SIGNING_ALGORITHM: algorithm });
    const config = await openid.discovery(
      new URL(server.url),
      user.client_id,
      undefined,
      openid.ClientSecretPost(user.client_secret),
      { algorithm: 'oidc', execute: [openid.allowInsecureRequests] },
    );
    const { access_token } = await openid.clientCredentialsGrant(config, { scope: SCOPE });
    await verifiedByDiscovery(server, access_token);
  });
}

/** TLS in front of a server on this machine, as a load balancer does it. */
function tlsProxy(target: number, key: Buffer, cert: Buffer): Server {
  return createTlsServer({ key, cert }, (incoming, response) => {
    const { method, url: path, headers } = incoming;
    const forwarded = request({ host: '127.0.0.1', port: target, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    incoming.pipe(forwarded);
  });
}

function certificate(folder: string): { key: Buffer; cert: Buffer } {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2'];
  const files = ['-keyout', key, '-out', cert];
  execFileSync('openssl', ['req', '-x509', ...curve, ...files, ...names], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

test('MSAL discovers the server behind TLS and gets a token', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-tls-'));
  const trusted = getCACertificates('default');
  try {
    const { key, cert } = certificate(folder);
    setDefaultCACertificates([...trusted, cert.toString()]);
    const port = await freePort();
    await using proxy = await listening(tlsProxy(port, key, cert));
    const authority = `localhost:${proxy.port}`;
    const issuer = `https://${authority}/marketing`;
    const store = await newStore();
    const user = await store.apiUser('Importer', '--scope', SCOPE);
    await using server = await store.start({ MINTMARK_ISSUER: issuer, MINTMARK_PORT: String(port) });
    const msal = new ConfidentialClientApplication({
      auth: {
        clientId: user.client_id,
        clientSecret: user.client_secret,
        authority: issuer,
        knownAuthorities: [authority],
      },
      system: { protocolMode: ProtocolMode.OIDC },
    });
    const result = await msal.acquireTokenByClientCredential({ scopes: [SCOPE] });
    const token = result?.accessToken ?? '';
    server.noteSecret(token);
    const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));
    assert.equal((await jwtVerify(token, keys, { issuer })).payload.sub, user.client_id);
  } finally {
    setDefaultCACertificates(trusted);
    rmSync(folder, { recursive: true, force: true });
  }
});
