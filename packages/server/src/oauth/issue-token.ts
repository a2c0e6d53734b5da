import type { AccessTokenSigner } from '../domain/access-token.ts';
import type { Caller } from '../domain/caller.ts';
import { isDenial, type Denial } from '../domain/denial.ts';
import { grant, type Grant } from '../domain/grant.ts';
import type { LimitState } from '../domain/rate-limit.ts';
import { tokenShape, type TokenSettings } from '../domain/token-shape.ts';
import { isRefusal, refusal, type Refusal } from '../domain/refusal.ts';
import { andThen, type MaybePromise } from '../lib/maybe-promise.ts';
import {
  authenticateApiUser,
  type Authenticated,
  type AuthenticatingServices,
} from './authenticate-api-user.ts';
import { countToken, type QuotaServices } from './count-token.ts';

/** The parameters of the request, without the credentials. */
export interface TokenRequest {
  grantType: string | undefined;
  scope: string | undefined;
  resource: string | undefined;
}

export interface IssuedToken {
  /** Signs the access token: most of the work. Call it once, in the same turn of the event loop. */
  sign(): string;
  expiresInSeconds: number;
  /** Undefined if it equals the requested scope. */
  scope: string | undefined;
  limit: LimitState;
  issuedAtMs: number;
}

/** What issuing needs from the process. */
export interface IssuingServices extends AuthenticatingServices, QuotaServices {
  issuer: string;
  tokenSettings: TokenSettings;
  /** Undefined if no signing key is active. */
  signer(nowMs: number): AccessTokenSigner | undefined;
  newTokenId(): string;
}

/** Issues an access token for the credentials of an API user (RFC 6749 §4.4). */
export function issueToken(
  services: IssuingServices,
  caller: Caller,
  request: TokenRequest,
  nowMs: number,
): MaybePromise<IssuedToken | Refusal> {
  if (request.grantType !== undefined && request.grantType !== 'client_credentials') {
    return refusal({ denied: 'unsupported_grant_type' });
  }
  return andThen(authenticateApiUser(services, caller, nowMs), (authenticated) => {
    if (isRefusal(authenticated)) return authenticated;
    const { apiUser } = authenticated;
    const granted = grant(apiUser.policy, request.scope, request.resource);
    if (isDenial(granted)) return refusal(granted, caller, apiUser);
    const counting = countToken(services, apiUser.policy.organisation, authenticated.nowMs);
    return andThen(counting, (exceeded) => {
      if (exceeded !== null) return refusal(exceeded, caller, apiUser);
      const issued = tokenOf(services, authenticated, granted);
      if (isDenial(issued)) return refusal(issued, caller, apiUser);
      services.noteUse(authenticated, caller.address, 1);
      return issued;
    });
  });
}

function tokenOf(
  services: IssuingServices,
  { apiUser, limit, nowMs }: Authenticated,
  granted: Grant,
): IssuedToken | Denial {
  const shape = tokenShape(apiUser.policy, granted.audience, services.tokenSettings);
  const expiresInSeconds = shape.tokenLifeSeconds;
  const signer = services.signer(nowMs);
  if (signer === undefined) return { denied: 'temporarily_unavailable', reason: 'no signing key is active' };
  const content = {
    issuer: services.issuer,
    clientId: apiUser.clientId,
    audience: granted.audience,
    scope: granted.scope,
    // `iat` is rounded down: a verifier with an exact clock must not see a token from the future. `exp` is
    // rounded up: `expires_in` must not promise more time than is left.
    issuedAt: Math.floor(nowMs / 1000),
    expiresAt: Math.ceil(nowMs / 1000) + expiresInSeconds,
    tokenId: services.newTokenId(),
    members: shape.members,
  };
  const scope = granted.tellScope ? granted.scope : undefined;
  return { sign: () => signer(content), expiresInSeconds, scope, limit, issuedAtMs: nowMs };
}
