import type { AccessTokenSigner } from './access-token.ts';
import { usernameKey } from './api-user.ts';
import { checkSecret, type Authentication } from './authenticate.ts';
import { isDenial, type Denial, type LimitPolicy } from './denial.ts';
import { grant, type Grant, type Grantable } from './grant.ts';
import { limitedNetwork, type NetworkSet } from './network.ts';
import type { PackedSecrets } from './packed-secrets.ts';
import type { LimitState } from './rate-limit.ts';
import { SECRET_PREFIX } from './secret.ts';

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
  findApiUser(
    name: string,
    nowMs: number,
  ): KnownApiUser | undefined | Denial | Promise<KnownApiUser | undefined | Denial>;
  checkPassword(
    known: KnownApiUser | undefined,
    password: string,
    nowMs: number,
  ): Authentication | Denial | Promise<Authentication | Denial>;
  /** Calls of an API user; failed attempts per client id and address. */
  calls: Counters;
  failures: Counters;
  signer(nowMs: number): AccessTokenSigner;
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

/** Trades an API user's credentials for an access token (RFC 6749 §4.4), or says why not. */
export async function issueToken(
  services: IssuingServices,
  request: TokenRequest,
): Promise<IssuedToken | Denial> {
  if (request.grantType !== undefined && request.grantType !== 'client_credentials') {
    return { denied: 'unsupported_grant_type' };
  }
  const nowMs = services.now();
  const found = services.findApiUser(request.clientId, nowMs);
  const known = found instanceof Promise ? await found : found;
  if (known !== undefined && isDenial(known)) return known;

  const outcome = await authenticateAndGrant(services, request, known, nowMs);
  if (isDenial(outcome)) services.noteRefusal(outcome, request, known);
  return outcome;
}

async function authenticateAndGrant(
  services: IssuingServices,
  request: TokenRequest,
  known: KnownApiUser | undefined,
  nowMs: number,
): Promise<IssuedToken | Denial> {
  // 1. Too many wrong guesses at this id from this network: before the secret is looked at, so that guessing is slowed.
  //    Usernames are compared without regard to letter case, and no spelling may have a budget of its own.
  const name = usernameKey(request.clientId.slice(0, CLIENT_ID_LENGTH_MAX));
  const failuresKey = `${name} ${limitedNetwork(request.address)}`;
  const budget = services.failures.peek(failuresKey, services.failuresPerMinute, nowMs);
  if (!budget.allowed) return tooMany('failures', budget);

  // 2. The secret, or the password.
  const checked = request.clientSecret.startsWith(SECRET_PREFIX)
    ? checkSecret(secretsOf(known), request.clientSecret, nowMs)
    : services.checkPassword(known, request.clientSecret, nowMs);
  const authentication = checked instanceof Promise ? await checked : checked;
  if (isDenial(authentication)) return authentication;
  if ('failure' in authentication || known === undefined) {
    services.failures.take(failuresKey, services.failuresPerMinute, nowMs);
    return {
      denied: 'invalid_client',
      reason: 'failure' in authentication ? authentication.failure : 'unknown_client_id',
    };
  }

  // 3. The caller is who it says it is: its own limit, and where it may call from.
  const limit = services.calls.take(known.clientId, known.policy.limitPerMinute, nowMs);
  if (!limit.allowed) return tooMany('api-user', limit);
  if (known.policy.networks !== null && !known.policy.networks.includes(request.address)) {
    return { denied: 'unauthorized_client', reason: 'address_not_allowed' };
  }

  // 4. What it gets.
  const granted = grant(known.policy, request.scope, request.resource);
  if (isDenial(granted)) return granted;
  services.noteUse(authentication.credentialId, request.address, nowMs);
  return sign(services, known.clientId, granted, limit);
}

function sign(services: IssuingServices, clientId: string, granted: Grant, limit: LimitState): IssuedToken {
  const nowMs = services.now(); // not that of the request's start: a password check takes its time
  const expiresInSeconds = services.tokenLifeSeconds;
  const accessToken = services.signer(nowMs)({
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

function secretsOf(
  known: KnownApiUser | undefined,
): { enabled: boolean; secrets: PackedSecrets } | undefined {
  return known === undefined ? undefined : { enabled: known.policy.enabled, secrets: known.secrets };
}
