import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from './config.ts';
import type { Role } from './domain/actor.ts';
import type { Counters } from './domain/as-api-user.ts';
import { limitedNetwork } from './domain/network.ts';
import { emailKey, type Operator } from './domain/operator.ts';
import { NO_PASSWORD, passwordMatches } from './domain/password.ts';
import { Refused } from './domain/refused.ts';
import { sessionEnd, type Session } from './domain/session.ts';
import type { FailedSignIns } from './failed-sign-ins.ts';
import { createKnownBrowsers } from './known-browsers.ts';
import type { FactorRefusal } from './manage/profile.ts';
import { hashOfChosenPassword } from './manage/operator-password.ts';
import {
  acceptInvitation,
  findInvitation,
  signInOperator,
  type SignInFrom,
  type SignInOutcome,
  type Started,
} from './manage/sign-in.ts';
import type { MasterKey } from './master-key.ts';
import { createSlots } from './slots.ts';
import type { Store } from './storage/store.ts';

export interface Caller extends SignInFrom {
  /** The cookie of a known browser. */
  browser: string | null;
}

/** Somebody who has just signed in. */
export interface SignedIn {
  operator: Operator;
  session: Session;
  endsAt: number;
  /** For the cookies. */
  token: string;
  browser: string;
}

export type SignInDenial =
  /** One for every e-mail address: that there is such an operator is nobody's to know. */
  | { denied: 'wrong_credentials' }
  /** The password was right. */
  | { denied: 'second_factor_required' }
  | { denied: 'wrong_code' }
  | { denied: 'too_many'; waitMs: number }
  | { denied: 'unavailable' };

export interface SignIn {
  signIn(
    asked: { email: string; password: string; code?: string },
    from: Caller,
  ): Promise<SignedIn | SignInDenial>;
  /** Throws a Refused where the link is not good. `email` is null where whoever accepts it gives one. */
  inspect(token: string, address: string): Promise<{ email: string | null; role: Role } | SignInDenial>;
  /** Throws a Refused where the link is not good, or the password is weak. */
  accept(
    asked: { token: string; password: string; email?: string },
    from: Caller,
  ): Promise<SignedIn | SignInDenial>;
  /** Asks a signed-in operator for the password again; gives back the hash that it matched. */
  confirm(operator: Operator, password: string): Promise<{ checkedHash: string } | SignInDenial>;
  /** Takes from a signed-in operator's budget for codes of a new second factor; null: a code may be checked. */
  takeCodeAttempt(operator: Operator): SignInDenial | null;
}

export interface SignInCounters {
  addresses: Counters;
  attempts: Counters;
  accounts: Counters;
}

type SignInConfig = Pick<
  Config,
  'signInLimit' | 'signInAddressLimit' | 'signInAccountLimit' | 'sessionIdleSeconds' | 'sessionLifeSeconds'
>;

/** Slow hashes at a time (9 ms and 19 MiB each) and how many wait: apart for strangers, who so hold nobody else up. */
const HASHES_AT_A_TIME = 1;
const HASHES_WAITING_MAX = 16;
/** So long an attempt waits for its turn where an account has had many from unknown browsers; then it is told to come again. */
const SLOWED_MS_MAX = 5000;
/** Attempts that wait so at a time. */
const SLOWED_MAX = 100;

/**
 * How operators sign in, with limits that a stranger cannot turn against them: docs/decisions/041. Attempts are counted
 * before the password is looked at, so that many at once count as many.
 */
export function createSignIn(
  store: Store,
  masterKey: MasterKey,
  config: SignInConfig,
  counters: SignInCounters,
  failed: FailedSignIns,
  now: () => number,
): SignIn {
  const browsers = createKnownBrowsers(masterKey);
  const strangers = createSlots(HASHES_AT_A_TIME, HASHES_WAITING_MAX);
  const known = createSlots(HASHES_AT_A_TIME, HASHES_WAITING_MAX);
  let slowed = 0;

  function addressBudget(address: string): SignInDenial | null {
    const state = counters.addresses.take(limitedNetwork(address), config.signInAddressLimit, now());
    return state.allowed ? null : { denied: 'too_many', waitMs: state.waitMs };
  }

  /** Null: the attempt may go on. `browser`: what a known one is counted under. */
  async function accountBudget(
    email: string,
    address: string,
    browser: string | null,
  ): Promise<SignInDenial | null> {
    const account = emailKey(email);
    const key = browser ?? `${account} ${limitedNetwork(address)}`;
    const state = counters.attempts.take(key, config.signInLimit, now());
    if (!state.allowed) return { denied: 'too_many', waitMs: state.waitMs };
    return browser === null ? await turnOf(account) : null;
  }

  /** The budget of an account for all unknown browsers together only slows: an attempt waits for its turn. */
  async function turnOf(account: string): Promise<SignInDenial | null> {
    const deadline = now() + SLOWED_MS_MAX;
    for (;;) {
      const { allowed, waitMs } = counters.accounts.take(account, config.signInAccountLimit, now());
      if (allowed) return null;
      if (now() + waitMs > deadline || slowed >= SLOWED_MAX) return { denied: 'too_many', waitMs };
      slowed += 1;
      await sleep(waitMs);
      slowed -= 1;
    }
  }

  function signedIn({ operator, session, token }: Started): SignedIn {
    const browser = browsers.cookieFor(operator.id, now());
    return { operator, session, endsAt: sessionEnd(session, config), token, browser };
  }

  return {
    async signIn({ email, password, code = '' }, from) {
      const operator = await store.operators.findByEmail(email);
      const browser = operator === undefined ? null : browsers.recognise(from.browser, operator.id, now());
      const limited = addressBudget(from.address) ?? (await accountBudget(email, from.address, browser));
      if (limited !== null) {
        failed.note(operator?.id ?? null, from.address);
        return limited;
      }
      // The same work whoever it is: without an operator, or a password, against a hash that no password has.
      const hash = operator?.passwordHash ?? NO_PASSWORD;
      const checking = (browser === null ? strangers : known).run(() => passwordMatches(password, hash));
      if (checking === null) return { denied: 'unavailable' };
      if (!(await checking) || operator === undefined || operator.passwordHash === null) {
        failed.note(operator?.id ?? null, from.address);
        return { denied: 'wrong_credentials' };
      }
      if (operator.sealedTotpSecret !== null && code.trim() === '')
        return { denied: 'second_factor_required' };
      const outcome = await signInOperator(store, masterKey, config, { operator, code, from }, now());
      return 'refused' in outcome ? denialOf(outcome, now()) : signedIn(outcome);
    },

    async inspect(token, address) {
      const limited = addressBudget(address);
      if (limited !== null) return limited;
      const { operator } = await findInvitation(store, token, now());
      return { email: operator?.email ?? null, role: operator?.role ?? 'admin' };
    },

    async accept({ token, password, email }, from) {
      const limited = addressBudget(from.address);
      if (limited !== null) return limited;
      const invited = await findInvitation(store, token, now());
      const chosen = invited.operator?.email ?? email;
      if (chosen === undefined) {
        const problem = 'This link makes the first admin: give the e-mail address to sign in with.';
        throw new Refused('invalid', problem, { faults: [{ member: 'email', problem }] });
      }
      const passwordHash = await hashOfChosenPassword(password, chosen);
      const accepted = { invited, email: chosen, passwordHash, from };
      return signedIn(await acceptInvitation(store, config, accepted, now()));
    },

    takeCodeAttempt({ id }) {
      const state = counters.attempts.take(`${id} code`, config.signInLimit, now());
      return state.allowed ? null : { denied: 'too_many', waitMs: state.waitMs };
    },

    async confirm({ id, passwordHash }, password) {
      // Only who has the session gets here: a budget of its own, which no stranger can use up.
      const state = counters.attempts.take(`${id} again`, config.signInLimit, now());
      if (!state.allowed) return { denied: 'too_many', waitMs: state.waitMs };
      const hash = passwordHash ?? NO_PASSWORD;
      const checking = known.run(() => passwordMatches(password, hash));
      if (checking === null) return { denied: 'unavailable' };
      return (await checking) ? { checkedHash: hash } : { denied: 'wrong_credentials' };
    },
  };
}

/** What a refusal of a sign-in, or of a code, is for the caller. */
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
