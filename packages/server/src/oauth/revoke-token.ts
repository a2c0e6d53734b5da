import type { AccessTokenClaims } from '../domain/access-token.ts';
import type { Caller } from '../domain/caller.ts';
import { invalidRequest, isDenial, type Denial } from '../domain/denial.ts';
import type { AccessTokenReader } from '../domain/read-access-token.ts';
import { isRefusal, refusal, type Refusal } from '../domain/refusal.ts';
import { revocationOfToken, type Revocation } from '../domain/revocation.ts';
import { andThen, type MaybePromise } from '../lib/maybe-promise.ts';
import { authenticateApiUser, type AuthenticatingServices } from './authenticate-api-user.ts';

/** The token no longer works: it is revoked, or it is not a token of this issuer. */
export interface Revoked {
  revoked: true;
}

export interface RevokingServices extends AuthenticatingServices {
  readToken: AccessTokenReader;
  isRevoked(token: AccessTokenClaims): boolean;
  /** Resolves when the revocation is in the store, and on the list that this process publishes. */
  revoke(revocation: Revocation): Promise<Revoked | Denial>;
}

/** Revokes one token for the API user that it was issued to (RFC 7009). */
export function revokeToken(
  services: RevokingServices,
  caller: Caller,
  token: string | undefined,
  nowMs: number,
): MaybePromise<Revoked | Refusal> {
  if (token === undefined) return refusal(invalidRequest('token is missing: send the token to be revoked.'));
  return andThen(authenticateApiUser(services, caller, nowMs), (authenticated) => {
    if (isRefusal(authenticated)) return authenticated;
    const { apiUser } = authenticated;
    services.noteUse(authenticated, caller.address, 0);
    const claims = services.readToken(token, authenticated.nowMs, REVOCABLE);
    if (claims === null) return REVOKED; // RFC 7009 §2.2: an invalid token is not an error
    if (claims.clientId !== apiUser.clientId) {
      return refusal({ denied: 'unauthorized_client', reason: 'not_its_token' }, caller, apiUser);
    }
    if (services.isRevoked(claims)) return REVOKED;
    return services
      .revoke(revocationOfToken(claims))
      .then((outcome) => (isDenial(outcome) ? refusal(outcome, caller, apiUser) : outcome));
  });
}

/** The clock of this process may be wrong, so a token that it calls expired may still be good elsewhere. */
const REVOCABLE = { atAnyTime: true };

const REVOKED: Revoked = { revoked: true };
