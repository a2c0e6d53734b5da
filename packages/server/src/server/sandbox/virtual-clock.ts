import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../lib/clock.ts';
import { spanMs, type Span } from './span.ts';
import { createTimers } from './timers.ts';

/** The clock of a sandbox. It fits the option `clock` of the SDK. It stands still between advances. */
export interface SandboxClock {
  /** Milliseconds since 1970 (UTC). Pass this function to the verifier. */
  now(): number;
  /** Calls `run` after `ms` milliseconds of this clock. Returns a function that cancels the call. */
  after(ms: number, run: () => void): () => void;
  /**
   * Moves the clock forward. On the way it runs every timer at its time, and after that what the server does
   * by schedule: it rotates keys, retires secrets, and removes what has ended.
   */
  advance(span: Span): Promise<void>;
  /**
   * Moves the clock from timer to timer until `promise` settles, and returns its value. For calls that wait:
   * a retry after `Retry-After`, a back-off, an outage.
   */
  until<T>(promise: Promise<T>): Promise<T>;
}

export interface VirtualClock extends SandboxClock, Clock {
  /** Requests that the server handles now, without those that wait for this clock. */
  busy: () => number;
  /** Runs what the server does by schedule. */
  upkeep: () => Promise<void>;
  /** Drops all timers. */
  stop(): void;
}

/** Resolves when the server has handled no request for a few turns of the event loop. */
async function idle(busy: () => number): Promise<void> {
  const giveUpAt = performance.now() + BUSY_MS_MAX;
  for (let turns = 0; turns < IDLE_TURNS && performance.now() < giveUpAt; turns++) {
    await sleep(1);
    if (busy() > 0) turns = 0;
  }
}

/** A long advance runs the schedule at most this many times. */
const PARTS_MAX = 16;
const PART_MS_MIN = 3_600_000;
/** `until` runs the schedule at most this often. */
const UPKEEP_MS = 10_000;
/** The process counts as idle after this many turns of the event loop without a request. */
const IDLE_TURNS = 8;
/** A request that takes longer than this (real time) does not hold the clock up. */
const BUSY_MS_MAX = 5000;
/** `until` gives up after this many timers. */
const TIMERS_MAX = 100_000;

/** A clock that stands still. With `runs`, it runs like the system's, ahead of it by what was advanced. */
export function createVirtualClock(startMs: number, runs: boolean): VirtualClock {
  let upkeptAt = startMs;
  let ahead = runs ? startMs - Date.now() : startMs;
  const now = () => (runs ? Date.now() + ahead : ahead);
  const timers = createTimers(now, runs);

  async function upkeep(): Promise<void> {
    upkeptAt = now();
    await clock.upkeep();
  }

  async function advanceTo(end: number): Promise<void> {
    for (let at = timers.nextAt(); at !== undefined && at <= end; at = timers.nextAt()) {
      ahead += Math.max(0, at - now());
      timers.fireNext();
      await idle(clock.busy);
    }
    ahead += Math.max(0, end - now());
    timers.rearm();
  }

  const clock: VirtualClock = {
    busy: () => 0,
    upkeep: async () => undefined,
    now,
    steady: now,
    after: timers.add,
    async advance(span) {
      const ms = spanMs(span, 'advance');
      const start = now();
      await idle(clock.busy);
      const part = Math.max(PART_MS_MIN, ms / PARTS_MAX);
      for (let passed = 0; passed < ms; passed += part) {
        await advanceTo(start + Math.min(ms, passed + part));
        await upkeep();
      }
    },
    async until(promise) {
      let settled = false;
      const settle = () => void (settled = true);
      promise.then(settle, settle);
      for (let count = 0; ; count++) {
        await idle(clock.busy);
        if (settled) return await promise;
        const at = timers.nextAt();
        if (at === undefined || count === TIMERS_MAX) {
          throw new Error('until: the promise is pending, and no timer of this clock can settle it.');
        }
        await advanceTo(at);
        if (now() - upkeptAt >= UPKEEP_MS) await upkeep();
      }
    },
    stop: timers.clear,
  };
  return clock;
}
