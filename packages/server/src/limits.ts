import type { Logger } from 'pino';
import type { Config } from './config.ts';

import type { LimitTransport } from './domain/shared-limits.ts';
import type { FormEndpointServices } from './http/form-endpoint.ts';
import type { Health } from './http/health.ts';
import { createSharedLimits } from './shared-limits.ts';
import { redisTargetOf } from './sharing-config.ts';
import { memoryCounters } from './storage/memory-counters.ts';
import { redisLimits } from './storage/redis-limits.ts';

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

/** Counted in Redis where that is configured, else where `given` leads, else here. */
export function createLimits(config: Config, log: Logger, given: LimitTransport | null): Limits {
  const target = redisTargetOf(config);
  const transport = target === null ? given : redisLimits(target, config.redisPrefix);
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
