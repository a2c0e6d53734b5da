import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config/config.ts';
import {
  AUTHORIZE_PATH,
  INTROSPECT_PATH,
  JWKS_PATH,
  METADATA_PATH,
  OPENID_PATH,
  REVOCATIONS_PATH,
  REVOKE_PATH,
  TOKEN_PATH,
} from '../paths.ts';
import { HEADERS, SCHEMAS } from './openapi-schemas.ts';

/** Serves the OpenAPI 3.1 document of the public endpoints at `/openapi.json`. */
export function openapiRoute(
  app: FastifyInstance,
  config: Pick<Config, 'issuer' | 'basePath'>,
  version: string,
): void {
  const body = JSON.stringify(openapi(config.issuer, config.basePath, version));
  app.get('/openapi.json', (_request, reply) => reply.type('application/json').send(body));
}

export function openapi(issuer: string, basePath: string, version: string): Record<string, unknown> {
  const origin = issuer.endsWith(basePath) ? issuer.slice(0, -basePath.length) : new URL(issuer).origin;
  return {
    openapi: '3.1.0',
    info: {
      title: 'Mintmark',
      version,
      description:
        'Trades the credentials of an API user for an access token (OAuth 2.0 client credentials grant).',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: origin }],
    paths: {
      [basePath + TOKEN_PATH]: { post: tokenOperation() },
      [basePath + INTROSPECT_PATH]: { post: introspectOperation() },
      [basePath + REVOKE_PATH]: { post: revokeOperation() },
      [basePath + AUTHORIZE_PATH]: { get: authorizeOperation('get'), post: authorizeOperation('post') },
      [basePath + JWKS_PATH]: publicOperations(
        'KeySet',
        getOperation(
          'getKeySet',
          'The keys that access tokens verify with (RFC 7517).',
          'KeySet',
          'application/jwk-set+json',
        ),
      ),
      [basePath + REVOCATIONS_PATH]: publicOperations('Revocations', revocationsOperation()),
      [basePath + METADATA_PATH]: publicOperations(
        'Metadata',
        getOperation('getMetadata', 'Authorization server metadata (RFC 8414).', 'Metadata'),
      ),
      [METADATA_PATH + basePath]: publicOperations(
        'MetadataPathInserted',
        getOperation(
          'getMetadataPathInserted',
          'The same, at the path-inserted URL (RFC 8414 section 3).',
          'Metadata',
        ),
      ),
      [basePath + OPENID_PATH]: publicOperations(
        'OpenIdConfiguration',
        getOperation(
          'getOpenIdConfiguration',
          'The same for clients of OpenID Connect Discovery. There are no ID tokens.',
          'OpenIdConfiguration',
        ),
      ),
      '/livez': { get: getOperation('getLiveness', 'Answers while the process runs.', 'Liveness') },
      '/readyz': {
        get: {
          ...getOperation('getReadiness', 'Whether this process should get requests.', 'Readiness'),
          responses: {
            '200': jsonResponse('It should.', 'Readiness'),
            '503': jsonResponse(
              'It should not: it is stopping, too far behind its store or soon to be, without an active signing key, or its clock is wrong.',
              'Readiness',
            ),
          },
        },
      },
      '/openapi.json': {
        get: {
          operationId: 'getDescription',
          summary: 'This document.',
          security: [],
          responses: {
            '200': {
              description: 'OpenAPI 3.1.',
              content: { 'application/json': { schema: { type: 'object' } } },
            },
          },
        },
      },
    },
    components: {
      schemas: SCHEMAS,
      headers: HEADERS,
      securitySchemes: { basic: { type: 'http', scheme: 'basic' } },
    },
  };
}

function tokenOperation(): Record<string, unknown> {
  return {
    operationId: 'oAuth2TokenPost',
    summary: 'Authenticates provided credentials and returns an access token',
    ...formOperation('TokenRequest', {
      '200': {
        ...jsonResponse('Success', 'InlineResponse200'),
        headers: reference([...LIMIT_HEADERS, 'X-Request-Id']),
      },
      '400': errorResponse(
        'Bad request, invalid syntax, or a scope or resource that the API user may not have.',
      ),
      '403': errorResponse('Forbidden: the client could not be authenticated, or not from this address.'),
    }),
  };
}

function introspectOperation(): Record<string, unknown> {
  return {
    operationId: 'introspectToken',
    summary:
      'Says whether an access token is good, to API users with the scope mintmark:introspect (RFC 7662)',
    ...formOperation('IntrospectionRequest', {
      '200': {
        ...jsonResponse('What there is to say', 'Introspection'),
        headers: reference(['X-Request-Id']),
      },
      '400': errorResponse('Bad request, or no token.'),
      '403': errorResponse('Forbidden: as for a token, or without the scope mintmark:introspect.'),
    }),
  };
}

function revokeOperation(): Record<string, unknown> {
  return {
    operationId: 'revokeToken',
    summary: 'Revokes an access token of the caller (RFC 7009)',
    ...formOperation('RevocationRequest', {
      '200': { description: 'It is good for nothing any more.', headers: reference(['X-Request-Id']) },
      '400': errorResponse('Bad request, or no token.'),
      '403': errorResponse('Forbidden: as for a token, or it is the token of another API user.'),
    }),
  };
}

/** The parts that all endpoints with a form and credentials share. */
function formOperation(schema: string, responses: Record<string, unknown>): Record<string, unknown> {
  return {
    tags: ['Authentication'],
    security: [{}, { basic: [] }],
    requestBody: {
      content: {
        'application/x-www-form-urlencoded': { schema: { $ref: `#/components/schemas/${schema}` } },
      },
    },
    responses: {
      ...responses,
      '401': errorResponse('The client could not be authenticated, where HTTP Basic was used.', [
        'WWW-Authenticate',
      ]),
      '405': errorResponse('Any method but POST.', ['Allow']),
      '429': errorResponse('Rate limit reached.', ['Retry-After', ...LIMIT_HEADERS]),
      '500': errorResponse('Unknown error.'),
      '503': errorResponse('Temporarily unavailable.', ['Retry-After']),
    },
  };
}

const LIMIT_HEADERS = [
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
  'RateLimit-Policy',
  'RateLimit',
];

function revocationsOperation(): Record<string, unknown> {
  const headers = reference(['Mintmark-Revocations', 'ETag', 'X-Request-Id']);
  return {
    operationId: 'getRevocations',
    summary: 'The tokens that are revoked, by their digests, with a signed statement (docs/decisions/012).',
    security: [],
    responses: {
      '200': { description: 'Success', headers, content: { 'application/vnd.mintmark.revocations': {} } },
      '304': { description: 'Nothing new: the statement says as of when.', headers },
      '503': errorResponse('No signing key is active.', ['Retry-After']),
    },
  };
}

function authorizeOperation(method: 'get' | 'post'): Record<string, unknown> {
  return {
    operationId: `${method}Authorization`,
    summary:
      'Supports no response type: every request, with any method, gets the error (RFC 6749 section 4.1.2.1).',
    security: [],
    responses: { '400': errorResponse('unsupported_response_type') },
  };
}

/** GET of a document that scripts of any website may read, and the preflight that browsers send. */
function publicOperations(name: string, get: Record<string, unknown>): Record<string, unknown> {
  const headers = reference(CORS_HEADERS);
  const { responses } = get as { responses: Record<string, { headers?: Record<string, unknown> }> };
  const withCors = Object.entries(responses).map(([status, response]) => [
    status,
    { ...response, headers: { ...response.headers, ...headers } },
  ]);
  const preflight = {
    operationId: `preflight${name}`,
    summary: 'The preflight of a browser (CORS protocol of the Fetch standard).',
    security: [],
    responses: {
      '204': {
        description: 'Scripts of any website may read the document, without credentials.',
        headers: { ...headers, ...reference(PREFLIGHT_HEADERS) },
      },
    },
  };
  return { get: { ...get, responses: Object.fromEntries(withCors) as unknown }, options: preflight };
}

const CORS_HEADERS = ['Access-Control-Allow-Origin', 'Access-Control-Expose-Headers'];
const PREFLIGHT_HEADERS = [
  'Access-Control-Allow-Methods',
  'Access-Control-Allow-Headers',
  'Access-Control-Max-Age',
];

function getOperation(
  operationId: string,
  summary: string,
  schema: string,
  mediaType = 'application/json',
): Record<string, unknown> {
  return {
    operationId,
    summary,
    security: [],
    responses: { '200': jsonResponse('Success', schema, mediaType) },
  };
}

function jsonResponse(
  description: string,
  schema: string,
  mediaType = 'application/json',
): Record<string, unknown> {
  return { description, content: { [mediaType]: { schema: { $ref: `#/components/schemas/${schema}` } } } };
}

function errorResponse(description: string, headers: string[] = []): Record<string, unknown> {
  return { ...jsonResponse(description, 'Error'), headers: reference(['X-Request-Id', ...headers]) };
}

function reference(names: string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
