import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { LimitTransport, SharedCall, SharedCounts } from '../../domain/shared-limit.ts';
import type { Config } from '../../config/config.ts';

/**
 * The transport to the shared limits, with a deadline for each call and a circuit breaker that opens when the
 * other side stops answering.
 */
export interface LimitCircuit {
  isClosed(): boolean;
  /** Never rejects. Null if the circuit is open, the call failed or it missed the deadline. */
  count(call: SharedCall): Promise<SharedCounts | null>;
  /** Resolves when limits are shared, or after a second without success. */
  start(): Promise<void>;
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
/** Time from the end of sharing to the first probe. */
const PROBE_WAIT_MS = 250;
/**
 * Each time that sharing ends within `STEADY_MS`, the wait doubles, up to this, to spare an unreliable
 * transport.
 */
const PROBE_WAIT_MAX_MS = 8000;
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
  const deadline = createDeadline(limitsDeadlineMs);
  let isClosed = false;
  let failuresInRow = 0;
  let failedAt = Number.NEGATIVE_INFINITY;
  let answeredAt = Number.NEGATIVE_INFINITY;
  let closedAt = Number.NEGATIVE_INFINITY;
  let waitMs = PROBE_WAIT_MS;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let looks = 0;
  const looking = setInterval(() => void look(), LOOK_MS);
  looking.unref();

  async function count(call: SharedCall): Promise<SharedCounts | null> {
    if (!isClosed) return null;
    const askedAt = performance.now();
    try {
      const counts = await deadline(transport.count(call));
      noteAnswer();
      return counts;
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
    const again = performance.now() - closedAt < STEADY_MS;
    waitMs = again ? Math.min(2 * waitMs, PROBE_WAIT_MAX_MS) : PROBE_WAIT_MS;
    warn(error);
    probeLater();
  }

  function warn(error: unknown): void {
    const fields = { error: textOf(error), processes };
    log.warn(fields, 'limits are not shared: each process counts up to its part');
  }

  function probeLater(): void {
    if (stopped) return;
    timer = setTimeout(() => void probeAgain(), waitMs);
    timer.unref();
  }

  async function probeAgain(): Promise<void> {
    if ((await probe()) !== null) probeLater();
  }

  /** Returns the error, or null if limits are shared from now on (or the circuit was stopped). */
  async function probe(): Promise<unknown> {
    const calls = Array.from({ length: PROBES }, (_, i) => transport.count(probeCall(i)));
    const problem = await Promise.all(calls.map((call) => deadline(call))).then(
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

/** Gives all promises the same deadline, with one timer for all of them. */
function createDeadline(deadlineMs: number): <T>(work: Promise<T>) => Promise<T> {
  let waiting: Waiting[] = [];
  let armed = false;

  function arm(inMs: number): void {
    armed = true;
    // Answers that arrived while this process was busy are read before the deadlines are checked.
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
