import type { Caller } from '../domain/caller.ts';
import { checkSecret, type Authentication } from '../domain/check-secret.ts';
import { andThen, type MaybePromise } from '../lib/maybe-promise.ts';
import { isDenial, type Denial, type LimitPolicy } from '../domain/denial.ts';
import {
  exhaustedBudget,
  failuresKey,
  guessBudget,
  payHere,
  type FailureBudgetServices,
  type GuessBudget,
} from '../domain/failure-budget.ts';
import type { KnownApiUser } from '../domain/known-api-user.ts';
import { limitedNetwork } from '../domain/network.ts';
import { takeCall, type LimitState } from '../domain/rate-limit.ts';
import { SECRET_PREFIX } from '../domain/secret.ts';
import { ownPart, type SharedCall, type SharedLimits } from '../domain/shared-limit.ts';

/** An API user that has proven who it is. */
export interface Authenticated {
  known: KnownApiUser;
  /** The credential that it used. */
  credentialId: string;
  /** Its own limit, this call counted. */
  limit: LimitState;
  /** When the request came; after a long wait, when that was over. */
  nowMs: number;
}

/** What authenticating needs of the process around it. Nothing here waits for a database where the API user is known. */
export interface AuthenticatingServices extends FailureBudgetServices {
  findApiUser(name: string, nowMs: number, again?: boolean): MaybePromise<KnownApiUser | undefined | Denial>;
  /** A value, not a promise: nothing was paid for it. A promise: the guess was paid for, and given back if it was right. */
  checkPassword(
    caller: Caller,
    known: KnownApiUser | undefined,
    nowMs: number,
    budget: GuessBudget,
  ): MaybePromise<Authentication | Denial>;
  /** `tokens`: that came of it, one or none. */
  noteUse(known: KnownApiUser, credentialId: string, address: string, nowMs: number, tokens: number): void;
  noteRefusal(denial: Denial, caller: Caller, known: KnownApiUser | undefined): void;
}

/** After that a secret is looked at again, which may have expired meanwhile. */
const LONG_WAIT_MS = 1000;
/** Where each of so many took that long, the process does nothing but sleep. */
const LOOKS_MAX = 3;

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
  const found = services.findApiUser(caller.clientId, nowMs);
  return andThen(found, (known) => {
    if (known !== undefined && isDenial(known)) {
      services.noteRefusal(known, caller, undefined);
      return known;
    }
    const authenticating = authenticateWithinLimits(services, caller, known, nowMs);
    const hasWaited = found instanceof Promise || authenticating instanceof Promise;
    const authenticated = hasWaited ? lookAgain(services, caller, authenticating) : authenticating;
    const acting = andThen(authenticated, (outcome) =>
      isDenial(outcome) ? outcome : actFromItsNetwork(services, caller, outcome, act),
    );
    return andThen(acting, (outcome) => {
      if (isDenial(outcome)) services.noteRefusal(outcome, caller, known);
      return outcome;
    });
  });
}

function authenticateWithinLimits(
  services: AuthenticatingServices,
  caller: Caller,
  known: KnownApiUser | undefined,
  nowMs: number,
): MaybePromise<Authenticated | Denial> {
  const checking = authenticate(services, caller, known, nowMs);
  if (!(checking instanceof Promise)) {
    return isDenial(checking) ? checking : limited(services, caller, known, checking, nowMs);
  }
  return checking.then((authentication) => {
    if (isDenial(authentication)) return authentication;
    if ('failure' in authentication) return failed(authentication); // paid for already
    return limited(services, caller, known, authentication, nowMs);
  });
}

/** Takes the call from the limits: of this process, or of all. */
function limited(
  services: AuthenticatingServices,
  caller: Caller,
  known: KnownApiUser | undefined,
  authentication: Authentication,
  nowMs: number,
): MaybePromise<Authenticated | Denial> {
  const { sharedLimits } = services;
  return sharedLimits === null
    ? limitAlone(services, caller, known, authentication, nowMs, 1)
    : limitTogether(services, sharedLimits, caller, known, authentication, nowMs);
}

/** With the limits that this process counts by itself: all of them, or one of `parts` parts. */
function limitAlone(
  services: AuthenticatingServices,
  caller: Caller,
  known: KnownApiUser | undefined,
  authentication: Authentication,
  nowMs: number,
  parts: number,
): Authenticated | Denial {
  if ('failure' in authentication || known === undefined) {
    const payment = payHere(services, caller, parts, nowMs);
    return isDenial(payment) ? payment : failed(authentication);
  }
  const perMinute = ownPart(known.policy.limitPerMinute, parts);
  const { state: limit, arrivalMs } = takeCall(known.arrivalMs, perMinute, nowMs);
  known.arrivalMs = arrivalMs;
  if (!limit.allowed) return tooMany('api-user', limit);
  return { known, credentialId: authentication.credentialId, limit, nowMs };
}

/** With the limits that all processes count together, in one call. */
async function limitTogether(
  services: AuthenticatingServices,
  shared: SharedLimits,
  caller: Caller,
  known: KnownApiUser | undefined,
  authentication: Authentication,
  nowMs: number,
): Promise<Authenticated | Denial> {
  const askedAt = services.now(); // not that of the request's start: a password check takes its time
  const isKnown = !('failure' in authentication) && known !== undefined;
  const call: SharedCall = {
    network: limitedNetwork(caller.address),
    addressPerMinute: services.addressPerMinute,
    failuresKey: failuresKey(caller),
    failuresPerMinute: services.failuresPerMinute,
    failuresChange: isKnown ? 0 : 1,
    apiUser: isKnown
      ? {
          id: known.clientId,
          perMinute: known.policy.limitPerMinute,
          aheadMs: Math.max(0, known.arrivalMs - askedAt),
        }
      : null,
  };
  const verdict = await shared.take(call, askedAt);
  if (verdict === null) {
    // Others may have used the budget up during the wait.
    return (
      exhaustedBudget(services, caller, askedAt) ??
      limitAlone(services, caller, known, authentication, askedAt, shared.processes)
    );
  }
  const { refusedBy, limit, apiUserAheadMs } = verdict;
  if (known !== undefined && apiUserAheadMs !== null) known.arrivalMs = askedAt + apiUserAheadMs;
  if (refusedBy !== null) return tooMany(refusedBy, limit);
  if ('failure' in authentication || known === undefined) return failed(authentication);
  return { known, credentialId: authentication.credentialId, limit, nowMs };
}

/**
 * After a wait (for a look-up, a password check, shared limits), which is as long as a sleep of the process where it fell asleep
 * meanwhile: what is known of the API user now decides. Most often that is the same. To look may be a wait, too.
 */
async function lookAgain(
  services: AuthenticatingServices,
  caller: Caller,
  authenticating: MaybePromise<Authenticated | Denial>,
): Promise<Authenticated | Denial> {
  let outcome = await authenticating;
  for (let looks = 0; looks < LOOKS_MAX; looks++) {
    if (isDenial(outcome)) return outcome;
    const nowMs = services.now();
    const known = await services.findApiUser(caller.clientId, nowMs, true);
    if (known !== undefined && isDenial(known)) return known;
    if (known !== outcome.known || nowMs - outcome.nowMs >= LONG_WAIT_MS) {
      outcome = await authenticateAgain(services, caller, known, nowMs, outcome.limit);
    }
    if (services.now() - nowMs < LONG_WAIT_MS) return outcome;
  }
  return { denied: 'temporarily_unavailable', reason: 'each look at the API user took more than a second' };
}

/** Its call is counted already. */
async function authenticateAgain(
  services: AuthenticatingServices,
  caller: Caller,
  known: KnownApiUser | undefined,
  nowMs: number,
  limit: LimitState,
): Promise<Authenticated | Denial> {
  const authentication = isSecret(caller)
    ? checkSecret(known, caller.clientSecret, nowMs)
    : await authenticate(services, caller, known, nowMs);
  if (isDenial(authentication)) return authentication;
  if ('failure' in authentication || known === undefined) return failed(authentication);
  return { known, credentialId: authentication.credentialId, limit, nowMs };
}

/** The last step before what the caller came for: may it be called from here? */
function actFromItsNetwork<C extends Caller, S extends AuthenticatingServices, T extends object>(
  services: S,
  caller: C,
  authenticated: Authenticated,
  act: (services: S, caller: C, authenticated: Authenticated) => MaybePromise<T | Denial>,
): MaybePromise<T | Denial> {
  const { networks } = authenticated.known.policy;
  if (networks !== null && !networks.includes(caller.address)) {
    return { denied: 'unauthorized_client', reason: 'address_not_allowed' };
  }
  return act(services, caller, authenticated);
}

function failed(authentication: Authentication): Denial {
  const reason = 'failure' in authentication ? authentication.failure : 'unknown_client_id';
  return { denied: 'invalid_client', reason };
}

/** Nothing is evaluated without budget: neither a secret nor a password. */
function authenticate(
  services: AuthenticatingServices,
  caller: Caller,
  known: KnownApiUser | undefined,
  nowMs: number,
): MaybePromise<Authentication | Denial> {
  if (!isSecret(caller)) return services.checkPassword(caller, known, nowMs, guessBudget(services, caller));
  // This check takes no time: nothing else runs, and no answer is sent, before its cost is taken from the budget.
  return exhaustedBudget(services, caller, nowMs) ?? checkSecret(known, caller.clientSecret, nowMs);
}

function isSecret({ clientSecret }: Caller): boolean {
  return clientSecret.startsWith(SECRET_PREFIX);
}

function tooMany(policy: LimitPolicy, limit: LimitState): Denial {
  return { denied: 'rate_limit_exceeded', policy, limit };
}
