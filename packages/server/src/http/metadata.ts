import type { FastifyInstance } from 'fastify';
import type { Config } from '../config.ts';

/** Where things are, relative to the base path. */
export const TOKEN_PATH = '/oauth2/token';
export const JWKS_PATH = '/.well-known/jwks.json';
export const INTROSPECT_PATH = '/oauth2/introspect';
export const REVOKE_PATH = '/oauth2/revoke';
export const REVOCATIONS_PATH = '/oauth2/revocations';
export const ADMIN_PATH = '/admin/v1';
const METADATA_PATH = '/.well-known/oauth-authorization-server';

const AUTH_METHODS = ['client_secret_basic', 'client_secret_post'];

type MetadataConfig = Pick<Config, 'issuer' | 'basePath' | 'jwksMaxAgeSeconds'>;

/** RFC 8414 §3: at the path-inserted URL, and at the one that many clients try, with the suffix after the issuer. */
export function metadataRoutes(app: FastifyInstance, config: MetadataConfig): void {
  const body = JSON.stringify(metadata(config.issuer));
  for (const url of [`${METADATA_PATH}${config.basePath}`, `${config.basePath}${METADATA_PATH}`]) {
    app.get(url, (_request, reply) =>
      reply
        .header('Cache-Control', `public, max-age=${config.jwksMaxAgeSeconds}`)
        .type('application/json')
        .send(body),
    );
  }
}

/** RFC 8414 §2. */
export function metadata(issuer: string): Record<string, unknown> {
  return {
    issuer,
    token_endpoint: issuer + TOKEN_PATH,
    jwks_uri: issuer + JWKS_PATH,
    // Ours: docs/decisions/012.
    revocation_list_uri: issuer + REVOCATIONS_PATH,
    grant_types_supported: ['client_credentials'],
    // None: there is no authorization endpoint. The member itself is required.
    response_types_supported: [],
    token_endpoint_auth_methods_supported: AUTH_METHODS,
    introspection_endpoint: issuer + INTROSPECT_PATH,
    introspection_endpoint_auth_methods_supported: AUTH_METHODS,
    revocation_endpoint: issuer + REVOKE_PATH,
    revocation_endpoint_auth_methods_supported: AUTH_METHODS,
    service_documentation: `${new URL(issuer).origin}/openapi.json`,
  };
}
