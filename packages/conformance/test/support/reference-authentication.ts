// How the reference server authenticates a client.
import type { Form } from '../../src/client.ts';
import { ASSERTION_TYPE } from '../../src/client.ts';
import { publicKeyOf, publicText } from '../../src/jwk.ts';
import { isSignedBy, macJwt, parseJwt, type Jwt } from '../../src/jwt.ts';
import {
  errorAnswer,
  seconds,
  type Answer,
  type ReferenceClient,
  type Request,
  type World,
} from './reference-world.ts';

const CHALLENGE = 'Basic realm="reference", charset="UTF-8"';

/** The client, or the refusal. */
export function authenticate(world: World, request: Request, form: Form): ReferenceClient | Answer {
  const { breaks, clients } = world;
  const { authorization } = request.headers;
  const isBasic = (breaks('http-scheme-case') ? /^Basic / : /^basic /i).test(authorization ?? '');
  const methods = [isBasic, form['client_secret'] !== undefined, form['client_assertion'] !== undefined];
  const hasTwo = methods.filter(Boolean).length > 1;
  const acceptsTwo =
    breaks('client-two-methods') ||
    (breaks('assertion-two-methods') && form['client_assertion'] !== undefined);
  if (hasTwo && !acceptsTwo) return errorAnswer(400, 'invalid_request');
  if (isBasic) return byBasic(world, authorization?.slice('Basic '.length) ?? '');
  if (authorization !== undefined) {
    if (breaks('client-unknown-scheme')) return clients[0] ?? refusal(world, true);
    return refusal(world, true);
  }
  if (form['client_assertion'] !== undefined) return byAssertion(world, form);
  if (form['client_id'] === undefined) {
    return breaks('client-no-credentials') ? (clients[0] ?? refusal(world, false)) : refusal(world, false);
  }
  return byForm(world, form['client_id'], form['client_secret']);
}

function byBasic(world: World, encoded: string): ReferenceClient | Answer {
  const { breaks, clients } = world;
  if (breaks('client-basic')) return refusal(world, true);
  if (!/^[A-Za-z0-9+/]+=*$/.test(encoded) && breaks('client-basic-malformed'))
    return errorAnswer(500, 'server_error');
  const [id = '', secret = ''] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  const decoded = (text: string) =>
    breaks('client-basic-decoding') ? text : decodeURIComponent(text.replaceAll('+', ' '));
  const client = clients.find((each) => each.id === decoded(id));
  if (client === undefined && breaks('client-unknown')) return errorAnswer(400, 'invalid_request');
  if (client?.secret !== undefined && client.secret === decoded(secret)) return client;
  return refusal(world, true);
}

function byForm(world: World, id: string, secret: string | undefined): ReferenceClient | Answer {
  const { breaks } = world;
  const client = world.clients.find((each) => each.id === id);
  if (client === undefined || breaks('client-form')) return refusal(world, false);
  if (secret === undefined && breaks('client-id-alone')) return client;
  if (secret === '' && breaks('client-secret-empty')) return client;
  return client.secret === secret ? client : refusal(world, false);
}

function refusal({ breaks }: World, isBasic: boolean): Answer {
  if (isBasic) {
    if (breaks('client-wrong-basic-status')) return errorAnswer(400, 'invalid_client');
    if (breaks('client-wrong-basic-challenge')) return errorAnswer(401, 'invalid_client');
    const scheme = breaks('client-wrong-basic-challenge/scheme') ? 'Bearer realm="reference"' : CHALLENGE;
    const challenge = breaks('client-basic-realm') ? 'Basic charset="UTF-8"' : scheme;
    return errorAnswer(401, 'invalid_client', { 'WWW-Authenticate': challenge });
  }
  if (breaks('client-wrong-form-status')) return errorAnswer(403, 'invalid_client');
  if (breaks('client-401-challenge')) return errorAnswer(401, 'invalid_client');
  const error = breaks('client-wrong-form-error') ? 'access_denied' : 'invalid_client';
  return errorAnswer(401, error, { 'WWW-Authenticate': CHALLENGE });
}

/** A client by its assertion (RFC 7523 §3). */
function byAssertion(world: World, form: Form): ReferenceClient | Answer {
  const { breaks } = world;
  const refused = errorAnswer(401, breaks('assertion-error') ? 'invalid_grant' : 'invalid_client', {
    'WWW-Authenticate': CHALLENGE,
  });
  if (breaks('assertion-accepted')) return refused;
  if (form['client_assertion_type'] !== ASSERTION_TYPE && !breaks('assertion-type-unknown')) return refused;
  const client = world.clients.find(({ jwk }) => jwk !== null);
  if (client === undefined) return refused;
  const jwt = parseJwt(form['client_assertion'] ?? '');
  if (jwt === null) return breaks('assertion-malformed') ? client : refused;
  const hasClientId = form['client_id'] !== undefined;
  if (hasClientId && breaks('assertion-client-id')) return errorAnswer(400, 'invalid_request');
  const isOtherClient = hasClientId && form['client_id'] !== client.id;
  if (isOtherClient && !breaks('assertion-other-client-id')) return refused;
  const isRight = hasRightClaims(world, client, jwt) && hasRightSignature(world, client, jwt);
  if (!isRight) return refused;
  const jti = String(jwt.claims['jti']);
  if (world.usedAssertions.has(jti) && !breaks('assertion-replay')) return refused;
  world.usedAssertions.add(jti);
  return client;
}

function hasRightClaims({ breaks, issuer }: World, client: ReferenceClient, { claims }: Jwt): boolean {
  const { iss, sub, aud, exp, nbf } = claims;
  const isId = (value: unknown, name: string) =>
    value === client.id || breaks(`assertion-${name}-${value === undefined ? 'missing' : 'other'}`);
  const isHere = aud === issuer || breaks(`assertion-aud-${aud === undefined ? 'missing' : 'other'}`);
  const isLive =
    typeof exp === 'number'
      ? exp > seconds() || breaks('assertion-expired')
      : breaks('assertion-exp-missing');
  const hasBegun = typeof nbf !== 'number' || nbf <= seconds() || breaks('assertion-too-early');
  return isId(iss, 'iss') && isId(sub, 'sub') && isHere && isLive && hasBegun;
}

function hasRightSignature({ breaks }: World, { jwk }: ReferenceClient, jwt: Jwt): boolean {
  if (jwk === null) return false;
  const { alg, jwk: embedded } = jwt.header;
  if (alg === 'none') return breaks('assertion-unsigned');
  if (alg === 'HS256') {
    const key = publicKeyOf(jwk);
    const isMac = key !== null && macJwt(publicText(key), jwt.claims, jwt.header) === jwt.token;
    return isMac && breaks('assertion-confused-algorithm');
  }
  if (embedded !== undefined && breaks('assertion-embedded-key')) return true;
  return isSignedBy(jwt, jwk) || (embedded === undefined && breaks('assertion-changed-signature'));
}
