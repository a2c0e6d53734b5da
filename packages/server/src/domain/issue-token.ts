import type { AccessTokenSigner } from './access-token.ts';
import { usernameKey } from './api-user.ts';
import { checkSecret, type Authentication } from './authenticate.ts';
import { isDenial, type Denial, type LimitPolicy } from './denial.ts';
import { grant, type Grant, type Grantable } from './grant.ts';
import { limitedNetwork, type NetworkSet } from './network.ts';
import type { PackedSecrets } from './packed-secrets.ts';
import { takeCall, type LimitState } from './rate-limit.ts';
import { SECRET_PREFIX } from './secret.ts';
import { andThen, type MaybePromise } from './and-then.ts';

/** A request for a token, parsed. */
export interface TokenRequest {
  /** A client id or a username. */
  clientId: string;
  /** A generated secret or a password. */
  clientSecret: string;
  grantType: string | undefined;
  scope: string | undefined;
  resource: string | undefined;
  /** The caller's address, without a port. */
  address: string;
  /** 32 hexadecimal digits: the request in the log. */
  traceId: string;
}

export interface IssuedToken {
  accessToken: string;
  expiresInSeconds: number;
  /** Undefined where it is exactly what was asked for. */
  scope: string | undefined;
  limit: LimitState;
}

/** What all API users with the same settings share, in memory once. */
export interface Policy extends Grantable {
  enabled: boolean;
  limitPerMinute: number;
  networks: NetworkSet | null;
}

/** An API user as the hot path knows it. */
export interface KnownApiUser {
  clientId: string;
  policy: Policy;
  secrets: PackedSecrets;
  passwords: readonly KnownPassword[] | null;
  /** The state of its limit (rate-limit.ts): here and not in a table of its own, which would cost 80 bytes each. */
  arrivalMs: number;
}

export interface KnownPassword {
  credentialId: string;
  /** A PHC string. */
  hash: string;
  expiresAt: number | null;
  retiredAt: number | null;
}

/** What issuing needs of the process around it. Nothing here waits for a database where the API user is known. */
export interface IssuingServices {
  /** Milliseconds since 1970 (UTC). */
  now(): number;
  issuer: string;
  tokenLifeSeconds: number;
  failuresPerMinute: number;
  findApiUser(name: string, nowMs: number): MaybePromise<KnownApiUser | undefined | Denial>;
  checkPassword(
    name: string,
    known: KnownApiUser | undefined,
    password: string,
    nowMs: number,
  ): MaybePromise<Authentication | Denial>;
  /** Failed attempts per client id and address. */
  failures: Counters;
  /** Undefined where no signing key is active. */
  signer(nowMs: number): AccessTokenSigner | undefined;
  newTokenId(): string;
  noteUse(credentialId: string, address: string, nowMs: number): void;
  noteRefusal(denial: Denial, request: TokenRequest, known: KnownApiUser | undefined): void;
}

export interface Counters {
  take(key: string, perMinute: number, nowMs: number): LimitState;
  peek(key: string, perMinute: number, nowMs: number): LimitState;
}

/** Longer than any client id or username: what is longer shares a failure budget with its first characters. */
const CLIENT_ID_LENGTH_MAX = 256;

type Outcome = IssuedToken | Denial;

/** Trades an API user's credentials for an access token (RFC 6749 §4.4), or says why not. */
export function issueToken(services: IssuingServices, request: TokenRequest): MaybePromise<Outcome> {
  if (request.grantType !== undefined && request.grantType !== 'client_credentials') {
    return { denied: 'unsupported_grant_type' };
  }
  const nowMs = services.now();
  return andThen(services.findApiUser(request.clientId, nowMs), (known) => {
    if (known !== undefined && isDenial(known)) {
      services.noteRefusal(known, request, undefined);
      return known;
    }
    return andThen(authenticateAndGrant(services, request, known, nowMs), (outcome) => {
      if (isDenial(outcome)) services.noteRefusal(outcome, request, known);
      return outcome;
    });
  });
}

function authenticateAndGrant(
  services: IssuingServices,
  request: TokenRequest,
  known: KnownApiUser | undefined,
  nowMs: number,
): MaybePromise<Outcome> {
  // 1. Too many wrong guesses at this id from this network: before the secret is looked at, so that guessing is slowed.
  //    Usernames are compared without regard to letter case, and no spelling may have a budget of its own.
  const name = usernameKey(request.clientId.slice(0, CLIENT_ID_LENGTH_MAX));
  const failuresKey = `${name} ${limitedNetwork(request.address)}`;
  const budget = services.failures.peek(failuresKey, services.failuresPerMinute, nowMs);
  if (!budget.allowed) return tooMany('failures', budget);

  // 2. The secret, or the password.
  return andThen(authenticate(services, request, known, nowMs), (authentication) => {
    if (isDenial(authentication)) return authentication;
    if ('failure' in authentication || known === undefined) {
      services.failures.take(failuresKey, services.failuresPerMinute, nowMs);
      const reason = 'failure' in authentication ? authentication.failure : 'unknown_client_id';
      return { denied: 'invalid_client', reason };
    }
    return grantAndSign(services, request, known, authentication.credentialId, nowMs);
  });
}

function authenticate(
  services: IssuingServices,
  { clientId, clientSecret }: TokenRequest,
  known: KnownApiUser | undefined,
  nowMs: number,
): MaybePromise<Authentication | Denial> {
  return clientSecret.startsWith(SECRET_PREFIX)
    ? checkSecret(known, clientSecret, nowMs)
    : services.checkPassword(clientId, known, clientSecret, nowMs);
}

function grantAndSign(
  services: IssuingServices,
  request: TokenRequest,
  known: KnownApiUser,
  credentialId: string,
  nowMs: number,
): Outcome {
  // 3. The caller is who it says it is: its own limit, and where it may call from.
  const { policy } = known;
  const { state: limit, arrivalMs } = takeCall(known.arrivalMs, policy.limitPerMinute, nowMs);
  known.arrivalMs = arrivalMs;
  if (!limit.allowed) return tooMany('api-user', limit);
  if (policy.networks !== null && !policy.networks.includes(request.address)) {
    return { denied: 'unauthorized_client', reason: 'address_not_allowed' };
  }

  // 4. What it gets.
  const granted = grant(policy, request.scope, request.resource);
  if (isDenial(granted)) return granted;
  services.noteUse(credentialId, request.address, nowMs);
  return sign(services, known.clientId, granted, limit);
}

function sign(services: IssuingServices, clientId: string, granted: Grant, limit: LimitState): Outcome {
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

function tooMany(policy: LimitPolicy, limit: LimitState): Denial {
  return { denied: 'rate_limit_exceeded', policy, limit };
}
