import { usernameKey } from './api-user.ts';
import { checkSecret, type Authentication } from './authenticate.ts';
import { andThen, type MaybePromise } from './and-then.ts';
import { isDenial, type Denial, type LimitPolicy } from './denial.ts';
import type { KnownApiUser } from './known-api-user.ts';
import { limitedNetwork } from './network.ts';
import { takeCall, type LimitState } from './rate-limit.ts';
import { SECRET_PREFIX } from './secret.ts';

/** Who calls, and how it proves that. */
export interface Caller {
  /** A client id or a username. */
  clientId: string;
  /** A generated secret or a password. */
  clientSecret: string;
  /** The caller's address, without a port. */
  address: string;
  /** 32 hexadecimal digits: the request in the log. */
  traceId: string;
}

/** An API user that has proven who it is. */
export interface Authenticated {
  known: KnownApiUser;
  /** The credential that it used. */
  credentialId: string;
  /** Its own limit, this call counted. */
  limit: LimitState;
  /** When the request came. */
  nowMs: number;
}

/** What authenticating needs of the process around it. Nothing here waits for a database where the API user is known. */
export interface AuthenticatingServices {
  /** Milliseconds since 1970 (UTC). */
  now(): number;
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
  /** `tokens`: that came of it, one or none. */
  noteUse(known: KnownApiUser, credentialId: string, address: string, nowMs: number, tokens: number): void;
  noteRefusal(denial: Denial, caller: Caller, known: KnownApiUser | undefined): void;
}

export interface Counters {
  /** True where nothing is counted: no key has to be put together to ask about it. */
  idle(nowMs: number): boolean;
  take(key: string, perMinute: number, nowMs: number): LimitState;
  peek(key: string, perMinute: number, nowMs: number): LimitState;
}

/** Longer than any client id or username: what is longer shares a failure budget with its first characters. */
const CLIENT_ID_LENGTH_MAX = 256;

/**
 * Does `act` for the API user that calls, once it has proven who it is: the same steps, limits and timing for every
 * endpoint that takes credentials. A function and its arguments, not a closure: this is the hot path.
 */
export function asApiUser<C extends Caller, S extends AuthenticatingServices, T extends object>(
  services: S,
  caller: C,
  act: (services: S, caller: C, authenticated: Authenticated) => MaybePromise<T | Denial>,
): MaybePromise<T | Denial> {
  const nowMs = services.now();
  return andThen(services.findApiUser(caller.clientId, nowMs), (known) => {
    if (known !== undefined && isDenial(known)) {
      services.noteRefusal(known, caller, undefined);
      return known;
    }
    return andThen(authenticateAndAct(services, caller, known, nowMs, act), (outcome) => {
      if (isDenial(outcome)) services.noteRefusal(outcome, caller, known);
      return outcome;
    });
  });
}

function authenticateAndAct<C extends Caller, S extends AuthenticatingServices, T extends object>(
  services: S,
  caller: C,
  known: KnownApiUser | undefined,
  nowMs: number,
  act: (services: S, caller: C, authenticated: Authenticated) => MaybePromise<T | Denial>,
): MaybePromise<T | Denial> {
  // 1. Too many wrong guesses at this id from this network: before the secret is looked at, so that guessing is slowed.
  const { failures, failuresPerMinute } = services;
  if (!failures.idle(nowMs)) {
    const budget = failures.peek(failuresKey(caller), failuresPerMinute, nowMs);
    if (!budget.allowed) return tooMany('failures', budget);
  }

  // 2. The secret, or the password.
  return andThen(authenticate(services, caller, known, nowMs), (authentication) => {
    if (isDenial(authentication)) return authentication;
    if ('failure' in authentication || known === undefined) {
      failures.take(failuresKey(caller), failuresPerMinute, nowMs);
      const reason = 'failure' in authentication ? authentication.failure : 'unknown_client_id';
      return { denied: 'invalid_client', reason };
    }

    // 3. The caller is who it says it is: its own limit, and where it may call from.
    const { policy } = known;
    const { state: limit, arrivalMs } = takeCall(known.arrivalMs, policy.limitPerMinute, nowMs);
    known.arrivalMs = arrivalMs;
    if (!limit.allowed) return tooMany('api-user', limit);
    if (policy.networks !== null && !policy.networks.includes(caller.address)) {
      return { denied: 'unauthorized_client', reason: 'address_not_allowed' };
    }
    return act(services, caller, { known, credentialId: authentication.credentialId, limit, nowMs });
  });
}

/** Usernames are compared without regard to letter case, and no spelling may have a budget of its own. */
function failuresKey({ clientId, address }: Caller): string {
  return `${usernameKey(clientId.slice(0, CLIENT_ID_LENGTH_MAX))} ${limitedNetwork(address)}`;
}

function authenticate(
  services: AuthenticatingServices,
  { clientId, clientSecret }: Caller,
  known: KnownApiUser | undefined,
  nowMs: number,
): MaybePromise<Authentication | Denial> {
  return clientSecret.startsWith(SECRET_PREFIX)
    ? checkSecret(known, clientSecret, nowMs)
    : services.checkPassword(clientId, known, clientSecret, nowMs);
}

function tooMany(policy: LimitPolicy, limit: LimitState): Denial {
  return { denied: 'rate_limit_exceeded', policy, limit };
}
