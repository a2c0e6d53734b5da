import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../../config/config.ts';
import { limitedNetwork } from '../../domain/network.ts';
import { emailKey } from '../../domain/operator.ts';
import type { Counters } from '../../domain/rate-limit.ts';
import {
  ownPart,
  type FailuresChange,
  type SharedCall,
  type SharedLimits,
} from '../../domain/shared-limit.ts';
import type { Limits } from '../../runtime/limits/limits.ts';
import { memoryCounters } from '../../storage/memory/counters.ts';

/** An attempt that its budgets allowed and counted. */
export interface Paid {
  /** Gives the attempt back to its budgets, because it was not a wrong guess. */
  refund(): Promise<void>;
}

export interface TooMany {
  denied: 'too_many';
  waitMs: number;
}

/** Counts attempts by key, in this process or together with the others. */
export interface SignInCounter {
  counters: Counters;
  shared: SharedLimits | null;
}

export type SignInCounters = Record<'addresses' | 'attempts' | 'accounts', SignInCounter>;

export function createSignInCounters(keysMax: number, share: Limits['share']): SignInCounters {
  const counter = (): SignInCounter => {
    const counters = memoryCounters(keysMax);
    return { counters, shared: share(counters) };
  };
  return { addresses: counter(), attempts: counter(), accounts: counter() };
}

export type SignInBudgetConfig = Pick<Config, 'signInLimit' | 'signInAddressLimit' | 'signInAccountLimit'>;

/** The budgets of docs/decisions/041. Every attempt is charged before its password or code is checked. */
export interface SignInBudgets {
  /** Null: the address has budget left. This budget is never refunded: it bounds work, not guesses. */
  forAddress(address: string): Promise<TooMany | null>;
  /** `browser`: the key that counts the attempts of a known browser; null for any other. */
  payForAttempt(email: string, address: string, browser: string | null): Promise<Paid | TooMany>;
  /** For a password that a signed-in operator confirms. Strangers cannot use this budget up. */
  payForConfirmation(operatorId: string): Promise<Paid | TooMany>;
  payForCode(operatorId: string): Promise<Paid | TooMany>;
}

/**
 * The longest that an attempt waits for its turn after many attempts on the account from unknown browsers.
 */
const SLOWED_MS_MAX = 5000;
/** The most attempts that wait like this at a time. */
const SLOWED_MAX = 100;

export function signInBudgets(
  { addresses, attempts, accounts }: SignInCounters,
  { signInLimit, signInAddressLimit, signInAccountLimit }: SignInBudgetConfig,
  now: () => number,
): SignInBudgets {
  let slowed = 0;

  /**
   * The budget of an account for all unknown browsers together only delays: an attempt waits for its turn.
   */
  async function turnOf(account: string): Promise<Paid | TooMany> {
    const deadline = now() + SLOWED_MS_MAX;
    for (;;) {
      const turn = await pay(accounts, account, signInAccountLimit, now);
      if (!('denied' in turn) || now() + turn.waitMs > deadline || slowed >= SLOWED_MAX) return turn;
      slowed += 1;
      await sleep(turn.waitMs);
      slowed -= 1;
    }
  }

  async function forAddress(address: string): Promise<TooMany | null> {
    const paid = await pay(addresses, limitedNetwork(address), signInAddressLimit, now);
    return 'denied' in paid ? paid : null;
  }

  return {
    forAddress,
    async payForAttempt(email, address, browser) {
      const account = emailKey(email);
      const key = browser ?? `${account} ${limitedNetwork(address)}`;
      const paid = (await forAddress(address)) ?? (await pay(attempts, key, signInLimit, now));
      if ('denied' in paid || browser !== null) return paid;
      const turn = await turnOf(account);
      if ('denied' in turn) return turn;
      return {
        async refund() {
          await Promise.all([paid.refund(), turn.refund()]);
        },
      };
    },
    payForConfirmation: (operatorId) => pay(attempts, `${operatorId} again`, signInLimit, now),
    payForCode: (operatorId) => pay(attempts, `${operatorId} code`, signInLimit, now),
  };
}

/** Shared limits count by network and key. Attempts to sign in use one network without a bound. */
const NETWORK = 'sign-in';
const UNBOUNDED = 1e9;

async function pay(
  { counters, shared }: SignInCounter,
  key: string,
  perMinute: number,
  now: () => number,
): Promise<Paid | TooMany> {
  const call = (failuresChange: FailuresChange): SharedCall => ({
    network: NETWORK,
    addressPerMinute: UNBOUNDED,
    failuresKey: `${NETWORK} ${key}`,
    failuresPerMinute: perMinute,
    failuresChange,
    apiUser: null,
  });
  const verdict = shared === null ? null : await shared.count(call(1), now());
  if (shared !== null && verdict !== null) {
    if (verdict.refusedBy !== null) return { denied: 'too_many', waitMs: verdict.limit.waitMs };
    return { refund: async () => void (await shared.count(call(-1), now())) };
  }
  const part = ownPart(perMinute, shared === null ? 1 : shared.processes);
  const { allowed, waitMs } = counters.consume(call(1).failuresKey, part, now());
  if (!allowed) return { denied: 'too_many', waitMs };
  return { refund: async () => counters.refund(call(1).failuresKey, part, now()) };
}
