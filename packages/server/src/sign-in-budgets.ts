import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from './config.ts';
import { limitedNetwork } from './domain/network.ts';
import { emailKey } from './domain/operator.ts';
import type { Counters } from './domain/rate-limit.ts';

/** An attempt that was paid for. */
export interface Paid {
  /** The attempt was right. */
  refund(): void;
}

export interface TooMany {
  denied: 'too_many';
  waitMs: number;
}

export interface SignInCounters {
  addresses: Counters;
  attempts: Counters;
  accounts: Counters;
}

export type SignInBudgetConfig = Pick<Config, 'signInLimit' | 'signInAddressLimit' | 'signInAccountLimit'>;

/** The budgets of docs/decisions/041. Every attempt is paid for before its password or code is checked. */
export interface SignInBudgets {
  /** Null: the address has budget left. Nothing of it is given back: it bounds work, not guesses. */
  forAddress(address: string): TooMany | null;
  /** `browser`: what attempts of a known browser are counted under. */
  payForAttempt(email: string, address: string, browser: string | null): Promise<Paid | TooMany>;
  /** For a password that a signed-in operator gives again: no stranger can use this budget up. */
  payForConfirmation(operatorId: string): Paid | TooMany;
  payForCode(operatorId: string): Paid | TooMany;
}

/** The longest time that an attempt waits for its turn if an account has had many from unknown browsers. */
const SLOWED_MS_MAX = 5000;
/** Attempts that wait so at a time. */
const SLOWED_MAX = 100;

export function signInBudgets(
  { addresses, attempts, accounts }: SignInCounters,
  { signInLimit, signInAddressLimit, signInAccountLimit }: SignInBudgetConfig,
  now: () => number,
): SignInBudgets {
  let slowed = 0;

  function pay(counters: Counters, key: string, perMinute: number): Paid | TooMany {
    const { allowed, waitMs } = counters.take(key, perMinute, now());
    return allowed
      ? { refund: () => counters.refund(key, perMinute, now()) }
      : { denied: 'too_many', waitMs };
  }

  /** The budget of an account for all unknown browsers together only slows: an attempt waits for its turn. */
  async function turnOf(account: string): Promise<Paid | TooMany> {
    const deadline = now() + SLOWED_MS_MAX;
    for (;;) {
      const turn = pay(accounts, account, signInAccountLimit);
      if (!('denied' in turn) || now() + turn.waitMs > deadline || slowed >= SLOWED_MAX) return turn;
      slowed += 1;
      await sleep(turn.waitMs);
      slowed -= 1;
    }
  }

  function forAddress(address: string): TooMany | null {
    const paid = pay(addresses, limitedNetwork(address), signInAddressLimit);
    return 'denied' in paid ? paid : null;
  }

  return {
    forAddress,
    async payForAttempt(email, address, browser) {
      const account = emailKey(email);
      const paid =
        forAddress(address) ?? pay(attempts, browser ?? `${account} ${limitedNetwork(address)}`, signInLimit);
      if ('denied' in paid || browser !== null) return paid;
      const turn = await turnOf(account);
      if ('denied' in turn) return turn;
      return {
        refund() {
          paid.refund();
          turn.refund();
        },
      };
    },
    payForConfirmation: (operatorId) => pay(attempts, `${operatorId} again`, signInLimit),
    payForCode: (operatorId) => pay(attempts, `${operatorId} code`, signInLimit),
  };
}
