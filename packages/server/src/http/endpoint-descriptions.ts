import { ERROR_HEADERS, ERROR_SCHEMAS } from './error-response.ts';
import { FORM_HEADERS, TOKEN_FORM_SCHEMAS } from './oauth/endpoint.ts';
import { INTROSPECT_OPERATION, INTROSPECT_SCHEMAS } from './oauth/introspect.ts';
import { REVOKE_OPERATION } from './oauth/revoke.ts';
import { TOKEN_OPERATION, TOKEN_SCHEMAS } from './oauth/token.ts';
import {
  AUTHORIZE_PATH,
  INTROSPECT_PATH,
  JWKS_PATH,
  METADATA_PATH,
  OPENID_PATH,
  REVOCATIONS_PATH,
  REVOKE_PATH,
  TOKEN_PATH,
} from './paths.ts';
import { AUTHORIZE_OPERATIONS } from './public/authorization.ts';
import { HEALTH_SCHEMAS, LIVEZ_OPERATIONS, READYZ_OPERATIONS } from './public/health.ts';
import { JWKS_OPERATIONS, JWKS_SCHEMAS } from './public/jwks.ts';
import {
  METADATA_OPERATIONS,
  METADATA_PATH_INSERTED_OPERATIONS,
  METADATA_SCHEMAS,
  OPENID_OPERATIONS,
} from './public/metadata.ts';
import type { EndpointDescriptions } from './public/openapi.ts';
import { PUBLIC_ROUTE_HEADERS } from './public/public-route.ts';
import { REVOCATIONS_HEADERS, REVOCATIONS_OPERATIONS } from './public/revocations.ts';
import { RATE_LIMIT_HEADERS, RETRY_HEADERS } from './rate-limit-headers.ts';
import { TRACE_HEADERS } from './trace.ts';

/** Collects what the OpenAPI document says about each endpoint of `http/oauth` and `http/public`. */
export function endpointDescriptions(basePath: string): EndpointDescriptions {
  return {
    paths: {
      [basePath + TOKEN_PATH]: { post: TOKEN_OPERATION },
      [basePath + INTROSPECT_PATH]: { post: INTROSPECT_OPERATION },
      [basePath + REVOKE_PATH]: { post: REVOKE_OPERATION },
      [basePath + AUTHORIZE_PATH]: AUTHORIZE_OPERATIONS,
      [basePath + JWKS_PATH]: JWKS_OPERATIONS,
      [basePath + REVOCATIONS_PATH]: REVOCATIONS_OPERATIONS,
      [basePath + METADATA_PATH]: METADATA_OPERATIONS,
      [METADATA_PATH + basePath]: METADATA_PATH_INSERTED_OPERATIONS,
      [basePath + OPENID_PATH]: OPENID_OPERATIONS,
      '/livez': LIVEZ_OPERATIONS,
      '/readyz': READYZ_OPERATIONS,
    },
    schemas: {
      ...TOKEN_FORM_SCHEMAS,
      ...INTROSPECT_SCHEMAS,
      ...TOKEN_SCHEMAS,
      ...ERROR_SCHEMAS,
      ...JWKS_SCHEMAS,
      ...METADATA_SCHEMAS,
      ...HEALTH_SCHEMAS,
    },
    headers: {
      ...TRACE_HEADERS,
      ...RATE_LIMIT_HEADERS,
      ...RETRY_HEADERS,
      ...ERROR_HEADERS,
      ...FORM_HEADERS,
      ...PUBLIC_ROUTE_HEADERS,
      ...REVOCATIONS_HEADERS,
    },
  };
}
