import type { Logger } from 'pino';
import type { KnownApiUser, PendingUse } from './domain/known-api-user.ts';
import type { Use } from './storage/credential.ts';

/** Gathers the use of credentials in memory and writes it every few seconds: nothing is written per token. */
export interface UseRecorder {
  note(known: KnownApiUser, credentialId: string, address: string, nowMs: number): void;
  /** Writes what is there; what cannot be written is kept for the next time. */
  flush(): Promise<void>;
  /** Flushes every `flushMs` until stopped, and once more then. */
  start(): void;
  stop(): Promise<void>;
}

export interface UseSettings {
  usageFlushMs: number;
  usageMax: number;
}

export function createUseRecorder(
  write: (uses: readonly Use[]) => Promise<void>,
  { usageFlushMs, usageMax }: UseSettings,
  log: Logger,
): UseRecorder {
  let gathered: PendingUse[] = [];
  let flushing: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let lost = 0;

  function note(known: KnownApiUser, credentialId: string, address: string, nowMs: number): void {
    for (let use = known.uses; use !== null; use = use.next) {
      if (use.credentialId !== credentialId) continue;
      use.lastUsedAt = nowMs;
      use.lastUsedAddress = address;
      use.count += 1;
      return;
    }
    if (gathered.length >= usageMax) {
      lost += 1;
      return;
    }
    const [lastUsedAt, lastUsedAddress, next] = [nowMs, address, known.uses];
    known.uses = { credentialId, lastUsedAt, lastUsedAddress, count: 1, of: known, next };
    gathered.push(known.uses);
    if (gathered.length === usageMax) void flush();
  }

  async function writeAll(): Promise<void> {
    const batches = neighbours(gathered);
    for (const use of gathered) use.of.uses = null;
    gathered = [];
    for (const [i, batch] of batches.entries()) {
      try {
        await write(batch);
      } catch (error) {
        for (const left of batches.slice(i)) keepForNextTime(left);
        log.warn(
          { error: (error as Error).message },
          'the use of credentials could not be written, and is kept',
        );
        break;
      }
    }
    if (lost > 0) log.warn({ lost }, 'uses of credentials were not counted: too many wait to be written');
    lost = 0;
  }

  function keepForNextTime(uses: readonly PendingUse[]): void {
    for (const use of uses) {
      if (gathered.length < usageMax) gathered.push(use);
      else lost += use.count;
    }
  }

  async function flush(): Promise<void> {
    flushing ??= writeAll().finally(() => {
      flushing = undefined;
    });
    await flushing;
  }

  return {
    note,
    flush,
    start() {
      timer = setInterval(() => void flush(), usageFlushMs);
    },
    async stop() {
      clearInterval(timer);
      await flush(); // one that was under way, without what came since
      await flush();
    },
  };
}

/** Credentials in a batch at least, where there are as many: each batch waits for the disk once. */
const BATCH_MIN = 4000;

/**
 * Batches of credentials whose ids begin alike: they lie side by side in the store, so a batch writes few pages of it;
 * and other writers come in between two batches.
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
