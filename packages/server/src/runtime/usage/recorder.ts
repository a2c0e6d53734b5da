import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { storedText } from '../../domain/characters.ts';
import type { PendingUse } from '../../domain/known-api-user.ts';
import { startOf, UNIT_MS } from '../../domain/usage.ts';
import { createPeriodicRun } from '../../lib/periodic-run.ts';
import type { CredentialRefusals, UsageBatch } from '../../storage/tables/usage.ts';
import {
  createUsageGathering,
  emptyMinute,
  type Gathered,
  type PendingCredentialRefusal,
  type UsageGathering,
} from './pending-usage.ts';

/** Gathers uses and refusals in memory and writes them every few seconds, so that no token costs a write. */
export interface UsageRecorder extends Pick<
  UsageGathering,
  'noteUse' | 'noteRefusal' | 'noteCredentialRefusals' | 'waitingTokens'
> {
  /** Writes everything that waits. What cannot be written is kept for the next flush. */
  flush(): Promise<void>;
  /** Flushes every `usageFlushMs` until `stop`, which flushes the rest. */
  start(): void;
  stop(): Promise<void>;
  status(): UsageRecorderStatus;
}

export interface UsageRecorderStatus {
  /** Uses and refusals that wait to be written. */
  waiting: number;
  /** Flushes since the start that could not write everything. */
  failures: number;
  /** Uses since the start that were not counted, because too many waited. */
  lost: number;
}

export interface UsageSettings {
  usageFlushMs: number;
  usageMax: number;
}

/**
 * Usage that waits longer than this to be written (the store was out of reach) is counted in the minute of
 * this long ago. Earlier minutes may be summed up already (SETTLED_MS in storage/tables/usage-history.ts).
 */
const LATE_MS_MAX = 5 * UNIT_MS.minute;
/**
 * If a flush has at most this many uses of one minute, it also records when each API user was last used.
 * Otherwise that is recorded when the hour is summed up.
 */
const LAST_USE_NOTED_MAX = 500;

export function createUsageRecorder(
  write: (batch: UsageBatch) => Promise<void>,
  { usageFlushMs, usageMax }: UsageSettings,
  log: Logger,
  now: () => number = Date.now,
): UsageRecorder {
  const gathering = createUsageGathering(usageMax, () => void flush());
  let lostReported = 0;
  let failures = 0;
  /**
   * Numbers the batches, so that a batch with an unknown outcome is not counted twice when it is written
   * again.
   */
  let flushes = 0;
  const process = randomUUID();

  async function writeAll(): Promise<void> {
    const minutes = gathering.drain(now());
    for (const [i, gathered] of minutes.entries()) {
      const left = await writeMinute(gathered);
      if (left.length === 0) continue;
      gathering.putBack([...left, ...minutes.slice(i + 1)]);
      break;
    }
    const lost = gathering.lost();
    if (lost > lostReported) {
      log.warn({ lost: lost - lostReported }, 'uses were not counted: too many wait to be written');
    }
    lostReported = lost;
  }

  /** Returns what may not have been written. */
  async function writeMinute(gathered: Gathered): Promise<Gathered[]> {
    const { minute, uses, flush: number } = gathered;
    const batches = number === null ? neighbours(uses) : [uses];
    if (batches.length === 0) batches.push([]);
    const othersOf = (i: number) => (i === 0 ? gathered : emptyMinute(minute));
    for (const [i, batch] of batches.entries()) {
      const named = { ...othersOf(i), uses: batch, flush: number ?? (flushes += 1) };
      try {
        await writeBatch(named, uses.length <= LAST_USE_NOTED_MAX);
      } catch (error) {
        failures += 1;
        log.warn({ error: (error as Error).message }, 'usage could not be written, and is kept');
        return [named, { ...emptyMinute(minute), uses: batches.slice(i + 1).flat() }];
      }
    }
    return [];
  }

  async function writeBatch(
    {
      minute,
      uses,
      organisationTokens,
      refusals,
      credentialRefusals,
      flush: number,
    }: Gathered & {
      flush: number;
    },
    noteLastUse: boolean,
  ): Promise<void> {
    const oldest = startOf('minute', now() - LATE_MS_MAX);
    await write({
      minute: Math.max(minute, oldest),
      uses,
      organisationTokens,
      refusals: Array.from(refusals.values()),
      credentialRefusals: Array.from(credentialRefusals.values(), withText),
      noteLastUse,
      flush: { process, number },
    });
  }

  const { run: flush, start, stop } = createPeriodicRun(writeAll, usageFlushMs);

  return {
    noteUse: gathering.noteUse,
    noteRefusal: gathering.noteRefusal,
    noteCredentialRefusals: gathering.noteCredentialRefusals,
    waitingTokens: gathering.waitingTokens,
    flush,
    start,
    stop,
    status: () => ({ waiting: gathering.waiting(), failures, lost: gathering.lost() }),
  };
}

const DETAIL_LENGTH_MAX = 300;

function withText({ detail, ...refusal }: PendingCredentialRefusal): CredentialRefusals {
  const text = detail();
  return { ...refusal, detail: text === null ? null : storedText(text, DETAIL_LENGTH_MAX) };
}

/** The least number of credentials in a batch, if there are enough: each batch waits for the disk once. */
const BATCH_MIN = 4000;

/**
 * Groups uses into batches of credentials whose ids begin alike. These lie side by side in the store, so a
 * batch writes few of its pages. Other writers get their turn between two batches.
 */
function neighbours(uses: readonly PendingUse[]): PendingUse[][] {
  const byFirst: PendingUse[][] = [];
  for (const use of uses) (byFirst[use.credentialId.charCodeAt(0)] ??= []).push(use);
  const batches: PendingUse[][] = [];
  for (const alike of byFirst) {
    const last = batches.at(-1);
    if (alike === undefined) continue;
    if (last === undefined || last.length >= BATCH_MIN) batches.push(alike);
    else for (const use of alike) last.push(use);
  }
  return batches;
}
