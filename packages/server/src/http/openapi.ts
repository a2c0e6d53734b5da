import type { FastifyInstance } from 'fastify';
import type { Config } from '../config.ts';
import { INTROSPECT_PATH, JWKS_PATH, REVOCATIONS_PATH, REVOKE_PATH, TOKEN_PATH } from './metadata.ts';

/** The OpenAPI 3.1 description of what this server offers, at `/openapi.json`. */
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
      [basePath + JWKS_PATH]: {
        get: getOperation(
          'getKeySet',
          'The keys that access tokens verify with (RFC 7517).',
          'KeySet',
          'application/jwk-set+json',
        ),
      },
      [basePath + REVOCATIONS_PATH]: { get: revocationsOperation() },
      [`${basePath}/.well-known/oauth-authorization-server`]: {
        get: getOperation('getMetadata', 'Authorization server metadata (RFC 8414).', 'Metadata'),
      },
      [`/.well-known/oauth-authorization-server${basePath}`]: {
        get: getOperation(
          'getMetadataPathInserted',
          'The same, at the path-inserted URL (RFC 8414 section 3).',
          'Metadata',
        ),
      },
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

/** What all endpoints have in common that take a form with credentials. */
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

const text = { type: 'string' };
const whole = { type: 'integer', minimum: 0 };
const texts = { type: 'array', items: text };

const CREDENTIALS = {
  client_id: { ...text, description: 'API Client-Id or Username' },
  client_secret: { ...text, format: 'password', description: 'API Client secret or password' },
};

/** A form about a token: RFC 7662 §2.1 and RFC 7009 §2.1. */
const ABOUT_A_TOKEN = {
  type: 'object',
  required: ['token'],
  properties: {
    ...CREDENTIALS,
    token: { ...text, description: 'An access token' },
    token_type_hint: { ...text, description: 'Ignored: there are access tokens only' },
  },
};

const SCHEMAS = {
  IntrospectionRequest: ABOUT_A_TOKEN,
  RevocationRequest: ABOUT_A_TOKEN,
  Introspection: {
    type: 'object',
    required: ['active'],
    properties: {
      active: { type: 'boolean', description: 'False for a token that is not meant for the caller, too' },
      scope: text,
      client_id: text,
      token_type: { ...text, const: 'Bearer' },
      exp: whole,
      iat: whole,
      sub: text,
      aud: text,
      iss: text,
      jti: text,
    },
    additionalProperties: false,
  },
  TokenRequest: {
    type: 'object',
    properties: {
      ...CREDENTIALS,
      grant_type: {
        ...text,
        default: 'client_credentials',
        description: 'The only grant type is client_credentials',
      },
      scope: {
        ...text,
        description: 'Space-separated; left out: all that the API user may have (RFC 6749 section 3.3)',
      },
      resource: {
        ...text,
        format: 'uri',
        description: 'Left out: the default audience of the API user (RFC 8707)',
      },
    },
  },
  InlineResponse200: {
    type: 'object',
    required: ['access_token', 'token_type', 'expires_in'],
    properties: {
      access_token: { ...text, description: 'A JWT (RFC 9068)' },
      token_type: { ...text, const: 'Bearer' },
      expires_in: { type: 'integer', minimum: 1, description: 'Seconds' },
      scope: { ...text, description: 'Present where it is not exactly what was asked for' },
    },
    additionalProperties: false,
  },
  Error: {
    type: 'object',
    required: ['error', 'error_description', 'trace_id'],
    properties: {
      error: text,
      error_description: text,
      trace_id: { ...text, pattern: '^[0-9a-f]{32}$', description: 'The same as X-Request-Id' },
    },
    additionalProperties: false,
  },
  KeySet: {
    type: 'object',
    required: ['keys'],
    properties: {
      keys: {
        type: 'array',
        items: {
          type: 'object',
          required: ['kty', 'kid', 'alg', 'use'],
          properties: {
            kty: text,
            kid: text,
            alg: text,
            use: { ...text, const: 'sig' },
            crv: text,
            x: text,
            y: text,
            n: text,
            e: text,
          },
          additionalProperties: false, // and so never a private member
        },
      },
    },
    additionalProperties: false,
  },
  Metadata: {
    type: 'object',
    required: ['issuer', 'token_endpoint', 'jwks_uri', 'grant_types_supported', 'response_types_supported'],
    properties: {
      issuer: text,
      token_endpoint: text,
      jwks_uri: text,
      revocation_list_uri: text,
      grant_types_supported: texts,
      response_types_supported: texts,
      token_endpoint_auth_methods_supported: texts,
      introspection_endpoint: text,
      introspection_endpoint_auth_methods_supported: texts,
      revocation_endpoint: text,
      revocation_endpoint_auth_methods_supported: texts,
      service_documentation: text,
    },
    additionalProperties: false,
  },
  Liveness: {
    type: 'object',
    required: ['status'],
    properties: { status: { ...text, const: 'alive' } },
    additionalProperties: false,
  },
  Readiness: {
    type: 'object',
    required: [
      'status',
      'stale_seconds',
      'api_users_in_memory',
      'all_in_memory',
      'limits',
      'clock_offset_seconds',
      'changes',
    ],
    properties: {
      status: { ...text, enum: ['ready', 'stopping', 'stale', 'going_stale', 'clock_off', 'no_signing_key'] },
      stale_seconds: {
        type: 'number',
        minimum: 0,
        description: 'Seconds since the process was last in step with its store',
      },
      api_users_in_memory: whole,
      all_in_memory: { type: 'boolean' },
      limits: {
        ...text,
        enum: ['own', 'shared', 'divided'],
        description:
          'Whose calls the limits count: of this process, of all processes, or a part each because they cannot be shared',
      },
      clock_offset_seconds: {
        type: ['number', 'null'],
        description:
          "Seconds by which the process's clock is ahead of the store's (negative: behind). Null: the store has no clock of its own",
      },
      changes: {
        ...text,
        enum: ['ok', 'waiting_for_standby'],
        description:
          'waiting_for_standby: PostgreSQL waits for a synchronous standby that hangs, so changes and usage wait. Tokens are issued',
      },
    },
    additionalProperties: false,
  },
};

function header(description: string, schema: Record<string, unknown> = text): Record<string, unknown> {
  return { description, schema };
}

const HEADERS = {
  'X-Request-Id': header('The trace id of the request: 32 hexadecimal digits.'),
  'X-RateLimit-Limit': header('Calls a minute.', whole),
  'X-RateLimit-Remaining': header('Calls that can be made at once.', whole),
  'X-RateLimit-Reset': header('Seconds since 1970 at which a new call can be made.', whole),
  'RateLimit-Policy': header('draft-ietf-httpapi-ratelimit-headers'),
  RateLimit: header('draft-ietf-httpapi-ratelimit-headers'),
  'Retry-After': header('Whole seconds.', { type: 'integer', minimum: 1 }),
  'WWW-Authenticate': header('RFC 7617'),
  Allow: header('POST'),
  ETag: header('RFC 9110 section 8.8.3'),
  'Mintmark-Revocations': header('A compact JWS with the members iss, iat, n and sha256.'),
};
