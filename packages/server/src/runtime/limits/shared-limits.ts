import type { Logger } from 'pino';
import { stateAhead, type Counters, type LimitState } from '../../domain/rate-limit.ts';
import type {
  LimitTransport,
  SharedCall,
  SharedCounts,
  SharedLimits,
  SharedVerdict,
} from '../../domain/shared-limit.ts';
import { createLimitCircuit, type LimitCircuit } from './circuit-breaker.ts';
import type { Config } from '../../config/config.ts';

/** Limits that are shared while the transport works, and divided while it does not. */
export interface Sharing {
  /**
   * `counters` belong to this process. They learn what all processes counted, for when limits cease to be
   * shared.
   */
  limits(counters: LearningCounters): SharedLimits;
  /** Makes another call on the transport; null if it is out of reach. */
  attempt: LimitCircuit['attempt'];
  onShared: LimitCircuit['onShared'];
  /** Resolves when limits are shared, or after a second without success. */
  start(): Promise<void>;
  stop(): void;
  isSharing(): boolean;
  /** Calls that this process decided alone, although limits are configured to be shared. */
  decidedAlone(): number;
}

export interface LearningCounters {
  addresses: Counters;
  failures: Counters;
}

export function createSharing(
  transport: LimitTransport,
  config: Pick<Config, 'processes' | 'limitsDeadlineMs'>,
  log: Logger,
): Sharing {
  const { processes, limitsDeadlineMs } = config;
  const circuit = createLimitCircuit(transport, config, log);
  let alone = 0;

  return {
    isSharing: circuit.isClosed,
    decidedAlone: () => alone,
    limits: (counters) => ({
      processes,
      countToken: (call) => circuit.attempt(() => transport.countToken(call)),
      parts: () => (circuit.isClosed() ? 1 : processes),
      async count(call, nowMs) {
        const counts = await circuit.count(forgetting(call, limitsDeadlineMs));
        if (counts === null) {
          alone += 1;
          return null;
        }
        learn(counters, call, counts, nowMs);
        return verdictOf(call, counts);
      },
    }),
    attempt: circuit.attempt,
    onShared: circuit.onShared,
    start: circuit.start,
    stop: circuit.stop,
  };
}

function learn(
  { addresses, failures }: LearningCounters,
  call: SharedCall,
  counts: SharedCounts,
  nowMs: number,
): void {
  addresses.learn(call.network, nowMs + counts.addressAheadMs, nowMs);
  if (counts.failuresAheadMs !== null && call.failuresChange !== -1) {
    failures.learn(call.failuresKey, nowMs + counts.failuresAheadMs, nowMs);
  }
}

/**
 * `aheadMs` is true when this process sends the call, a little before the call is counted. Subtracting the
 * longest time in between, the deadline, keeps it from exceeding the shared count, so no API user loses calls
 * by it. The same holds for its organisation.
 */
function forgetting(call: SharedCall, deadlineMs: number): SharedCall {
  const { apiUser } = call;
  if (apiUser === null) return call;
  const earlier = <T extends { aheadMs: number }>(limit: T): T => ({
    ...limit,
    aheadMs: Math.max(0, limit.aheadMs - deadlineMs),
  });
  const organisation = apiUser.organisation && earlier(apiUser.organisation);
  return { ...call, apiUser: { ...earlier(apiUser), organisation } };
}

function verdictOf(call: SharedCall, counts: SharedCounts): SharedVerdict {
  const { refusedBy, apiUserAheadMs, organisationAheadMs } = counts;
  return { refusedBy, limit: limitOf(call, counts), apiUserAheadMs, organisationAheadMs };
}

function limitOf(call: SharedCall, counts: SharedCounts): LimitState {
  const { refusedBy, addressAheadMs, failuresAheadMs, apiUserAheadMs, organisationAheadMs } = counts;
  const allowed = refusedBy === null;
  if (refusedBy === 'address') return stateAhead(addressAheadMs, call.addressPerMinute, allowed);
  if (refusedBy === 'organisation') {
    return stateAhead(organisationAheadMs ?? 0, call.apiUser?.organisation?.perMinute ?? 1, allowed);
  }
  return refusedBy === 'failures' || call.apiUser === null
    ? stateAhead(failuresAheadMs ?? 0, call.failuresPerMinute, allowed)
    : stateAhead(apiUserAheadMs ?? 0, call.apiUser.perMinute, allowed);
}
