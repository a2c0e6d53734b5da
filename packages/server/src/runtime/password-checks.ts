import { usernameKey } from '../domain/api-user.ts';
import type { Authentication } from '../domain/check-secret.ts';
import type { Caller } from '../domain/caller.ts';
import { credentialState } from '../domain/credential.ts';
import { isDenial, type Denial } from '../domain/denial.ts';
import type { GuessBudget } from '../domain/failure-budget.ts';
import {
  allowsAddress,
  disabledBy,
  type KnownApiUser,
  type KnownPassword,
} from '../domain/known-api-user.ts';
import { NO_PASSWORD } from '../domain/password.ts';
import { passwordEvaluations } from './password-evaluations.ts';
import type { MaybePromise } from '../lib/maybe-promise.ts';
import { singleFlight } from '../lib/single-flight.ts';

export interface PasswordCheckSettings {
  passwordChecksMax: number;
  passwordQueueMax: number;
}

/**
 * Returns a value if the guess costs nothing. Otherwise returns a promise: the guess is paid for, and
 * refunded if it was right or the queue was full.
 */
export type PasswordCheck = (
  caller: Caller,
  apiUser: KnownApiUser | undefined,
  nowMs: number,
  budget: GuessBudget,
) => MaybePromise<Authentication | Denial>;

/** At most this many verified passwords are remembered; then all are forgotten. */
const VERIFIED_MAX = 10_000;

const BUSY = { denied: 'temporarily_unavailable', reason: 'too many password checks wait' } as const;

/**
 * Checks passwords, which are hashed slowly, on the thread pool: a few at a time, a short queue behind them,
 * and 503 for the rest. Whatever the client id, a guess costs exactly one slow hash and is paid for before
 * it. After a password was accepted, a keyed digest recognises it until its credential changes.
 */
export function createPasswordCheck(
  settings: PasswordCheckSettings,
  passwordsExist: () => boolean,
): PasswordCheck {
  const verified = new Map<string, { hash: string; proof: string }>();
  const guesses = singleFlight<Denial | { matches: boolean }>();
  const { proofOf, evaluate } = passwordEvaluations(settings.passwordChecksMax, settings.passwordQueueMax);

  function isRemembered(candidate: KnownPassword, proof: string): boolean {
    const remembered = verified.get(candidate.credentialId);
    return remembered !== undefined && remembered.hash === candidate.hash && remembered.proof === proof;
  }

  function remember({ credentialId, hash }: KnownPassword, proof: string): void {
    if (verified.size >= VERIFIED_MAX) verified.clear();
    verified.set(credentialId, { hash, proof });
  }

  async function evaluatePaid(
    { clientId, clientSecret }: Caller,
    hash: string,
    accepted: (matches: boolean) => boolean,
    budget: GuessBudget,
  ): Promise<Denial | { matches: boolean }> {
    const payment = await budget.pay();
    if (isDenial(payment)) return payment;
    const evaluating = evaluate(usernameKey(clientId), clientSecret, hash);
    const matches = evaluating === null ? null : await evaluating;
    if (matches === null || accepted(matches)) await budget.refund(payment);
    return matches === null ? BUSY : { matches };
  }

  return (caller, apiUser, nowMs, budget) => {
    // If the store has no password at all, only a generated secret can be right, for any client id.
    if (!passwordsExist()) {
      return (
        budget.exhausted() ?? { failure: apiUser === undefined ? 'unknown_client_id' : 'malformed_secret' }
      );
    }
    const proof = proofOf(caller.clientSecret);
    const candidate = newestPassword(apiUser, nowMs);
    const hash = candidate?.hash ?? NO_PASSWORD;
    // Identical guesses by one guesser at the same time are paid for and evaluated once.
    const key = `${proof} ${hash} ${budget.key}`;
    const joined = guesses.get(key);
    const refused = joined === undefined ? budget.exhausted() : null;
    if (refused !== null) return refused;
    const accepted = (matches: boolean) => 'credentialId' in outcome(apiUser, candidate, matches, nowMs);
    // A fast refusal would reveal that the password is right. So memory only accepts, and refusing a right
    // password costs a slow hash, like a wrong one.
    if (
      candidate !== undefined &&
      accepted(true) &&
      mayCallFrom(apiUser, caller) &&
      isRemembered(candidate, proof)
    ) {
      return { credentialId: candidate.credentialId };
    }
    const evaluating = joined ?? guesses.add(key, evaluatePaid(caller, hash, accepted, budget));
    return evaluating.then((evaluated) => {
      if (isDenial(evaluated)) return evaluated;
      if (candidate !== undefined && accepted(evaluated.matches)) remember(candidate, proof);
      return outcome(apiUser, candidate, evaluated.matches, nowMs);
    });
  };
}

function mayCallFrom(apiUser: KnownApiUser | undefined, { address }: Caller): boolean {
  return apiUser === undefined || allowsAddress(apiUser.policy, address);
}

/** The live password, or else the newest one, for the log. An API user has at most one live password. */
function newestPassword(apiUser: KnownApiUser | undefined, nowMs: number): KnownPassword | undefined {
  const passwords = apiUser?.others?.passwords ?? [];
  return passwords.find((password) => credentialState(password, nowMs) === 'live') ?? passwords[0];
}

function outcome(
  apiUser: KnownApiUser | undefined,
  candidate: KnownPassword | undefined,
  matches: boolean,
  nowMs: number,
): Authentication {
  if (apiUser === undefined) return { failure: 'unknown_client_id' };
  if (candidate === undefined || !matches) return { failure: 'wrong_password' };
  if (credentialState(candidate, nowMs) !== 'live') return { failure: 'expired_password' };
  const disabled = disabledBy(apiUser.policy);
  return disabled === null ? { credentialId: candidate.credentialId } : { failure: disabled };
}
