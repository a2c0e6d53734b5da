import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { LimitTransport, SharedCall, SharedCounts } from '../../domain/shared-limit.ts';
import type { Config } from '../../config/config.ts';
import { backoffMs } from '../../lib/backoff.ts';
import { withDeadline } from '../../lib/deadline.ts';

/**
 * The transport to the shared limits, with a deadline for each call and a circuit breaker that opens when the
 * other side stops answering.
 */
export interface LimitCircuit {
  isClosed(): boolean;
  /** Never rejects. Null if the circuit is open, the call failed or it missed the deadline. */
  count(call: SharedCall): Promise<SharedCounts | null>;
  /** Like `count`, for any other call on the same transport. */
  attempt<T>(send: () => Promise<T>): Promise<T | null>;
  /** Resolves when limits are shared, or after a second without success. */
  start(): Promise<void>;
  /** Calls `listener` each time that limits are shared from then on. */
  onShared(listener: () => void): void;
  stop(): void;
}

/**
 * After this many failures in a row, the circuit opens and no call waits any more. A missed deadline is a
 * failure.
 */
const FAILURES_MAX = 3;
/**
 * This many calls, each with its own keys, must succeed within the deadline before limits are shared again.
 * The number is high because a Redis Cluster spreads keys over its masters, and any one of them may be down.
 */
const PROBES = 16;
/**
 * The wait from the end of sharing to the first probe. It doubles each time that sharing ends within
 * `STEADY_MS`, to spare an unreliable transport.
 */
const PROBE_WAIT = { firstMs: 250, maxMs: 8000 };
const STEADY_MS = 10_000;
/**
 * An idle process makes a probe call at this interval, to notice a broken transport before its next request.
 */
const LOOK_MS = 1000;
/** A start waits at most this long for limits to be shared. */
const START_MS = 1000;
/** Pause between two probes of a start. */
const START_PROBE_MS = 20;
/** The longest text of an error that is logged. */
const ERROR_CHARS_MAX = 200;

/** Works with any `transport`: docs/decisions/090. */
export function createLimitCircuit(
  transport: LimitTransport,
  { processes, limitsDeadlineMs }: Pick<Config, 'processes' | 'limitsDeadlineMs'>,
  log: Logger,
): LimitCircuit {
  const late = () => new Error(`no answer within ${limitsDeadlineMs} ms`);
  const inTime = <T>(work: Promise<T>) => withDeadline(work, limitsDeadlineMs, late);
  let isClosed = false;
  let failuresInRow = 0;
  let failedAt = Number.NEGATIVE_INFINITY;
  let answeredAt = Number.NEGATIVE_INFINITY;
  let closedAt = Number.NEGATIVE_INFINITY;
  let opensInRow = 1;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let looks = 0;
  const listeners: (() => void)[] = [];
  const looking = setInterval(() => void look(), LOOK_MS).unref();

  const count = async (call: SharedCall) => await attempt(() => transport.count(call));

  async function attempt<T>(send: () => Promise<T>): Promise<T | null> {
    if (!isClosed) return null;
    const askedAt = performance.now();
    try {
      const answer = await inTime(send());
      noteAnswer();
      return answer;
    } catch (error) {
      noteFailure(error, askedAt);
      return null;
    }
  }

  function noteAnswer(): void {
    failuresInRow = 0;
    answeredAt = performance.now();
  }

  /** Calls that were under way together fail together, and count as one failure. */
  function noteFailure(error: unknown, askedAt: number): void {
    if (askedAt < failedAt) return;
    failedAt = performance.now();
    failuresInRow += 1;
    if (isClosed && failuresInRow >= FAILURES_MAX) open(error);
  }

  function open(error: unknown): void {
    isClosed = false;
    opensInRow = performance.now() - closedAt < STEADY_MS ? opensInRow + 1 : 1;
    warn(error);
    probeLater();
  }

  function warn(error: unknown): void {
    const fields = { error: textOf(error), processes };
    log.warn(fields, 'limits are not shared: each process counts up to its part');
  }

  function probeLater(): void {
    if (stopped) return;
    timer = setTimeout(() => void probeAgain(), backoffMs(opensInRow, PROBE_WAIT));
    timer.unref();
  }

  async function probeAgain(): Promise<void> {
    if ((await probe()) !== null) probeLater();
  }

  /** Returns the error, or null if limits are shared from now on (or the circuit was stopped). */
  async function probe(): Promise<unknown> {
    const calls = Array.from({ length: PROBES }, (_, i) => transport.count(probeCall(i)));
    const problem = await Promise.all(calls.map(inTime)).then(
      () => null,
      (error: unknown) => error,
    );
    if (problem !== null) {
      // Wait until all calls have ended, so that probes do not pile up while the other side does not answer.
      await Promise.allSettled(calls);
      return problem;
    }
    if (stopped) return null;
    isClosed = true;
    noteAnswer();
    closedAt = answeredAt;
    log.info('limits are shared');
    for (const listener of listeners) listener();
    return null;
  }

  async function look(): Promise<void> {
    if (performance.now() - answeredAt < LOOK_MS) return;
    for (let i = 0; i < FAILURES_MAX; i++) {
      if (!isClosed) return;
      looks += 1;
      if ((await count(probeCall(looks % PROBES))) !== null) return;
    }
  }

  return {
    isClosed: () => isClosed,
    count,
    attempt,
    onShared: (listener) => void listeners.push(listener),
    async start() {
      const startedAt = performance.now();
      let problem = await probe();
      while (problem !== null && performance.now() - startedAt < START_MS) {
        await sleep(START_PROBE_MS);
        problem = await probe();
      }
      if (problem === null) return;
      warn(problem);
      probeLater();
    },
    stop() {
      stopped = true;
      isClosed = false;
      clearTimeout(timer);
      clearInterval(looking);
      transport.close();
    },
  };
}

/** A limit so high that the keys expire within a moment. */
const PROBE_PER_MINUTE = 1e6;

function probeCall(i: number): SharedCall {
  return {
    network: `probe-${i}`,
    addressPerMinute: PROBE_PER_MINUTE,
    failuresKey: `probe-${i}`,
    failuresPerMinute: PROBE_PER_MINUTE,
    failuresChange: 0,
    apiUser: { id: `probe-${i}`, perMinute: PROBE_PER_MINUTE, aheadMs: 0, organisation: null },
  };
}

function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.slice(0, ERROR_CHARS_MAX);
}
