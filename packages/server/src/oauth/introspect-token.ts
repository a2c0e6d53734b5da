import type { AccessTokenClaims } from '../domain/access-token.ts';
import type { MaybePromise } from '../lib/maybe-promise.ts';
import type { Caller } from '../domain/caller.ts';
import { asApiUser, type Authenticated, type AuthenticatingServices } from './authenticate-api-user.ts';
import { invalidRequest, type Denial } from '../domain/denial.ts';
import type { AccessTokenReader } from '../domain/read-access-token.ts';

/** The scope of API users that may ask about tokens. */
export const INTROSPECT_SCOPE = 'mintmark:introspect';

export interface IntrospectionRequest extends Caller {
  token: string | undefined;
}

/** What is said of a token; null: nothing but that it is not active. */
export interface Introspection {
  active: AccessTokenClaims | null;
}

export interface IntrospectingServices extends AuthenticatingServices {
  readToken: AccessTokenReader;
  isRevoked(token: AccessTokenClaims): boolean;
}

/**
 * Says whether a token is good (RFC 7662), to API users that may ask, and only of tokens that are meant for them: those
 * with one of the caller's own audiences. Of all others it says the same as of one that never was.
 */
export function introspect(
  services: IntrospectingServices,
  request: IntrospectionRequest,
): MaybePromise<Introspection | Denial> {
  if (request.token === undefined)
    return invalidRequest('token is missing: send the token that you ask about.');
  return asApiUser(services, request, readForCaller);
}

function readForCaller(
  services: IntrospectingServices,
  { token = '', address }: IntrospectionRequest,
  { known, credentialId, nowMs }: Authenticated,
): Introspection | Denial {
  const { policy } = known;
  if (!policy.scopes.includes(INTROSPECT_SCOPE)) {
    return { denied: 'unauthorized_client', reason: 'may_not_introspect' };
  }
  services.noteUse(known, credentialId, address, nowMs, 0);
  const claims = services.readToken(token, nowMs);
  const told = claims !== null && policy.audiences.includes(claims.audience) && !services.isRevoked(claims);
  return { active: told ? claims : null };
}
