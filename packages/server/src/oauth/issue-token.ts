import type { AccessTokenSigner } from '../domain/access-token.ts';
import type { Caller } from '../domain/caller.ts';
import { asApiUser, type Authenticated, type AuthenticatingServices } from './authenticate-api-user.ts';
import type { MaybePromise } from '../lib/maybe-promise.ts';
import { isDenial, type Denial } from '../domain/denial.ts';
import { grant, type Grant } from '../domain/grant.ts';
import type { LimitState } from '../domain/rate-limit.ts';

/** A request for a token, parsed. */
export interface TokenRequest extends Caller {
  grantType: string | undefined;
  scope: string | undefined;
  resource: string | undefined;
}

export interface IssuedToken {
  accessToken: string;
  expiresInSeconds: number;
  /** Undefined where it is exactly what was asked for. */
  scope: string | undefined;
  limit: LimitState;
}

/** What issuing needs of the process around it. */
export interface IssuingServices extends AuthenticatingServices {
  issuer: string;
  tokenLifeSeconds: number;
  /** Undefined where no signing key is active. */
  signer(nowMs: number): AccessTokenSigner | undefined;
  newTokenId(): string;
}

/** Trades an API user's credentials for an access token (RFC 6749 §4.4), or says why not. */
export function issueToken(
  services: IssuingServices,
  request: TokenRequest,
): MaybePromise<IssuedToken | Denial> {
  if (request.grantType !== undefined && request.grantType !== 'client_credentials') {
    return { denied: 'unsupported_grant_type' };
  }
  return asApiUser(services, request, grantAndSign);
}

function grantAndSign(
  services: IssuingServices,
  request: TokenRequest,
  { known, credentialId, limit, nowMs }: Authenticated,
): IssuedToken | Denial {
  const granted = grant(known.policy, request.scope, request.resource);
  if (isDenial(granted)) return granted;
  const issued = sign(services, known.clientId, granted, limit);
  if (!isDenial(issued)) services.noteUse(known, credentialId, request.address, nowMs, 1);
  return issued;
}

function sign(
  services: IssuingServices,
  clientId: string,
  granted: Grant,
  limit: LimitState,
): IssuedToken | Denial {
  const nowMs = services.now(); // not that of the request's start: a password check takes its time
  const expiresInSeconds = services.tokenLifeSeconds;
  const signer = services.signer(nowMs);
  if (signer === undefined) return { denied: 'temporarily_unavailable', reason: 'no signing key is active' };
  const accessToken = signer({
    issuer: services.issuer,
    clientId,
    audience: granted.audience,
    scope: granted.scope,
    // Rounded down, or a verifier whose clock is right would see a token from the future; `exp` is rounded up, so that
    // `expires_in` never promises more than is left.
    issuedAt: Math.floor(nowMs / 1000),
    expiresAt: Math.ceil(nowMs / 1000) + expiresInSeconds,
    tokenId: services.newTokenId(),
  });
  return { accessToken, expiresInSeconds, scope: granted.tellScope ? granted.scope : undefined, limit };
}
