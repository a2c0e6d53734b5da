import type { Config } from '../../config/config.ts';
import { emailKey, type Operator } from '../../domain/operator.ts';
import { NO_PASSWORD } from '../../domain/password.ts';
import { AppError } from '../../domain/app-error.ts';
import { sessionEnd } from '../../domain/session.ts';
import type { FailedSignIns } from './failed-sign-ins.ts';
import { createKnownBrowsers } from './known-browsers.ts';
import {
  findMemberInvitation,
  inspectedMembership,
  joinOrganisation,
  requiredPassword,
  type AcceptanceInput,
  type Joined,
} from './join-organisation.ts';
import type { FactorRefusal } from './profile.ts';
import { hashOfChosenPassword } from './password.ts';
import {
  acceptInvitation,
  findInvitation,
  operatorActor,
  signInOperator,
  type SignInOutcome,
  type Started,
} from './start-session.ts';
import type { MasterKey } from '../../storage/master-key.ts';
import { passwordEvaluations } from '../../runtime/password-evaluations.ts';
import type { Caller, InspectedInvitation, SignedIn, SignInDenial } from './sign-in-outcome.ts';
import {
  signInBudgets,
  type Paid,
  type SignInBudgetConfig,
  type SignInCounters,
  type TooMany,
} from './sign-in-budgets.ts';
import type { Store } from '../../storage/store.ts';

export interface SignIn {
  signIn(
    input: { email: string; password: string; code?: string },
    from: Caller,
  ): Promise<SignedIn | SignInDenial>;
  /** Throws an AppError if the link is not valid. `current`: the account of the session of this browser. */
  inspect(
    token: string,
    address: string,
    current: Operator | null,
  ): Promise<InspectedInvitation | SignInDenial>;
  /** Throws an AppError if the link is not valid, or the password is weak. */
  accept(
    input: AcceptanceInput,
    from: Caller,
    current: Operator | null,
  ): Promise<SignedIn | Joined | SignInDenial>;
  /** Checks the password of a signed-in operator again. Resolves to the hash that it matched. */
  confirm(operator: Operator, password: string): Promise<{ checkedHash: string } | SignInDenial>;
  /** Charges the budget of an address for one attempt; null: it has budget left. */
  payForAddress(address: string): Promise<TooMany | null>;
  /** Charges the budget for a code that a signed-in operator sends. */
  payForCode(operator: Operator): Promise<Paid | TooMany>;
}

interface SignInContext {
  store: Store;
  masterKey: MasterKey;
  config: SignInBudgetConfig & Pick<Config, 'sessionIdleSeconds' | 'sessionLifeSeconds'>;
  counters: SignInCounters;
  failed: FailedSignIns;
  now(): number;
}

/**
 * How many slow hashes run at a time (9 ms and 19 MiB each), and how many wait. Strangers have a separate
 * queue, so that they do not delay operators in known browsers.
 */
const HASHES_AT_A_TIME = 1;
const HASHES_WAITING_MAX = 16;
/**
 * Signs operators in, with limits that strangers cannot turn against them (docs/decisions/041). Attempts are
 * counted before the password is checked, so that 100 attempts at once count as 100.
 */
export function createSignIn({ store, masterKey, config, counters, failed, now }: SignInContext): SignIn {
  const browsers = createKnownBrowsers(masterKey);
  const strangers = passwordEvaluations(HASHES_AT_A_TIME, HASHES_WAITING_MAX);
  const knownBrowsers = passwordEvaluations(HASHES_AT_A_TIME, HASHES_WAITING_MAX);
  const budgets = signInBudgets(counters, config, now);

  function signedIn({ operator, session, token }: Started): SignedIn {
    const browser = browsers.cookieFor(operator.id, now());
    return { operator, session, endsAt: sessionEnd(session, config), token, browser };
  }

  const signIn: SignIn = {
    async signIn({ email, password, code = '' }, from) {
      const operator = await store.operators.findByEmail(email);
      const browser = operator === undefined ? null : browsers.recognise(from.browser, operator.id, now());
      const paid = await budgets.payForAttempt(email, from.address, browser);
      if ('denied' in paid) {
        failed.record(operator?.id ?? null, from.address);
        return paid;
      }
      // An unknown operator and one without a password cost the same work: they use a hash that no password
      // matches.
      const hash = operator?.passwordHash ?? NO_PASSWORD;
      const lane = browser === null ? strangers : knownBrowsers;
      const evaluating = lane.evaluate(emailKey(email), password, hash);
      if (evaluating === null) {
        await paid.refund();
        return { denied: 'unavailable' };
      }
      if (!(await evaluating) || operator === undefined || operator.passwordHash === null) {
        failed.record(operator?.id ?? null, from.address);
        return { denied: 'wrong_credentials' };
      }
      if (operator.sealedTotpSecret !== null && code.trim() === '') {
        await paid.refund();
        return { denied: 'second_factor_required' };
      }
      const change = { store, actor: operatorActor(operator, from.address), nowMs: now() };
      const outcome = await signInOperator(change, masterKey, config, { operator, code, from });
      if ('refused' in outcome) return denialOf(outcome, now());
      await paid.refund();
      return signedIn(outcome);
    },

    async inspect(token, address, current) {
      const limited = await budgets.forAddress(address);
      if (limited !== null) return limited;
      const joining = await findMemberInvitation(store, token, now());
      if (joining !== null) return inspectedMembership(joining, current);
      const { operator } = await findInvitation(store, token, now());
      const [email, role] = [operator?.email ?? null, operator?.role ?? 'admin'];
      return { email, role, organisation: null, needs: 'password' };
    },

    async accept(input, from, current) {
      const { token, password, email } = input;
      const limited = await budgets.forAddress(from.address);
      if (limited !== null) return limited;
      const joining = await findMemberInvitation(store, token, now());
      if (joining !== null) {
        const services = { store, limits: config, now, signIn: signIn.signIn, signedIn };
        return await joinOrganisation(services, joining.invitation, input, { from, current });
      }
      const invited = await findInvitation(store, token, now());
      const chosen = invited.operator?.email ?? email;
      if (chosen === undefined) {
        const problem = 'This link makes the first admin: give the e-mail address to sign in with.';
        throw new AppError('invalid', problem, { faults: [{ member: 'email', problem }] });
      }
      const passwordHash = await hashOfChosenPassword(requiredPassword(password), chosen);
      const accepted = { invited, email: chosen, passwordHash, from };
      return signedIn(await acceptInvitation({ store, nowMs: now() }, config, accepted));
    },

    async confirm({ id, passwordHash }, password) {
      // Only a signed-in operator gets here. Strangers cannot use up this separate budget.
      const paid = await budgets.payForConfirmation(id);
      if ('denied' in paid) return paid;
      const hash = passwordHash ?? NO_PASSWORD;
      const evaluating = knownBrowsers.evaluate(id, password, hash);
      const matches = evaluating === null ? null : await evaluating;
      if (matches !== false) await paid.refund();
      if (matches === null) return { denied: 'unavailable' };
      return matches ? { checkedHash: hash } : { denied: 'wrong_credentials' };
    },

    payForAddress: budgets.forAddress,
    payForCode: ({ id }) => budgets.payForCode(id),
  };
  return signIn;
}

/** Converts a refused sign-in, or a refused code, to the denial that the caller gets. */
export function denialOf(
  outcome: Exclude<SignInOutcome, Started> | FactorRefusal,
  nowMs: number,
): SignInDenial {
  switch (outcome.refused) {
    case 'code_missing':
      return { denied: 'second_factor_required' };
    case 'changed':
      return { denied: 'wrong_credentials' };
    case 'wrong_code':
      return { denied: 'wrong_code' };
    case 'codes_locked':
      return { denied: 'too_many', waitMs: outcome.untilMs - nowMs };
  }
}
