import type { Check } from '../check.ts';
import { ACCESS_TOKEN_CHECKS } from './access-token.ts';
import { ASSERTION_CHECKS } from './assertion.ts';
import { BEARER_CHECKS } from './bearer.ts';
import { CLIENT_AUTHENTICATION_CHECKS } from './client-authentication.ts';
import { HTTP_CHECKS } from './http.ts';
import { INTROSPECTION_CHECKS } from './introspection.ts';
import { KEY_SET_CHECKS } from './key-set.ts';
import { METADATA_CHECKS } from './metadata.ts';
import { RESOURCE_CHECKS } from './resource.ts';
import { REVOCATION_CHECKS } from './revocation.ts';
import { TOKEN_REQUEST_CHECKS } from './token-request.ts';
import { TOKEN_RESPONSE_CHECKS } from './token-response.ts';

/** All checks, in the order in which they run and reports show them. */
export const CHECKS: readonly Check[] = [
  ...METADATA_CHECKS,
  ...KEY_SET_CHECKS,
  ...TOKEN_REQUEST_CHECKS,
  ...CLIENT_AUTHENTICATION_CHECKS,
  ...TOKEN_RESPONSE_CHECKS,
  ...ACCESS_TOKEN_CHECKS,
  ...RESOURCE_CHECKS,
  ...ASSERTION_CHECKS,
  ...INTROSPECTION_CHECKS,
  ...REVOCATION_CHECKS,
  ...BEARER_CHECKS,
  ...HTTP_CHECKS,
];
