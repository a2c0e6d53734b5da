import {
  exhaustedBudget,
  failuresKey,
  payHere,
  type FailureBudgetServices,
  type GuessBudget,
  type Guesser,
  type Payment,
} from '../domain/failure-budget.ts';
import type { Denial } from '../domain/denial.ts';
import { limitedNetwork } from '../domain/network.ts';
import type { FailuresChange, SharedCall, SharedLimits } from '../domain/shared-limit.ts';

/** The budget of one guesser. If processes count together, they share it. */
export function guessBudget(services: FailureBudgetServices, guesser: Guesser): GuessBudget {
  const { sharedLimits, failuresPerMinute } = services;
  const key = failuresKey(guesser);
  const call = (failuresChange: FailuresChange): SharedCall => ({
    network: limitedNetwork(guesser.address),
    addressPerMinute: services.addressPerMinute,
    failuresKey: key,
    failuresPerMinute,
    failuresChange,
    apiUser: null,
  });

  async function payTogether(shared: SharedLimits): Promise<Payment | Denial> {
    const verdict = await shared.count(call(1), services.now());
    if (verdict === null) return payHere(services, guesser, shared.processes, services.now());
    if (verdict.refusedBy === null) return { perMinute: failuresPerMinute, shared: true };
    return { denied: 'rate_limit_exceeded', policy: verdict.refusedBy, limit: verdict.limit };
  }

  return {
    key,
    exhausted: () => exhaustedBudget(services, guesser, services.now()),
    pay: () =>
      sharedLimits === null ? payHere(services, guesser, 1, services.now()) : payTogether(sharedLimits),
    async refund({ perMinute, shared }) {
      // Refund here even if the shared limits counted the guess: this process has learnt their count.
      services.failures.refund(key, perMinute, services.now());
      if (shared) await sharedLimits?.count(call(-1), services.now());
    },
  };
}
