import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import type { Counters } from '../../domain/rate-limit.ts';
import type { AssertionUse } from '../../domain/used-assertion.ts';
import type { LimitTransport, SharedLimits } from '../../domain/shared-limit.ts';
import type { Health } from '../health.ts';
import { createSharing } from './shared-limits.ts';
import { redisTargetOf } from '../../config/redis-target.ts';
import { memoryCounters } from '../../storage/memory/counters.ts';
import { redisLimits } from '../../storage/redis/limits.ts';

/** The limits of API users, addresses and failures, of this process or of several. */
export interface Limits {
  services: {
    /** Calls per network address. */
    addresses: Counters;
    /** Failed attempts per client id and address. */
    failures: Counters;
    sharedLimits: SharedLimits | null;
    addressPerMinute: number;
    failuresPerMinute: number;
  };
  /** Shares other counters of this process in the same way; null if this process counts alone. */
  share(failures: Counters): SharedLimits | null;
  /** Records the use of an assertion in Redis. Resolves to null while that is away. Null without Redis. */
  useInRedis: ((key: string, lifeMs: number) => Promise<AssertionUse | null>) | null;
  /** Whose calls the limits count. */
  health(): Health['limits'];
  /** Requests that this process decided alone, although limits are configured to be shared. */
  decidedAlone(): number;
  /** Calls `listener` each time that limits are shared from then on. */
  onShared(listener: (shared: SharedLimits) => void): void;
  start(): Promise<void>;
  stop(): void;
}

/**
 * Counts in Redis if that is configured, else through `given` (to the primary process), else in this process.
 */
export function createLimits(config: Config, log: Logger, workerTransport: LimitTransport | null): Limits {
  const target = redisTargetOf(config);
  const redis = target === null ? null : redisLimits(target, config.redisPrefix);
  const transport = redis ?? workerTransport;
  const addresses = memoryCounters(config.limiterKeysMax);
  const failures = memoryCounters(config.limiterKeysMax);
  const sharing = transport && createSharing(transport, config, log);
  const share = (of: Counters) => sharing && sharing.limits({ addresses, failures: of });
  const sharedLimits = share(failures);
  return {
    services: {
      addresses,
      failures,
      sharedLimits,
      addressPerMinute: config.addressLimit,
      failuresPerMinute: config.failureLimit,
    },
    share,
    useInRedis:
      redis && sharing && (async (key, lifeMs) => await sharing.attempt(() => redis.use(key, lifeMs))),
    health() {
      if (sharing === null) return 'own';
      return sharing.isSharing() ? 'shared' : 'divided';
    },
    decidedAlone: () => sharing?.decidedAlone() ?? 0,
    onShared: (listener) => sharing?.onShared(() => void (sharedLimits && listener(sharedLimits))),
    start: async () => await sharing?.start(),
    stop: () => sharing?.stop(),
  };
}
