import { usernameKey } from './api-user.ts';
import type { Denial } from './denial.ts';
import type { MaybePromise } from '../lib/maybe-promise.ts';
import { limitedNetwork } from './network.ts';
import type { Counters, LimitState } from './rate-limit.ts';
import { ownPart, type SharedLimits } from './shared-limit.ts';

// The budget for failed attempts, by client id and address. A wrong secret or assertion pays after its check
// (oauth/authenticate-api-user.ts). A password pays before its evaluation, which takes time, and gets a
// refund if it was right (oauth/guess-budget.ts): a hundred concurrent guesses count as a hundred.

export interface FailureBudgetServices {
  /** Milliseconds since 1970 (UTC). */
  now(): number;
  addressPerMinute: number;
  failuresPerMinute: number;
  /** Failed attempts per client id and address, as far as this process knows. */
  failures: Counters;
  /** The limits that processes count together; null if this process counts alone. */
  sharedLimits: SharedLimits | null;
}

/** The caller that makes a guess. */
export interface Guesser {
  /** A client id or a username. */
  clientId: string;
  address: string;
}

/** The payment for one guess. `shared`: the shared limits counted it, so they get the refund too. */
export interface Payment {
  perMinute: number;
  shared: boolean;
}

/** The budget of one guesser, for a guess whose evaluation takes time. */
export interface GuessBudget {
  /** Guesses with the same key share this budget. */
  key: string;
  /** The denial if the budget is exhausted, as far as this process knows. Takes nothing from the budget. */
  exhausted(): Denial | null;
  pay(): MaybePromise<Payment | Denial>;
  refund(payment: Payment): MaybePromise<void>;
}

/** Longer than any client id or username. Longer texts share the budget of their first characters. */
const CLIENT_ID_LENGTH_MAX = 256;

/** Usernames match in any letter case, so all spellings of one share a budget. */
export function failuresKey({ clientId, address }: Guesser): string {
  return `${usernameKey(clientId.slice(0, CLIENT_ID_LENGTH_MAX))} ${limitedNetwork(address)}`;
}

export function exhaustedBudget(
  { failures, failuresPerMinute, sharedLimits }: FailureBudgetServices,
  guesser: Guesser,
  nowMs: number,
): Denial | null {
  if (failures.idle(nowMs)) return null;
  const perMinute =
    sharedLimits === null ? failuresPerMinute : ownPart(failuresPerMinute, sharedLimits.parts());
  const state = failures.peek(failuresKey(guesser), perMinute, nowMs);
  return state.allowed ? null : tooManyFailures(state);
}

/** Counts a failed attempt in this process, against its part of the budget: one of `parts` equal parts. */
export function payHere(
  { failures, failuresPerMinute }: FailureBudgetServices,
  guesser: Guesser,
  parts: number,
  nowMs: number,
): Payment | Denial {
  const perMinute = ownPart(failuresPerMinute, parts);
  const state = failures.consume(failuresKey(guesser), perMinute, nowMs);
  return state.allowed ? { perMinute, shared: false } : tooManyFailures(state);
}

function tooManyFailures(limit: LimitState): Denial {
  return { denied: 'rate_limit_exceeded', policy: 'failures', limit };
}
