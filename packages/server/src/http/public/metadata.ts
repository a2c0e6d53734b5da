import type { Config } from '../../config/config.ts';
import { ASSERTION_ALGORITHMS } from '../../domain/assertion-algorithm.ts';
import { SIGNING_ALGORITHMS } from '../../domain/signing-algorithm.ts';
import { getOperation, text, texts, type Description } from '../operation.ts';
import {
  TOKEN_PATH,
  AUTHORIZE_PATH,
  JWKS_PATH,
  INTROSPECT_PATH,
  REVOKE_PATH,
  REVOCATIONS_PATH,
  METADATA_PATH,
  OPENID_PATH,
} from '../paths.ts';
import { JSON_TYPE, type Document } from './document.ts';
import { publicOperations, publicRoute, type PublicRoute } from './public-route.ts';

const AUTH_METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'];

type MetadataConfig = Pick<Config, 'issuer' | 'basePath' | 'jwksMaxAgeSeconds'>;

/**
 * Serves the metadata at the path-inserted URL (RFC 8414 §3), and with the suffix after the issuer, which
 * many clients try. Clients that know only OpenID Connect Discovery find its document (docs/decisions/010).
 */
export function metadataRoutes(config: MetadataConfig): PublicRoute[] {
  const { issuer, basePath, jwksMaxAgeSeconds } = config;
  const oauth = JSON.stringify(metadata(issuer));
  const documents: [path: string, body: string][] = [
    [METADATA_PATH + basePath, oauth],
    [basePath + METADATA_PATH, oauth],
    [basePath + OPENID_PATH, JSON.stringify(openidConfiguration(issuer))],
  ];
  const headers = ['Cache-Control', `public, max-age=${jwksMaxAgeSeconds}`];
  return documents.map(([path, body]) => {
    const document: Document = { status: 200, headers, type: JSON_TYPE, body };
    return publicRoute(path, () => document);
  });
}

/** The metadata document (RFC 8414 §2). */
export function metadata(issuer: string): Record<string, unknown> {
  return {
    issuer,
    // This endpoint issues nothing (authorization.ts), but widely used clients refuse metadata without it.
    authorization_endpoint: issuer + AUTHORIZE_PATH,
    token_endpoint: issuer + TOKEN_PATH,
    jwks_uri: issuer + JWKS_PATH,
    // A member of our own (docs/decisions/012).
    revocation_list_uri: issuer + REVOCATIONS_PATH,
    grant_types_supported: ['client_credentials'],
    // The authorization endpoint supports none, but RFC 8414 requires the member.
    response_types_supported: [],
    token_endpoint_auth_methods_supported: AUTH_METHODS,
    token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    introspection_endpoint: issuer + INTROSPECT_PATH,
    introspection_endpoint_auth_methods_supported: AUTH_METHODS,
    introspection_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    revocation_endpoint: issuer + REVOKE_PATH,
    revocation_endpoint_auth_methods_supported: AUTH_METHODS,
    revocation_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    service_documentation: `${new URL(issuer).origin}/openapi.json`,
  };
}

/** Adds what OpenID Connect Discovery 1.0 §3 requires beyond RFC 8414. Mintmark issues no ID tokens. */
export function openidConfiguration(issuer: string): Record<string, unknown> {
  return {
    ...metadata(issuer),
    subject_types_supported: ['public'],
    // Libraries verify access tokens with the algorithms of this list: it names all that Mintmark supports.
    id_token_signing_alg_values_supported: SIGNING_ALGORITHMS,
  };
}

export const METADATA_OPERATIONS: Description = publicOperations(
  'Metadata',
  getOperation('getMetadata', 'Authorization server metadata (RFC 8414).', 'Metadata'),
);

export const METADATA_PATH_INSERTED_OPERATIONS: Description = publicOperations(
  'MetadataPathInserted',
  getOperation(
    'getMetadataPathInserted',
    'The same, at the path-inserted URL (RFC 8414 section 3).',
    'Metadata',
  ),
);

export const OPENID_OPERATIONS: Description = publicOperations(
  'OpenIdConfiguration',
  getOperation(
    'getOpenIdConfiguration',
    'The same for clients of OpenID Connect Discovery. There are no ID tokens.',
    'OpenIdConfiguration',
  ),
);

const MEMBERS_REQUIRED = [
  'issuer',
  'authorization_endpoint',
  'token_endpoint',
  'jwks_uri',
  'grant_types_supported',
  'response_types_supported',
];

const MEMBERS = {
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
  token_endpoint_auth_signing_alg_values_supported: texts,
  introspection_endpoint: text,
  introspection_endpoint_auth_methods_supported: texts,
  introspection_endpoint_auth_signing_alg_values_supported: texts,
  revocation_endpoint: text,
  revocation_endpoint_auth_methods_supported: texts,
  revocation_endpoint_auth_signing_alg_values_supported: texts,
  service_documentation: text,
};

export const METADATA_SCHEMAS: Description = {
  Metadata: {
    type: 'object',
    required: MEMBERS_REQUIRED,
    properties: MEMBERS,
    additionalProperties: false,
  },
  OpenIdConfiguration: {
    type: 'object',
    required: [...MEMBERS_REQUIRED, 'subject_types_supported', 'id_token_signing_alg_values_supported'],
    properties: {
      ...MEMBERS,
      subject_types_supported: texts,
      id_token_signing_alg_values_supported: {
        ...texts,
        description: 'The algorithms that access tokens may be signed with; there are no ID tokens',
      },
    },
    additionalProperties: false,
  },
};
