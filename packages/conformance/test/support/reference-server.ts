// A server that follows every rule, or breaks exactly one of them on purpose: a check that passes on both is worth nothing.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text as readText } from 'node:stream/consumers';
import { isMetadataPath, keySetAnswer, metadataAnswer } from './reference-documents.ts';
import { tokenAnswer } from './reference-token.ts';
import { introspectionAnswer, protectedAnswer, revocationAnswer } from './reference-tokens-in-use.ts';
import type { Answer, Request, World } from './reference-world.ts';
import { listening, newKeyClient, RESOURCE, SCOPES, type Subject } from './subject.ts';

/** Rules that can be broken in more than one way: the id of the check, and the variant. */
export const VARIANTS: readonly string[] = [
  'metadata-issuer-url/http',
  'metadata-endpoints/http',
  'metadata-endpoints/fragment',
  'metadata-signing-algorithms/none',
  'jwt-signature/other-kid',
  'jwt-exp/milliseconds',
  'client-wrong-basic-challenge/scheme',
  'token-grant-type-unknown/accepted',
  'token-scope-unknown/silent',
  'error-json/html',
  'introspection-claims/audience',
  'bearer-missing/status',
  'http-head/content',
];

const KEY_CLIENT = newKeyClient('reference-key-client');
const CLIENTS = [
  { id: 'reference client', secret: 'secret: with+signs &c', jwk: null },
  { id: 'other-client', secret: 'other-secret', jwk: null },
  { id: KEY_CLIENT.id, secret: null, jwk: { ...KEY_CLIENT.publicJwk } },
];

/** `breach`: the id of a check, or one of VARIANTS; null: the server breaks no rule. */
export async function startReferenceServer(breach: string | null): Promise<Subject> {
  const breaks = (rule: string) => rule === breach;
  const server = createServer({ requireHostHeader: !breaks('http-host') });
  const origin = await listening(server);
  const world: World = {
    issuer: `${origin}/auth`,
    breaks,
    clients: CLIENTS,
    revoked: new Set(),
    usedAssertions: new Set(),
  };
  const handle = (request: IncomingMessage, response: ServerResponse) =>
    void respond(world, request, response);
  server.on('request', handle);
  if (breaks('http-expect')) server.on('checkContinue', () => undefined);
  if (breaks('http-two-lengths')) {
    server.on('clientError', (_error, socket) => {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    });
  }
  const [client, otherClient] = CLIENTS.map(({ id, secret }) => ({ id, secret: secret ?? '' }));
  if (client === undefined || otherClient === undefined) throw new Error('no clients');
  return {
    name: 'reference',
    version: '0',
    target: {
      url: world.issuer,
      client,
      otherClient,
      keyClient: KEY_CLIENT,
      scopes: SCOPES,
      resource: RESOURCE,
      protectedUrl: `${origin}/protected`,
    },
    deviations: [],
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function respond(world: World, message: IncomingMessage, response: ServerResponse): Promise<void> {
  const { breaks } = world;
  const method = message.method ?? 'GET';
  const request: Request = {
    method,
    url: new URL(message.url ?? '/', world.issuer),
    headers: message.headers as Request['headers'],
    body: await readText(message),
  };
  const { status, headers = {}, body } = answerTo(world, request);
  if (breaks('http-date')) response.sendDate = false;
  const content = typeof body === 'string' ? body : JSON.stringify(body);
  if (method === 'HEAD' && breaks('http-head/content')) {
    response.socket?.end(`HTTP/1.1 ${status} OK\r\n\r\n${content}`);
    return;
  }
  response.writeHead(method === 'HEAD' && breaks('http-head') ? 404 : status, {
    'Content-Type': 'application/json',
    ...headers,
  });
  response.end(content);
}

function answerTo(world: World, request: Request): Answer {
  const path = request.url.pathname;
  if (isMetadataPath(world, path)) return metadataAnswer(world);
  const answer = ROUTES[path];
  return answer === undefined ? { status: 404, body: {} } : answer(world, request);
}

const ROUTES: Readonly<Record<string, (world: World, request: Request) => Answer>> = {
  '/auth/keys': keySetAnswer,
  '/auth/token': tokenAnswer,
  '/auth/introspect': introspectionAnswer,
  '/auth/revoke': revocationAnswer,
  '/protected': protectedAnswer,
};
