import type { AccessTokenClaims } from '../domain/access-token.ts';
import type { Caller } from '../domain/caller.ts';
import { invalidRequest } from '../domain/denial.ts';
import type { AccessTokenReader } from '../domain/read-access-token.ts';
import { isRefusal, refusal, type Refusal } from '../domain/refusal.ts';
import { andThen, type MaybePromise } from '../lib/maybe-promise.ts';
import type { KnownOrganisation } from '../domain/known-organisation.ts';
import { authenticateApiUser, type AuthenticatingServices } from './authenticate-api-user.ts';

/** The scope of API users that may introspect tokens. */
export const INTROSPECT_SCOPE = 'mintmark:introspect';

export interface Introspection {
  /** The claims of an active token; null for any other. */
  active: AccessTokenClaims | null;
}

export interface IntrospectingServices extends AuthenticatingServices {
  readToken: AccessTokenReader;
  isRevoked(token: AccessTokenClaims): boolean;
}

/**
 * Reports whether a token is active (RFC 7662). Only API users with `INTROSPECT_SCOPE` may ask, and only for
 * tokens with one of their own audiences; those of an organisation, only for its own tokens, unless it may
 * see all. The answer for any other token is the same as for one that never existed.
 */
export function introspectToken(
  services: IntrospectingServices,
  caller: Caller,
  token: string | undefined,
  nowMs: number,
): MaybePromise<Introspection | Refusal> {
  if (token === undefined)
    return refusal(invalidRequest('token is missing: send the token that you ask about.'));
  return andThen(authenticateApiUser(services, caller, nowMs), (authenticated) => {
    if (isRefusal(authenticated)) return authenticated;
    const { apiUser } = authenticated;
    const { scopes, audiences, organisation } = apiUser.policy;
    if (!scopes.includes(INTROSPECT_SCOPE)) {
      return refusal({ denied: 'unauthorized_client', reason: 'may_not_introspect' }, caller, apiUser);
    }
    services.noteUse(authenticated, caller.address, 0);
    const claims = services.readToken(token, authenticated.nowMs);
    const isActive =
      claims !== null &&
      audiences.includes(claims.audience) &&
      maySee(organisation, claims) &&
      !services.isRevoked(claims);
    return { active: isActive ? claims : null };
  });
}

function maySee(organisation: KnownOrganisation | null, { organisationId }: AccessTokenClaims): boolean {
  return organisation === null || organisation.introspectsAll || organisation.id === organisationId;
}
