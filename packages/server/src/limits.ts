import type { Logger } from 'pino';
import type { Config } from './config.ts';

import type { LimitTransport } from './domain/shared-limits.ts';
import type { FormEndpointServices } from './http/form-endpoint.ts';
import type { Health } from './http/health.ts';
import { createSharedLimits } from './shared-limits.ts';
import { memoryCounters } from './storage/memory-counters.ts';

/** The limits of API users, addresses and failures, of this process or of several. */
export interface Limits {
  services: Pick<
    FormEndpointServices,
    'addresses' | 'failures' | 'sharedLimits' | 'addressPerMinute' | 'failuresPerMinute'
  >;
  /** Whose calls they count. */
  health(): Health['limits'];
  /** Requests whose limits were to be shared, and could not be. */
  decidedAlone(): number;
  start(): Promise<void>;
  stop(): void;
}

/** `transport`: the way to where they are counted together; null: nowhere. */
export function createLimits(transport: LimitTransport | null, config: Config, log: Logger): Limits {
  const addresses = memoryCounters(config.limiterKeysMax);
  const failures = memoryCounters(config.limiterKeysMax);
  const sharedLimits = transport && createSharedLimits(transport, { addresses, failures }, config, log);
  return {
    services: {
      addresses,
      failures,
      sharedLimits,
      addressPerMinute: config.addressLimit,
      failuresPerMinute: config.failureLimit,
    },
    health() {
      if (sharedLimits === null) return 'own';
      return sharedLimits.isSharing() ? 'shared' : 'divided';
    },
    decidedAlone: () => sharedLimits?.decidedAlone() ?? 0,
    start: async () => await sharedLimits?.start(),
    stop: () => sharedLimits?.stop(),
  };
}
