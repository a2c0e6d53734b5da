import type { Assertion } from '../domain/assertion.ts';
import type { Caller } from '../domain/caller.ts';
import { checkSecret, type Authentication } from '../domain/check-secret.ts';
import { isDenial, type Denial, type LimitPolicy } from '../domain/denial.ts';
import {
  exhaustedBudget,
  failuresKey,
  payHere,
  type FailureBudgetServices,
  type GuessBudget,
} from '../domain/failure-budget.ts';
import { guessBudget } from './guess-budget.ts';
import {
  allowsAddress,
  disabledBy,
  type CredentialUse,
  type KnownApiUser,
} from '../domain/known-api-user.ts';
import type { KnownOrganisation } from '../domain/known-organisation.ts';
import { limitedNetwork } from '../domain/network.ts';
import type { LimitState } from '../domain/rate-limit.ts';
import { refusal, type Refusal } from '../domain/refusal.ts';
import { SECRET_PREFIX } from '../domain/secret.ts';
import {
  ownPart,
  takeBoth,
  type KeptLimit,
  type SharedCall,
  type SharedLimits,
  type SharedOrganisation,
} from '../domain/shared-limit.ts';
import type { MaybePromise } from '../lib/maybe-promise.ts';
import { checkAssertion } from './authenticate-by-assertion.ts';
import type { AssertionServices } from './proof.ts';

/** An authenticated API user, and the credential that it used. */
export interface Authenticated extends CredentialUse {
  /** The state of its own limit, including this call. */
  limit: LimitState;
}

/**
 * What authenticating needs from the process. For an API user in memory no part of it waits for a database.
 */
export interface AuthenticatingServices extends FailureBudgetServices {
  assertions: AssertionServices;
  findApiUser(name: string, nowMs: number, again?: boolean): MaybePromise<KnownApiUser | undefined | Denial>;
  /** Returns a value if the guess was not charged, and a promise if it was. A right guess is refunded. */
  checkPassword(
    caller: Caller,
    apiUser: KnownApiUser | undefined,
    nowMs: number,
    budget: GuessBudget,
  ): MaybePromise<Authentication | Denial>;
  /** `tokens`: how many were issued, 1 or 0. */
  noteUse(use: CredentialUse, address: string, tokens: number): void;
}

/** A caller, and the API user that it names, if known. */
interface Attempt {
  caller: Caller;
  apiUser: KnownApiUser | undefined;
  /** The time at which the credentials are checked. */
  nowMs: number;
}

/** After a wait this long the credentials are checked again: they may have expired. */
const LONG_WAIT_MS = 1000;
/** If this many look-ups take that long, the process is suspended most of the time. */
const LOOK_UPS_MAX = 3;

/**
 * Authenticates the calling API user, with the same steps, limits and timing for every endpoint that takes
 * credentials. Does not wait if the API user is in memory, has a secret, and limits are not shared.
 */
export function authenticateApiUser(
  services: AuthenticatingServices,
  caller: Caller,
  nowMs: number,
): MaybePromise<Authenticated | Refusal> {
  const apiUser = services.findApiUser(caller.clientId, nowMs);
  if (apiUser instanceof Promise) return authenticateAfterLookUp(services, caller, apiUser, nowMs);
  if (apiUser !== undefined && isDenial(apiUser)) return refusal(apiUser, caller);
  const attempt = { caller, apiUser, nowMs };
  const outcome = authenticateWithinLimits(services, attempt);
  return outcome instanceof Promise
    ? authenticateAfterWait(services, attempt, outcome)
    : withinItsNetworks(attempt, outcome);
}

async function authenticateAfterLookUp(
  services: AuthenticatingServices,
  caller: Caller,
  lookUp: Promise<KnownApiUser | undefined | Denial>,
  nowMs: number,
): Promise<Authenticated | Refusal> {
  const apiUser = await lookUp;
  if (apiUser !== undefined && isDenial(apiUser)) return refusal(apiUser, caller);
  const attempt = { caller, apiUser, nowMs };
  return await authenticateAfterWait(services, attempt, authenticateWithinLimits(services, attempt));
}

async function authenticateAfterWait(
  services: AuthenticatingServices,
  attempt: Attempt,
  outcome: MaybePromise<Authenticated | Denial>,
): Promise<Authenticated | Refusal> {
  return withinItsNetworks(attempt, await confirm(services, attempt.caller, await outcome));
}

/** The last step: checks whether the API user, and its organisation, may call from this network. */
function withinItsNetworks(
  { caller, apiUser }: Attempt,
  outcome: Authenticated | Denial,
): Authenticated | Refusal {
  if (isDenial(outcome)) return refusal(outcome, caller, apiUser);
  return allowsAddress(outcome.apiUser.policy, caller.address)
    ? outcome
    : refusal({ denied: 'unauthorized_client', reason: 'address_not_allowed' }, caller, apiUser);
}

function authenticateWithinLimits(
  services: AuthenticatingServices,
  attempt: Attempt,
): MaybePromise<Authenticated | Denial> {
  const checking = checkCredentials(services, attempt);
  if (!(checking instanceof Promise)) {
    return isDenial(checking) ? checking : countCall(services, attempt, checking);
  }
  return checking.then((authentication) => {
    if (isDenial(authentication)) return authentication;
    // A wrong password is charged to the budget before its evaluation, an assertion after it.
    if ('failure' in authentication && attempt.caller.assertion === null) {
      return invalidClient(authentication);
    }
    return countCall(services, attempt, authentication);
  });
}

/** Checks no secret, password or assertion if the budget is used up. */
function checkCredentials(
  services: AuthenticatingServices,
  attempt: Attempt,
): MaybePromise<Authentication | Denial> {
  const { caller, apiUser, nowMs } = attempt;
  if (caller.assertion !== null) return checkAssertionOf(services, attempt, caller.assertion, true);
  if (!isSecret(caller)) return services.checkPassword(caller, apiUser, nowMs, guessBudget(services, caller));
  // The check is synchronous: no other request runs, and no answer is sent, before the budget pays for it.
  return exhaustedBudget(services, caller, nowMs) ?? checkSecret(apiUser, caller.clientSecret, nowMs);
}

function checkAssertionOf(
  services: AuthenticatingServices,
  attempt: Attempt,
  assertion: Assertion,
  consumes: boolean,
): MaybePromise<Authentication | Denial> {
  const exhausted = () => exhaustedBudget(services, attempt.caller, services.now());
  return exhausted() ?? checkAssertion(services.assertions, { ...attempt, assertion, exhausted }, consumes);
}

/** Counts the call on the limits of this process, or on those that all processes share. */
function countCall(
  services: AuthenticatingServices,
  attempt: Attempt,
  authentication: Authentication,
): MaybePromise<Authenticated | Denial> {
  return services.sharedLimits === null
    ? countHere(services, attempt, authentication, 1)
    : countTogether(services, attempt, authentication, services.sharedLimits);
}

/** Counts on the limits of this process: the full limits, or one of `parts` equal parts. */
function countHere(
  services: AuthenticatingServices,
  attempt: Attempt,
  authentication: Authentication,
  parts: number,
): Authenticated | Denial {
  const { caller, apiUser, nowMs } = attempt;
  if ('failure' in authentication || apiUser === undefined) {
    const payment = payHere(services, caller, parts, nowMs);
    return isDenial(payment) ? payment : invalidClient(authentication);
  }
  const { organisation } = apiUser.policy;
  const own = { perMinute: ownPart(apiUser.policy.limitPerMinute, parts), arrivalMs: apiUser.arrivalMs };
  const { refusedBy, state, arrivalMs, organisationMs } = takeBoth(own, limitOf(organisation, parts), nowMs);
  apiUser.arrivalMs = arrivalMs;
  if (organisation !== null && organisationMs !== null) organisation.arrivalMs = organisationMs;
  if (refusedBy !== null) return tooMany(refusedBy, state);
  return authenticated(attempt, authentication, state);
}

function limitOf(organisation: KnownOrganisation | null, parts: number): KeptLimit | null {
  if (organisation === null || organisation.limitPerMinute === null) return null;
  return {
    perMinute: ownPart(organisation.limitPerMinute, parts),
    arrivalMs: organisation.arrivalMs,
  };
}

/** Counts on the limits that all processes share, in one call. */
async function countTogether(
  services: AuthenticatingServices,
  attempt: Attempt,
  authentication: Authentication,
  shared: SharedLimits,
): Promise<Authenticated | Denial> {
  const { caller, apiUser } = attempt;
  const nowMs = services.now(); // later than the attempt's: a password check takes time
  const isKnown = !('failure' in authentication) && apiUser !== undefined;
  const call: SharedCall = {
    network: limitedNetwork(caller.address),
    addressPerMinute: services.addressPerMinute,
    failuresKey: failuresKey(caller),
    failuresPerMinute: services.failuresPerMinute,
    failuresChange: isKnown ? 0 : 1,
    apiUser: isKnown
      ? {
          id: apiUser.clientId,
          perMinute: apiUser.policy.limitPerMinute,
          aheadMs: Math.max(0, apiUser.arrivalMs - nowMs),
          organisation: sharedOrganisation(apiUser.policy.organisation, nowMs),
        }
      : null,
  };
  const verdict = await shared.count(call, nowMs);
  if (verdict === null) {
    // Other requests may have used up the budget during the wait.
    return (
      exhaustedBudget(services, caller, nowMs) ??
      countHere(services, { caller, apiUser, nowMs }, authentication, shared.processes)
    );
  }
  const { refusedBy, limit, apiUserAheadMs, organisationAheadMs } = verdict;
  const organisation = apiUser?.policy.organisation ?? null;
  if (apiUser !== undefined && apiUserAheadMs !== null) apiUser.arrivalMs = nowMs + apiUserAheadMs;
  if (organisation !== null && organisationAheadMs !== null) {
    organisation.arrivalMs = nowMs + organisationAheadMs;
  }
  if (refusedBy !== null) return tooMany(refusedBy, limit);
  return authenticated(attempt, authentication, limit);
}

function sharedOrganisation(
  organisation: KnownOrganisation | null,
  nowMs: number,
): SharedOrganisation | null {
  if (organisation === null || organisation.limitPerMinute === null) return null;
  const { id, limitPerMinute, arrivalMs } = organisation;
  return { id, perMinute: limitPerMinute, aheadMs: Math.max(0, arrivalMs - nowMs) };
}

/**
 * After a wait for a look-up, a password check or shared limits, checks that the API user has not changed:
 * the process may even have been suspended. The look-up may take time, too. A change of its organisation does
 * not replace the API user in memory, so it is checked, too.
 */
async function confirm(
  services: AuthenticatingServices,
  caller: Caller,
  outcome: Authenticated | Denial,
): Promise<Authenticated | Denial> {
  let current = outcome;
  for (let lookUps = 0; lookUps < LOOK_UPS_MAX; lookUps++) {
    if (isDenial(current)) return current;
    const attemptMs = services.now();
    const apiUser = await services.findApiUser(caller.clientId, attemptMs, true);
    if (apiUser !== undefined && isDenial(apiUser)) return apiUser;
    const isDisabled = apiUser !== undefined && disabledBy(apiUser.policy) !== null;
    if (apiUser !== current.apiUser || isDisabled || attemptMs - current.nowMs >= LONG_WAIT_MS) {
      current = await authenticateAgain(services, { caller, apiUser, nowMs: attemptMs }, current.limit);
    }
    const nowMs = services.now();
    if (nowMs - attemptMs < LONG_WAIT_MS) return isDenial(current) ? current : { ...current, nowMs };
  }
  return { denied: 'temporarily_unavailable', reason: 'each look at the API user took more than a second' };
}

/** Authenticates again, without counting the call a second time. */
async function authenticateAgain(
  services: AuthenticatingServices,
  attempt: Attempt,
  limit: LimitState,
): Promise<Authenticated | Denial> {
  const authentication = await checkAgain(services, attempt);
  return isDenial(authentication) ? authentication : authenticated(attempt, authentication, limit);
}

function checkAgain(
  services: AuthenticatingServices,
  attempt: Attempt,
): MaybePromise<Authentication | Denial> {
  const { caller, apiUser, nowMs } = attempt;
  if (caller.assertion !== null) return checkAssertionOf(services, attempt, caller.assertion, false);
  return isSecret(caller)
    ? checkSecret(apiUser, caller.clientSecret, nowMs)
    : checkCredentials(services, attempt);
}

function authenticated(
  { apiUser, nowMs }: Attempt,
  authentication: Authentication,
  limit: LimitState,
): Authenticated | Denial {
  if ('failure' in authentication || apiUser === undefined) return invalidClient(authentication);
  return {
    apiUser,
    credentialId: authentication.credentialId,
    subject: authentication.subject ?? null,
    limit,
    nowMs,
  };
}

function isSecret({ clientSecret }: Caller): boolean {
  return clientSecret.startsWith(SECRET_PREFIX);
}

function invalidClient(authentication: Authentication): Denial {
  return 'failure' in authentication
    ? { denied: 'invalid_client', reason: authentication.failure, refusedBy: authentication.refusedBy }
    : { denied: 'invalid_client', reason: 'unknown_client_id' };
}

function tooMany(policy: LimitPolicy, limit: LimitState): Denial {
  return { denied: 'rate_limit_exceeded', policy, limit };
}
