import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Counters } from './domain/as-api-user.ts';
import { stateAhead, type LimitState } from './domain/rate-limit.ts';
import type { SharingConfig } from './sharing-config.ts';
import type {
  LimitTransport,
  SharedCall,
  SharedCounts,
  SharedLimits,
  SharedVerdict,
} from './domain/shared-limits.ts';

/** Limits that are shared while the way to where they are counted is good, and divided while it is not. */
export interface SharingLimits extends SharedLimits {
  /** Resolves when limits are shared, or after a second in which they could not be. */
  start(): Promise<void>;
  stop(): void;
  isSharing(): boolean;
  /** Calls that were decided by this process alone, although limits are to be shared. */
  decidedAlone(): number;
}

/** After so many failures in a row, a call that comes too late among them, none waits any more. */
const FAILURES_MAX = 3;
/**
 * So many calls, on keys of their own, have to come back in time before limits are shared again: many, because keys are spread
 * over the masters of a Redis Cluster, each of which may be the one that is away.
 */
const PROBES = 16;
/** A first probe so long after limits ceased to be shared … */
const PROBE_WAIT_MS = 250;
/** … and twice as long each time where this happens again within `STEADY_MS`, so that a way that is half good is left alone. */
const PROBE_WAIT_MAX_MS = 8000;
const STEADY_MS = 10_000;
/** A start waits so long for limits to be shared, and tries so often. */
const START_MS = 1000;
const START_PROBE_MS = 20;
/** The longest text of an error that is logged. */
const ERROR_CHARS_MAX = 200;

/**
 * Deadline, circuit breaker and fall-back, whatever the way. `counters` are those of this process: they learn what others
 * have counted, so that what is known stays known where limits cease to be shared.
 */
export function createSharedLimits(
  transport: LimitTransport,
  counters: { addresses: Counters; failures: Counters },
  { processes, limitsDeadlineMs: deadlineMs }: SharingConfig,
  log: Logger,
): SharingLimits {
  const deadline = createDeadline(deadlineMs);
  let sharing = false;
  let failuresInRow = 0;
  let failedAt = Number.NEGATIVE_INFINITY;
  let alone = 0;
  let waitMs = PROBE_WAIT_MS;
  let sharedSince = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  /** Calls that were under way together fail together, and that is one failure. */
  function noteFailure(error: unknown, askedAt: number): void {
    if (askedAt < failedAt) return;
    failedAt = performance.now();
    failuresInRow += 1;
    if (sharing && failuresInRow >= FAILURES_MAX) cease(error);
  }

  function cease(error: unknown): void {
    sharing = false;
    waitMs =
      performance.now() - sharedSince < STEADY_MS ? Math.min(2 * waitMs, PROBE_WAIT_MAX_MS) : PROBE_WAIT_MS;
    log.warn(
      { error: textOf(error), processes },
      'limits are not shared: each process counts up to its part',
    );
    probeLater();
  }

  function probeLater(): void {
    if (stopped) return;
    timer = setTimeout(() => void probeAgain(), waitMs);
    timer.unref();
  }

  async function probeAgain(): Promise<void> {
    if ((await probe()) !== null) probeLater();
  }

  /** Null: limits are shared from now on. */
  async function probe(): Promise<unknown> {
    const calls = Array.from({ length: PROBES }, (_, i) => transport.take(probeCall(i)));
    const problem = await Promise.all(calls.map((call) => deadline(call))).then(
      () => null,
      (error: unknown) => error,
    );
    if (problem !== null) {
      // The next one comes after all of these have ended: nothing piles up where nobody answers.
      await Promise.allSettled(calls);
      return problem;
    }
    if (stopped) return null;
    sharing = true;
    failuresInRow = 0;
    sharedSince = performance.now();
    log.info('limits are shared');
    return null;
  }

  function learn(call: SharedCall, counts: SharedCounts, nowMs: number): void {
    counters.addresses.learn(call.network, nowMs + counts.addressAheadMs, nowMs);
    if (counts.failuresAheadMs !== null) {
      counters.failures.learn(call.failuresKey, nowMs + counts.failuresAheadMs, nowMs);
    }
  }

  return {
    processes,
    parts: () => (sharing ? 1 : processes),
    isSharing: () => sharing,
    decidedAlone: () => alone,
    async take(call, nowMs) {
      if (!sharing) {
        alone += 1;
        return null;
      }
      const askedAt = performance.now();
      try {
        const counts = await deadline(transport.take(forgetting(call, deadlineMs)));
        failuresInRow = 0;
        learn(call, counts, nowMs);
        return verdictOf(call, counts);
      } catch (error) {
        noteFailure(error, askedAt);
        alone += 1;
        return null;
      }
    },
    async start() {
      const startedAt = performance.now();
      let problem = await probe();
      while (problem !== null && performance.now() - startedAt < START_MS) {
        await sleep(START_PROBE_MS);
        problem = await probe();
      }
      if (problem !== null) {
        probeLater();
        log.warn(
          { error: textOf(problem), processes },
          'limits are not shared: each process counts up to its part',
        );
      }
    },
    stop() {
      stopped = true;
      sharing = false;
      clearTimeout(timer);
      transport.close();
    },
  };
}

/**
 * What a process knows of an API user was true when it asked, a little before it was counted: with the longest time that this
 * can be taken off, it is never more than what is counted, and nobody loses calls by it.
 */
function forgetting(call: SharedCall, deadlineMs: number): SharedCall {
  const { apiUser } = call;
  if (apiUser === null) return call;
  return { ...call, apiUser: { ...apiUser, aheadMs: Math.max(0, apiUser.aheadMs - deadlineMs) } };
}

function verdictOf(call: SharedCall, counts: SharedCounts): SharedVerdict {
  const { refusedBy, apiUserAheadMs } = counts;
  return { refusedBy, limit: limitOf(call, counts), apiUserAheadMs };
}

function limitOf(call: SharedCall, counts: SharedCounts): LimitState {
  const { refusedBy, addressAheadMs, failuresAheadMs, apiUserAheadMs } = counts;
  const allowed = refusedBy === null;
  if (refusedBy === 'address') return stateAhead(addressAheadMs, call.addressPerMinute, allowed);
  return refusedBy === 'failures' || call.apiUser === null
    ? stateAhead(failuresAheadMs ?? 0, call.failuresPerMinute, allowed)
    : stateAhead(apiUserAheadMs ?? 0, call.apiUser.perMinute, allowed);
}

/** So high that the keys are gone after a moment. */
const PROBE_PER_MINUTE = 1e6;

function probeCall(i: number): SharedCall {
  return {
    network: `probe-${i}`,
    addressPerMinute: PROBE_PER_MINUTE,
    failuresKey: `probe-${i}`,
    failuresPerMinute: PROBE_PER_MINUTE,
    apiUser: { id: `probe-${i}`, perMinute: PROBE_PER_MINUTE, aheadMs: 0 },
  };
}

function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.slice(0, ERROR_CHARS_MAX);
}

interface Waiting {
  untilMs: number;
  settled: boolean;
  expire(): void;
}

/** Gives promises a deadline, the same for all: with one timer, and not one for each. */
function createDeadline(deadlineMs: number): <T>(work: Promise<T>) => Promise<T> {
  let waiting: Waiting[] = [];
  let armed = false;

  function arm(inMs: number): void {
    armed = true;
    // What has arrived while this process was busy is read before a deadline is found to have passed.
    setTimeout(() => setImmediate(expire), inMs);
  }

  function expire(): void {
    const nowMs = performance.now();
    for (const one of waiting) if (!one.settled && one.untilMs <= nowMs) one.expire();
    waiting = waiting.filter((one) => !one.settled);
    const [next] = waiting;
    armed = false;
    if (next !== undefined) arm(Math.max(1, next.untilMs - nowMs));
  }

  return async (work) =>
    await new Promise((resolve, reject) => {
      const one: Waiting = {
        untilMs: performance.now() + deadlineMs,
        settled: false,
        expire() {
          one.settled = true;
          reject(new Error(`no answer within ${deadlineMs} ms`));
        },
      };
      waiting.push(one);
      if (!armed) arm(deadlineMs);
      const settled = <A>(settle: (argument: A) => void) => {
        return (argument: A) => {
          one.settled = true;
          return settle(argument);
        };
      };
      work.then(settled(resolve), settled(reject));
    });
}
