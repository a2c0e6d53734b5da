// Introspection, revocation, and a protected URL of the reference server.
import type { Form } from '../../src/client.ts';
import { publicKeyOf, publicText } from '../../src/jwk.ts';
import { isSignedBy, macJwt, parseJwt, type Jwt } from '../../src/jwt.ts';
import { authenticate } from './reference-authentication.ts';
import { errorAnswer, seconds, SIGNING, type Answer, type Request, type World } from './reference-world.ts';

/** The token, if it is valid; `at`: the prefix of the rules about forgeries at this place. */
function validToken(world: World, at: 'introspection' | 'bearer', token: string): Jwt | null {
  const jwt = parseJwt(token);
  if (jwt === null || !isSigned(world, at, jwt)) return null;
  const { exp, jti } = jwt.claims;
  const isRevoked = world.revoked.has(String(jti)) && !world.breaks('introspection-revoked');
  return typeof exp === 'number' && exp > seconds() && !isRevoked ? jwt : null;
}

function isSigned({ breaks }: World, at: 'introspection' | 'bearer', jwt: Jwt): boolean {
  const { alg, jwk } = jwt.header;
  if (alg === 'none') return breaks(`${at}-forged-none`);
  if (alg === 'HS256') {
    const key = publicKeyOf(SIGNING.jwk);
    const isMac = key !== null && macJwt(publicText(key), jwt.claims, jwt.header) === jwt.token;
    return isMac && breaks(`${at}-forged-confused`);
  }
  if (jwk !== undefined && breaks(`${at}-forged-embedded`)) return true;
  if (breaks(`${at}-forged-changed`) || breaks(`${at}-forged-stranger`)) return true;
  return isSignedBy(jwt, SIGNING.jwk);
}

function readForm({ body }: Request): Form {
  return Object.fromEntries(new URLSearchParams(body));
}

export function introspectionAnswer(world: World, request: Request): Answer {
  const { breaks } = world;
  const isGet = request.method === 'GET';
  if (isGet && !breaks('introspection-get')) return errorAnswer(405, 'invalid_request', { Allow: 'POST' });
  const form = isGet ? Object.fromEntries(request.url.searchParams) : readForm(request);
  const client = authenticate(world, request, form);
  if ('status' in client) {
    const isAnonymous = request.headers['authorization'] === undefined;
    const isOpen = breaks('introspection-unauthenticated') && isAnonymous;
    if (breaks('introspection-wrong-secret')) return errorAnswer(400, 'invalid_request');
    if (!isOpen) return client;
  }
  const { token } = form;
  if (token === undefined) {
    return breaks('introspection-token-missing')
      ? { status: 200, body: { active: false } }
      : errorAnswer(400, 'invalid_request');
  }
  const isHidden = form['token_type_hint'] === 'refresh_token' && breaks('introspection-hint');
  const jwt = isHidden ? null : validToken(world, 'introspection', token);
  if (jwt !== null) return activeAnswer(world, jwt);
  if (breaks('introspection-unknown')) return errorAnswer(404, 'invalid_token');
  const details = breaks('introspection-inactive-only') ? { reason: 'unknown' } : {};
  const type = breaks('introspection-json') ? 'text/plain' : 'application/json';
  return { status: 200, headers: { 'Content-Type': type }, body: { active: false, ...details } };
}

function activeAnswer({ breaks }: World, { claims }: Jwt): Answer {
  const body: Record<string, unknown> = {
    active: breaks('introspection-active') ? 'true' : true,
    token_type: 'Bearer',
    ...claims,
  };
  if (breaks('introspection-types')) body['exp'] = String(claims['exp']);
  if (breaks('introspection-claims')) body['exp'] = Number(claims['exp']) + 1;
  if (breaks('introspection-claims/audience')) body['aud'] = 'https://other.example.com';
  if (breaks('introspection-client')) delete body['client_id'];
  return { status: 200, body };
}

export function revocationAnswer(world: World, request: Request): Answer {
  const { breaks } = world;
  const form = readForm(request);
  const client = authenticate(world, request, form);
  if ('status' in client) {
    const isAnonymous = request.headers['authorization'] === undefined;
    if (breaks('revocation-unauthenticated') && isAnonymous) return { status: 200, body: '' };
    return breaks('revocation-wrong-secret') ? errorAnswer(400, 'invalid_request') : client;
  }
  const { token } = form;
  if (token === undefined) {
    return breaks('revocation-token-missing')
      ? { status: 200, body: '' }
      : errorAnswer(400, 'invalid_request');
  }
  const jwt = parseJwt(token);
  if (jwt === null && breaks('revocation-unknown')) return errorAnswer(404, 'invalid_token');
  const jti = String(jwt?.claims['jti']);
  if (world.revoked.has(jti) && breaks('revocation-twice')) return errorAnswer(404, 'invalid_token');
  const isHidden = form['token_type_hint'] === 'refresh_token' && breaks('revocation-hint');
  const isOwn = jwt?.claims['client_id'] === client.id || breaks('revocation-other-client');
  if (isOwn && !isHidden) world.revoked.add(jti);
  if (breaks('revocation-own')) return { status: 503, body: '' };
  return { status: 200, body: '' };
}

export function protectedAnswer(world: World, { url, headers }: Request): Answer {
  const { breaks } = world;
  const { authorization } = headers;
  const inUrl = url.searchParams.get('access_token');
  if (inUrl !== null && breaks('bearer-in-url')) return { status: 200, body: {} };
  if (authorization === undefined) {
    if (breaks('bearer-missing/status')) return { status: 403, body: {} };
    const error = breaks('bearer-missing-no-error') ? ', error="invalid_token"' : '';
    return unauthorized(breaks('bearer-missing') ? null : `Bearer realm="reference"${error}`);
  }
  const scheme = breaks('bearer-scheme-case') ? /^Bearer / : /^bearer /i;
  const token = scheme.test(authorization) ? authorization.slice('Bearer '.length) : '';
  if (!breaks('bearer-header') && validToken(world, 'bearer', token) !== null)
    return { status: 200, body: {} };
  if (breaks('bearer-invalid-status')) return { status: 403, body: {} };
  if (breaks('bearer-invalid-challenge')) return unauthorized(null);
  const error = breaks('bearer-invalid-error') ? 'error="invalid"' : 'error="invalid_token"';
  return unauthorized(`Bearer realm="reference", ${error}`);
}

function unauthorized(challenge: string | null): Answer {
  return {
    status: 401,
    ...(challenge !== null && { headers: { 'WWW-Authenticate': challenge } }),
    body: {},
  };
}
