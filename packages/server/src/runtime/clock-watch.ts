import type { Logger } from 'pino';
import { momentOf, SYSTEM_CLOCK, type Clock, type Moment } from '../lib/clock.ts';
import type { ChangeRows, TimedChangeRows } from '../storage/tables/change.ts';
import type { ClockRows } from '../storage/tables/clock.ts';

/**
 * How the clock of this process compares with the store's. It is `ok` if the store has no clock of its own.
 */
export interface ClockState {
  /**
   * `off`: this clock is wrong, judged by the store and the other processes. `agreed`: all processes agree
   * that the store's clock is wrong.
   */
  judgement: 'ok' | 'off' | 'agreed';
  /**
   * Seconds that this clock is ahead of the store's, at least. Null if the store has no other clock, or no
   * poll has read it yet.
   */
  offsetSeconds: number | null;
}

/**
 * Compares the clock of this process with the store's at each poll of the change feed: docs/decisions/085.
 */
export interface ClockWatch {
  /** The same rows, but each read of a position also compares the clocks. */
  watching(changes: TimedChangeRows): ChangeRows;
  state(): ClockState;
  /** The clock of this process. */
  now(): number;
  isOff(): boolean;
  /**
   * The clock of this process or the store's, whichever is behind. What has ended by it has ended by both.
   */
  earlier(): number;
}

/** A larger difference is logged, and the overview lists it as something that needs attention. */
export const CLOCK_NOTICE_MS = 5000;
/**
 * If the difference exceeds this in `OFF_POLLS` polls in a row, either this clock or the store's is wrong.
 */
export const CLOCK_FAR_MS = 30_000;
const OFF_POLLS = 3;
/** How often a process records its offset. Other processes consider it for `CLOCK_RECORDED_MS`. */
const RECORD_MS = 10_000;
export const CLOCK_RECORDED_MS = 30_000;
/** While the clocks are far apart, the offsets of the other processes are read again after this time. */
const JUDGE_MS = 1000;
/** After a jump of the store's clock, the other processes see it and record it within this time. */
const OTHERS_SEE_MS = 2000;
const LOG_MS = 60_000;

const JUDGEMENT_TEXTS: Readonly<Record<ClockState['judgement'], string>> = {
  ok: 'the clock agrees with that of the store again',
  off: 'the clock of this machine is wrong: no tokens are issued until it is set',
  agreed: 'all processes agree, and the clock of the store differs: tokens are issued, set its clock',
};

export function createClockWatch(
  clock: ClockRows,
  self: string,
  log: Logger,
  time: Clock = SYSTEM_CLOCK,
): ClockWatch {
  const { now, steady } = time;
  /** The last time that the store reported, and the time in this process when it arrived. */
  let seen: (Moment & { storeMs: number }) | undefined;
  let offsetMs: number | null = null;
  let judgement: ClockState['judgement'] = 'ok';
  let offPolls = 0;
  let offSince = 0;
  /** When the clocks were last close. */
  let close: Moment | undefined;
  let judging = false;
  let judgedAt = Number.NEGATIVE_INFINITY;
  let recordedAt = Number.NEGATIVE_INFINITY;
  let loggedAt = Number.NEGATIVE_INFINITY;

  function compare(sent: Moment, received: Moment, storeMs: number): void {
    seen = { ...received, storeMs };
    // The store read its clock between `sent` and `received`: only an excess over that interval is a
    // difference.
    const [least, most] = [sent.dayMs - storeMs, sent.dayMs + received.steadyMs - sent.steadyMs - storeMs];
    offsetMs = Math.round(least > 0 ? least : Math.min(0, most));
    if (Math.abs(offsetMs) > CLOCK_FAR_MS) {
      if (offPolls === 0) offSince = received.steadyMs;
      offPolls += 1;
      if (offPolls >= OFF_POLLS) void judge();
    } else {
      offPolls = 0;
      close = received;
      judged('ok');
    }
    if (received.steadyMs - recordedAt >= RECORD_MS) void record();
    if (Math.abs(offsetMs) > CLOCK_NOTICE_MS) logOffset(offsetMs);
  }

  async function record(): Promise<void> {
    if (offsetMs === null) return;
    recordedAt = steady();
    try {
      await clock.record({ process: self, offsetMs });
    } catch {
      // The store is out of reach, which is logged elsewhere. The judgement stays as it is.
    }
  }

  /** Checks whether the other processes agree with this one. */
  async function judge(): Promise<void> {
    if (judging || steady() - judgedAt < JUDGE_MS) return;
    judging = true;
    try {
      await record();
      const others = (await clock.recorded(CLOCK_RECORDED_MS)).filter(({ process }) => process !== self);
      if (offPolls < OFF_POLLS || offsetMs === null) return;
      const own = offsetMs;
      const agree =
        others.length > 0 && others.every((other) => Math.abs(other.offsetMs - own) <= CLOCK_FAR_MS);
      if (agree) judged('agreed');
      else if (!mayAgreeSoon()) judged('off');
    } catch {
      // As above.
    } finally {
      judging = false;
      judgedAt = steady();
    }
  }

  /**
   * True if the clock of this process did not jump: then the store's did, and the other processes may not
   * have recorded it yet.
   */
  function mayAgreeSoon(): boolean {
    const { dayMs, steadyMs } = momentOf(time);
    if (close === undefined || steadyMs - offSince > OTHERS_SEE_MS) return false;
    const jumpedMs = dayMs - close.dayMs - (steadyMs - close.steadyMs);
    return Math.abs(jumpedMs) < CLOCK_FAR_MS / 2;
  }

  function judged(next: ClockState['judgement']): void {
    if (next === judgement) return;
    judgement = next;
    log[next === 'ok' ? 'info' : 'error']({ offsetSeconds: seconds() }, JUDGEMENT_TEXTS[next]);
  }

  function logOffset(ms: number): void {
    if (steady() - loggedAt < LOG_MS) return;
    loggedAt = steady();
    log.warn({ offsetSeconds: ms / 1000 }, 'the clock of this machine and that of the store differ');
  }

  const seconds = () => (offsetMs === null ? null : offsetMs / 1000);

  return {
    watching: (changes) => ({
      ...changes,
      async position(n) {
        const sent = momentOf(time);
        const { position, storeMs } = await changes.timedPosition(n);
        if (storeMs !== null) compare(sent, momentOf(time), storeMs);
        return position;
      },
    }),
    now,
    isOff: () => judgement === 'off',
    state: () => ({ judgement, offsetSeconds: seconds() }),
    earlier() {
      if (seen === undefined) return now();
      return Math.min(now(), seen.storeMs + steady() - seen.steadyMs);
    },
  };
}
