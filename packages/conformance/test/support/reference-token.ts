// The token endpoint of the reference server.
import { randomUUID } from 'node:crypto';
import type { Form } from '../../src/client.ts';
import { signJwt, unsignedJwt, macJwt } from '../../src/jwt.ts';
import { authenticate } from './reference-authentication.ts';
import {
  errorAnswer,
  seconds,
  SIGNING,
  TOKEN_SECONDS,
  type Answer,
  type ReferenceClient,
  type Request,
  type World,
} from './reference-world.ts';
import { RESOURCE, SCOPES } from './subject.ts';

export function tokenAnswer(world: World, request: Request): Answer {
  const { breaks } = world;
  if (request.method !== 'POST') {
    if (request.method === 'GET' && request.url.search !== '' && breaks('token-get'))
      return issue(world, firstClient(world), {});
    if (breaks('http-method') && request.method === 'DELETE') return errorAnswer(404, 'not_found');
    const headers = breaks('http-allow') ? {} : { Allow: 'POST' };
    return errorAnswer(405, 'invalid_request', headers);
  }
  const wrongMessage = messageProblem(world, request);
  if (wrongMessage !== null) return wrongMessage;
  const form = readForm(world, request);
  if (form === null) return requestError(world, 'invalid_request');
  if (breaks('token-issued')) return errorAnswer(400, 'invalid_grant');
  const client = authenticate(world, request, form);
  if ('status' in client) return client;
  return grantTypeProblem(world, client, form) ?? issue(world, client, form);
}

function firstClient({ clients }: World): ReferenceClient {
  return clients[0] ?? { id: 'none', secret: null, jwk: null };
}

function messageProblem({ breaks }: World, { headers }: Request): Answer | null {
  const type = headers['content-type'] ?? '';
  const [mediaType = ''] = type.split(';', 1);
  const name = breaks('http-media-type-case') ? mediaType : mediaType.toLowerCase();
  const isForm = name.trim() === 'application/x-www-form-urlencoded';
  if (!isForm || (type.includes(';') && breaks('http-media-type-parameter')))
    return errorAnswer(400, 'invalid_request');
  if (headers['content-length'] === undefined && breaks('http-chunked'))
    return errorAnswer(411, 'invalid_request');
  return null;
}

/** Null for a form with a parameter that occurs twice. */
function readForm({ breaks }: World, { body, url }: Request): Form | null {
  const form: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(body)) {
    if (form[name] !== undefined && !breaks('token-parameter-twice')) return null;
    const isEmpty = value === '' && !breaks('token-parameter-empty') && name !== 'client_secret';
    if (!isEmpty) form[name] = value;
  }
  const query = breaks('token-credentials-in-url') ? Object.fromEntries(url.searchParams) : {};
  return { ...query, ...form };
}

function grantTypeProblem(world: World, client: ReferenceClient, form: Form): Answer | null {
  const { breaks } = world;
  if (form['mintmark_conformance'] === 'unknown' && breaks('token-parameter-unknown'))
    return errorAnswer(400, 'invalid_request');
  const type = form['grant_type'];
  if (type === 'client_credentials') return null;
  if (type === undefined)
    return breaks('token-grant-type-missing') ? null : requestError(world, 'invalid_request');
  if (type === 'password' && breaks('token-password-grant')) return issue(world, client, {});
  if (breaks('token-grant-type-unknown/accepted')) return null;
  const error = breaks('token-grant-type-unknown') ? 'invalid_request' : 'unsupported_grant_type';
  return requestError(world, error, `There is no grant type ${type}.`);
}

/** An error about anything but credentials. */
function requestError({ breaks }: World, error: string, description = ''): Answer {
  const text = breaks('error-characters') ? description : description.replaceAll(/[^\x20-\x7e]|["\\]/g, '?');
  const body: Record<string, string> = {
    error,
    error_description: text,
    error_uri: breaks('error-uri') ? 'not a URI' : 'https://auth.example.com/errors',
  };
  if (breaks('error-json')) delete body['error'];
  const type = breaks('error-json/html') || breaks('error-no-html') ? 'text/html' : 'application/json';
  return { status: breaks('error-status') ? 200 : 400, headers: { 'Content-Type': type }, body };
}

function issue(world: World, client: ReferenceClient, form: Form): Answer {
  const { breaks } = world;
  const audience = audienceOf(world, form['resource']);
  if (audience === null) return requestError(world, 'invalid_target');
  const scopes = scopesOf(world, form['scope']);
  if (scopes === null) return requestError(world, 'invalid_scope', `There is no scope ${form['scope']}.`);
  const isNarrowed = form['scope'] !== undefined && breaks('token-scope-narrowed');
  const scope = scopes.join(' ');
  const token = accessToken(world, client, { audience, scope: isNarrowed ? SCOPES.join(' ') : scope, form });
  const body: Record<string, unknown> = {
    access_token: breaks('response-bearer-characters') ? `${token} ` : token,
    token_type: 'Bearer',
    expires_in: breaks('response-expires-in-number') ? String(TOKEN_SECONDS) : TOKEN_SECONDS,
    scope,
  };
  if (breaks('response-token-type')) delete body['token_type'];
  if (breaks('response-expires-in')) delete body['expires_in'];
  if (breaks('token-scope-default') && form['scope'] === undefined) delete body['scope'];
  if (breaks('token-scope-unknown/silent') && form['scope'] !== undefined) delete body['scope'];
  if (breaks('response-no-refresh-token')) body['refresh_token'] = 'a-refresh-token';
  const headers = {
    'Content-Type': breaks('response-json') ? 'text/plain' : 'application/json',
    ...(!breaks('response-no-store') && { 'Cache-Control': 'no-store' }),
    ...(!breaks('response-pragma') && { Pragma: 'no-cache' }),
  };
  return { status: 200, headers, body };
}

/** Null for a scope that the client may not have. */
function scopesOf({ breaks }: World, requested: string | undefined): readonly string[] | null {
  if (requested === undefined) return SCOPES;
  const scopes = requested.split(' ');
  const isOdd = requested.includes('"');
  if (isOdd && breaks('token-scope-malformed')) return scopes;
  if (breaks('token-scope-unknown') && !isOdd) return scopes;
  if (breaks('token-scope-unknown/silent')) return SCOPES;
  if (breaks('token-scope-case')) return scopes.map((scope) => scope.toLowerCase());
  if (breaks('token-scope-order') && scopes.length > 1 && scopes[0] !== SCOPES[0]) return null;
  return scopes.every((scope) => SCOPES.includes(scope)) ? scopes : null;
}

/** Null for an API that the server does not know. */
function audienceOf({ breaks, issuer }: World, resource: string | undefined): string | null {
  if (resource === undefined) return issuer;
  if (resource === RESOURCE) return breaks('resource-granted') ? issuer : resource;
  const isRelative = !URL.canParse(resource);
  if (isRelative) return breaks('resource-relative') ? issuer : null;
  if (resource.includes('#')) return breaks('resource-fragment') ? RESOURCE : null;
  return breaks('resource-unknown') ? resource : null;
}

interface Grant {
  audience: string;
  scope: string;
  form: Form;
}

function accessToken(world: World, client: ReferenceClient, { audience, scope, form }: Grant): string {
  const { breaks } = world;
  const claims: Record<string, unknown> = {
    iss: breaks('jwt-iss') ? 'https://other.example.com' : world.issuer,
    sub: breaks('jwt-sub-client') ? 'somebody' : client.id,
    client_id: breaks('jwt-client-id') ? 'another' : client.id,
    aud: audience,
    iat: seconds() - (breaks('jwt-iat') ? 86_400 : 0) + (breaks('jwt-whole-seconds') ? 0.5 : 0),
    exp: expiry(breaks),
    jti: breaks('jwt-jti') ? 'always-the-same' : randomUUID(),
    scope,
    ...(breaks('jwt-numbers') && { nbf: '0' }),
  };
  if (breaks('jwt-iat')) claims['exp'] = Number(claims['iat']) + TOKEN_SECONDS;
  if (breaks('jwt-aud')) delete claims['aud'];
  if (breaks('jwt-sub')) delete claims['sub'];
  if (breaks('jwt-scope') && form['scope'] !== undefined) delete claims['scope'];
  const header = { typ: breaks('jwt-type') ? 'JWT' : 'at+jwt' };
  if (breaks('jwt-signed')) return unsignedJwt(claims, header);
  if (breaks('jwt-asymmetric')) return macJwt('a-secret-of-the-server', claims, header);
  return signJwt({ algorithm: 'ES256', key: SIGNING.privateKey, kid: 'signing' }, claims, header);
}

function expiry(breaks: World['breaks']): number {
  if (breaks('jwt-exp')) return seconds() - 3600;
  if (breaks('jwt-exp/milliseconds')) return Date.now() + TOKEN_SECONDS * 1000;
  return seconds() + (breaks('jwt-life') ? TOKEN_SECONDS / 3 : TOKEN_SECONDS);
}
