/** Paths of the endpoints, relative to the base path. */
export const TOKEN_PATH = '/oauth2/token';
export const AUTHORIZE_PATH = '/oauth2/authorize';
export const JWKS_PATH = '/.well-known/jwks.json';
export const INTROSPECT_PATH = '/oauth2/introspect';
export const REVOKE_PATH = '/oauth2/revoke';
export const REVOCATIONS_PATH = '/oauth2/revocations';
export const ADMIN_PATH = '/admin/v1';
export const PORTAL_PATH = '/portal/v1';
export const METADATA_PATH = '/.well-known/oauth-authorization-server';
export const OPENID_PATH = '/.well-known/openid-configuration';
