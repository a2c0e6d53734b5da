import type { AccessTokenClaims } from '../domain/access-token.ts';
import type { MaybePromise } from '../lib/maybe-promise.ts';
import type { Caller } from '../domain/caller.ts';
import { asApiUser, type Authenticated, type AuthenticatingServices } from './authenticate-api-user.ts';
import { invalidRequest, type Denial } from '../domain/denial.ts';
import type { AccessTokenReader } from '../domain/read-access-token.ts';
import { revocationOfToken, VERIFIER_SKEW_MAX_SECONDS, type Revocation } from '../domain/revocation.ts';

export interface RevocationRequest extends Caller {
  token: string | undefined;
}

/** The token is good for nothing any more: it is revoked, or it never was or is no longer a token of this issuer. */
export interface Revoked {
  revoked: true;
}

export interface RevokingServices extends AuthenticatingServices {
  readToken: AccessTokenReader;
  isRevoked(token: AccessTokenClaims): boolean;
  /** Resolves when it is on the disk and on the list that this process publishes. */
  revoke(revocation: Revocation): Promise<Revoked | Denial>;
}

/** Revokes one token for the API user that it was issued to (RFC 7009). */
export function revokeToken(
  services: RevokingServices,
  request: RevocationRequest,
): MaybePromise<Revoked | Denial> {
  if (request.token === undefined) return invalidRequest('token is missing: send the token to be revoked.');
  return asApiUser(services, request, revokeOwn);
}

function revokeOwn(
  services: RevokingServices,
  { token = '', address }: RevocationRequest,
  { known, credentialId, nowMs }: Authenticated,
): MaybePromise<Revoked | Denial> {
  services.noteUse(known, credentialId, address, nowMs, 0);
  // Also one that has just expired: there are verifiers whose clocks lag.
  const claims = services.readToken(token, nowMs, VERIFIER_SKEW_MAX_SECONDS);
  if (claims === null) return DONE; // RFC 7009 §2.2: an invalid token is no error
  if (claims.clientId !== known.clientId) return { denied: 'unauthorized_client', reason: 'not_its_token' };
  return services.isRevoked(claims) ? DONE : services.revoke(revocationOfToken(claims));
}

const DONE: Revoked = { revoked: true };
