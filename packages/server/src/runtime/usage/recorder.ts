import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { storedText } from '../../domain/characters.ts';
import { startOf, UNIT_MS } from '../../domain/usage.ts';
import { createPeriodicRun } from '../../lib/periodic-run.ts';
import type { CredentialRefusals, UsageBatch } from '../../storage/tables/usage.ts';
import { recordRoom, useRecords } from '../../storage/tables/use-records.ts';
import { appendUses, COUNT_PART, noUses, TOKENS_PART, type Uses } from '../../storage/tables/uses.ts';
import { positionsInOrder, type Positions } from '../../storage/tables/uses-in-order.ts';
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
  /** For the records of the batch that is being written. */
  let room = recordRoom();

  async function writeAll(): Promise<void> {
    const minutes = gathering.drain(now());
    for (const [i, gathered] of minutes.entries()) {
      const left = await writeMinute(gathered);
      if (left.length === 0) {
        gathering.reuse(gathered.uses);
        continue;
      }
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
    const positions = positionsInOrder(uses);
    const batches = number === null ? batchesOf(positions) : [positions];
    for (const [i, batch] of batches.entries()) {
      const others = i === 0 ? gathered : emptyMinute(minute);
      const flush = number ?? (flushes += 1);
      try {
        await writeBatch(
          { ...others, uses, flush },
          batch,
          positions.byCredential.length <= LAST_USE_NOTED_MAX,
        );
      } catch (error) {
        failures += 1;
        room = recordRoom(); // if the outcome is unknown, the store may still read those records
        log.warn({ error: (error as Error).message }, 'usage could not be written, and is kept');
        const rest = copyOf(uses, batches.slice(i + 1));
        return [
          { ...others, uses: copyOf(uses, [batch]), flush },
          { ...emptyMinute(minute), uses: rest },
        ];
      }
    }
    return [];
  }

  async function writeBatch(gathered: Gathered, positions: Positions, noteLastUse: boolean): Promise<void> {
    const { minute, uses, organisationTokens, refusals, credentialRefusals, flush: number } = gathered;
    const oldest = startOf('minute', now() - LATE_MS_MAX);
    await write({
      minute: Math.max(minute, oldest),
      uses:
        positions.byCredential.length + organisationTokens.size === 0
          ? null
          : useRecords(uses, positions, organisationTokens, room),
      refusals: Array.from(refusals.values()),
      credentialRefusals: Array.from(credentialRefusals.values(), withText),
      noteLastUse,
      ...(number !== null && { flush: { process, number } }),
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
 * Batches of neighbours, at least one, of nearly equal size. Other writers get their turn between two
 * batches. One batch may write the tokens of a use, and another one the rest.
 */
function batchesOf({ byCredential, byApiUser }: Positions): Positions[] {
  const { length } = byCredential;
  const count = Math.max(1, Math.floor(length / BATCH_MIN));
  const end = (i: number) => Math.round((i * length) / count);
  const part = (all: Uint32Array, i: number) => all.subarray(end(i), end(i + 1));
  return Array.from({ length: count }, (_, i) => ({
    byCredential: part(byCredential, i),
    byApiUser: part(byApiUser, i),
  }));
}

/** What these batches write. */
function copyOf(uses: Uses, batches: readonly Positions[]): Uses {
  const parts = new Uint8Array(uses.size);
  for (const { byCredential, byApiUser } of batches) {
    for (const at of byCredential) parts[at] = COUNT_PART | (parts[at] ?? 0);
    for (const at of byApiUser) parts[at] = TOKENS_PART | (parts[at] ?? 0);
  }
  const copy = noUses();
  appendUses(copy, uses, parts);
  return copy;
}
