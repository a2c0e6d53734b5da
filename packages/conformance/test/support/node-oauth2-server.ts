import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text as readText } from 'node:stream/consumers';
import OAuth2Server from '@node-oauth/oauth2-server';
import { SCOPES, served, versionOf, type Subject } from './subject.ts';

const CLIENT = { id: 'importer', secret: 'a-secret-for-this-test-alone' };
const OTHER_CLIENT = { id: 'exporter', secret: 'another-secret-for-this-test' };

/** node-oauth2-server, which is a library, behind node:http as its documentation shows it behind Express. */
export async function startNodeOauth2Server(): Promise<Subject> {
  const tokens = new Map<string, OAuth2Server.Token>();
  const server = new OAuth2Server({ model: createModel(tokens) });
  const { url, close } = await served(() => (request, response) => void respond(server, request, response));
  return {
    name: 'node-oauth2-server',
    version: versionOf('@node-oauth/oauth2-server'),
    target: {
      url,
      client: CLIENT,
      otherClient: OTHER_CLIENT,
      scopes: SCOPES,
      resource: 'none',
      keyClient: 'none',
      protectedUrl: `${url}/protected`,
    },
    deviations: [],
    [Symbol.asyncDispose]: close,
  };
}

function createModel(tokens: Map<string, OAuth2Server.Token>): OAuth2Server.ClientCredentialsModel {
  return {
    getClient(id, secret) {
      const client = [CLIENT, OTHER_CLIENT].find((each) => each.id === id && each.secret === secret);
      return Promise.resolve(client && { id, grants: ['client_credentials'] });
    },
    getUserFromClient: ({ id }) => Promise.resolve({ id }),
    validateScope(_user, _client, scope) {
      const isKnown = (scope ?? []).every((each) => SCOPES.includes(each));
      return Promise.resolve(isKnown ? (scope ?? [...SCOPES]) : false);
    },
    generateAccessToken: () => Promise.resolve(randomUUID()),
    saveToken(token, client, user) {
      const saved = { ...token, client, user };
      tokens.set(token.accessToken, saved);
      return Promise.resolve(saved);
    },
    getAccessToken: (token) => Promise.resolve(tokens.get(token)),
  };
}

async function respond(
  server: OAuth2Server,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = 'GET', headers } = message;
  const url = new URL(message.url ?? '/', 'http://localhost');
  // As express.urlencoded reads it: a parameter that occurs twice is a list.
  const body: Record<string, unknown> = {};
  for (const [name, value] of new URLSearchParams(await readText(message)))
    body[name] = body[name] === undefined ? value : [body[name], value].flat();
  const query = Object.fromEntries(url.searchParams);
  const request = new OAuth2Server.Request({
    method,
    headers: headers as Record<string, string>,
    query,
    body,
  });
  const answer = new OAuth2Server.Response();
  try {
    if (url.pathname === '/token') await server.token(request, answer);
    else if (url.pathname === '/protected') await server.authenticate(request, answer);
    else answer.status = 404;
  } catch (error) {
    const { code, name } = error as OAuth2Server.OAuthError;
    answer.status = code;
    answer.body ??= { error: name };
  }
  response.writeHead(answer.status ?? 200, { 'Content-Type': 'application/json', ...answer.headers });
  response.end(JSON.stringify(answer.body ?? {}));
}
