// The schemas and response headers of the OpenAPI document (openapi.ts).
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

const METADATA_REQUIRED = [
  'issuer',
  'authorization_endpoint',
  'token_endpoint',
  'jwks_uri',
  'grant_types_supported',
  'response_types_supported',
];

const METADATA_MEMBERS = {
  issuer: text,
  authorization_endpoint: {
    ...text,
    description: 'Answers every request with 400 unsupported_response_type',
  },
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
};

export const SCHEMAS: Readonly<Record<string, unknown>> = {
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
    required: METADATA_REQUIRED,
    properties: METADATA_MEMBERS,
    additionalProperties: false,
  },
  OpenIdConfiguration: {
    type: 'object',
    required: [...METADATA_REQUIRED, 'subject_types_supported', 'id_token_signing_alg_values_supported'],
    properties: {
      ...METADATA_MEMBERS,
      subject_types_supported: texts,
      id_token_signing_alg_values_supported: {
        ...texts,
        description: 'The algorithms that access tokens may be signed with; there are no ID tokens',
      },
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

export const HEADERS: Readonly<Record<string, unknown>> = {
  'X-Request-Id': header('The trace id of the request: 32 hexadecimal digits.'),
  'X-RateLimit-Limit': header('Calls a minute.', whole),
  'X-RateLimit-Remaining': header('Calls that can be made at once.', whole),
  'X-RateLimit-Reset': header('Seconds since 1970 at which a new call can be made.', whole),
  'RateLimit-Policy': header('draft-ietf-httpapi-ratelimit-headers'),
  RateLimit: header('draft-ietf-httpapi-ratelimit-headers'),
  'Retry-After': header('Whole seconds.', { type: 'integer', minimum: 1 }),
  'WWW-Authenticate': header('RFC 7617'),
  Allow: header('POST'),
  'Access-Control-Allow-Origin': header('Any website.', { ...text, const: '*' }),
  'Access-Control-Expose-Headers': header('All headers.', { ...text, const: '*' }),
  'Access-Control-Allow-Methods': header('GET, HEAD'),
  'Access-Control-Allow-Headers': header('All headers.', { ...text, const: '*' }),
  'Access-Control-Max-Age': header('Seconds.', whole),
  ETag: header('RFC 9110 section 8.8.3'),
  'Mintmark-Revocations': header('A compact JWS with the members iss, iat, n and sha256.'),
};
