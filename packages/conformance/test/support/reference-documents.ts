// The metadata and the key set of the reference server.
import type { Jwk } from '../../src/jwk.ts';
import { ENCRYPTION, RSA, SHORT_RSA, SIGNING, type Answer, type World } from './reference-world.ts';

const METADATA = '/.well-known/oauth-authorization-server';

/** Whether the metadata are at this path. */
export function isMetadataPath({ breaks }: World, path: string): boolean {
  if (breaks('metadata-published')) return false;
  return path === (breaks('metadata-path') ? `/auth${METADATA}` : `${METADATA}/auth`);
}

export function metadataAnswer(world: World): Answer {
  const type = world.breaks('metadata-json') ? 'text/plain' : 'application/json';
  return { status: 200, headers: { 'Content-Type': type }, body: metadata(world) };
}

function metadata({ issuer, breaks }: World): Record<string, unknown> {
  const methods = [
    ...(breaks('metadata-auth-methods') ? [] : ['client_secret_basic']),
    'client_secret_post',
    ...(breaks('metadata-asymmetric') ? [] : ['private_key_jwt']),
  ];
  const algorithms = breaks('metadata-signing-algorithms/none') ? ['ES256', 'none'] : ['ES256'];
  const document: Record<string, unknown> = {
    issuer: issuerIn(issuer, breaks),
    token_endpoint: `${issuer}/token${breaks('metadata-endpoints/fragment') ? '#token' : ''}`,
    introspection_endpoint: `${issuer}/introspect`,
    revocation_endpoint: `${issuer}/revoke`,
    jwks_uri: `${issuer}/keys`,
    grant_types_supported: ['client_credentials', ...(breaks('metadata-password-grant') ? ['password'] : [])],
    response_types_supported: breaks('metadata-implicit-grant') ? ['code', 'code token'] : ['code'],
    token_endpoint_auth_methods_supported: methods,
    token_endpoint_auth_signing_alg_values_supported: algorithms,
  };
  if (breaks('metadata-endpoints')) delete document['token_endpoint'];
  if (breaks('metadata-endpoints/http'))
    document['introspection_endpoint'] = 'http://auth.example.com/introspect';
  if (breaks('metadata-response-types')) delete document['response_types_supported'];
  if (breaks('metadata-grant-type')) delete document['grant_types_supported'];
  if (breaks('metadata-empty-lists')) document['scopes_supported'] = [];
  if (breaks('metadata-signing-algorithms'))
    delete document['token_endpoint_auth_signing_alg_values_supported'];
  return document;
}

function issuerIn(issuer: string, breaks: World['breaks']): string {
  if (breaks('metadata-issuer')) return `${issuer}/`;
  if (breaks('metadata-issuer-url/http')) return 'http://auth.example.com/auth';
  return breaks('metadata-issuer-url') ? `${issuer}?tenant=1` : issuer;
}

export function keySetAnswer(world: World): Answer {
  const { breaks } = world;
  const type = breaks('keys-media-type') ? 'text/plain' : 'application/jwk-set+json';
  const body = breaks('keys-published') ? {} : { keys: keys(world) };
  return { status: 200, headers: { 'Content-Type': type }, body };
}

function keys({ breaks }: World): Jwk[] {
  const signing: Record<string, unknown> = {
    ...SIGNING.jwk,
    alg: breaks('jwt-key-algorithm') ? 'ES384' : 'ES256',
  };
  const other: Record<string, unknown> = { ...ENCRYPTION.jwk };
  if (breaks('keys-type')) delete other['kty'];
  if (breaks('keys-public')) other['d'] = 'AQAB';
  if (breaks('keys-usable')) other['x'] = 'AQAB';
  if (breaks('keys-kid-unique')) other['kid'] = 'rsa';
  if (breaks('keys-use')) delete signing['use'];
  if (breaks('jwt-signature')) signing['x'] = SIGNING.jwk['y'];
  if (breaks('jwt-signature/other-kid')) signing['kid'] = 'another';
  return [signing, breaks('keys-rsa-size') ? SHORT_RSA : RSA, other];
}
