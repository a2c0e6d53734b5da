import type { AdminContext } from '../http/admin/context.ts';
import { createSecretLinks } from '../admin/open-secret-link.ts';
import { createFailedSignIns } from '../admin/operators/failed-sign-ins.ts';
import { createRefusedLookUps } from '../admin/refused-look-ups.ts';
import { createSessionFinder } from '../admin/operators/sessions.ts';
import { createSignInCounters } from '../admin/operators/sign-in-budgets.ts';
import { createSignIn } from '../admin/operators/sign-in.ts';
import type { Limits } from '../runtime/limits/limits.ts';

/** The services for the sign-in and the sessions of operators and members. */
export interface Operators {
  services: Pick<AdminContext, 'findSession' | 'signIn' | 'refusedLookUps' | 'secretLinks'>;
  stop(): Promise<void>;
}

export function createOperators(
  {
    store,
    masterKey,
    config,
    log,
    now,
  }: Pick<AdminContext, 'store' | 'masterKey' | 'config' | 'log' | 'now'>,
  share: Limits['share'],
): Operators {
  const failed = createFailedSignIns(store, log, now);
  const counters = createSignInCounters(config.limiterKeysMax, share);
  const signIn = createSignIn({ store, masterKey, config, counters, failed, now });
  const refusedLookUps = createRefusedLookUps(store, log, now);
  const secretLinks = createSecretLinks({ store, payForAddress: signIn.payForAddress, now });
  const findSession = createSessionFinder(store, config, now);
  return {
    services: { findSession, signIn, refusedLookUps, secretLinks },
    async stop() {
      await Promise.all([failed.stop(), refusedLookUps.stop()]);
    },
  };
}
