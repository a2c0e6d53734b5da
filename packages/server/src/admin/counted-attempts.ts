import type { Logger } from 'pino';
import type { AuditRecord } from '../domain/audit-entry.ts';
import type { Store } from '../storage/store.ts';

/**
 * Counts refused attempts, and writes them to the audit log in a few entries, even if there are many. An
 * attempt without a count of its own is one of `others`.
 */
export interface CountedAttempts<A> {
  /** Attempts with equal keys share an entry. */
  record(key: string, attempt: A): void;
  /** Writes the attempts counted so far. */
  stop(): Promise<void>;
}

const WRITE_MS = 10_000;
/** The most keys between two writes. Beyond that only the number of attempts is kept. */
const KEYS_MAX = 1000;
/** The most entries of one write. The keys with the most attempts get one each; the others share one. */
const ENTRIES_MAX = 20;

interface CountContext {
  store: Store;
  log: Logger;
  now(): number;
}

export function createCountedAttempts<A>(
  { store, log, now }: CountContext,
  /** Undefined: attempts of several keys together. */
  recordOf: (attempt: A | undefined, count: number, at: number) => AuditRecord,
): CountedAttempts<A> {
  let counts = new Map<string, { attempt: A; count: number }>();
  let others = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    if (counts.size === 0) return;
    const sorted = Array.from(counts.values()).toSorted((a, b) => b.count - a.count);
    const rest = sorted.slice(ENTRIES_MAX - 1).reduce((sum, { count }) => sum + count, others);
    counts = new Map();
    others = 0;
    const first = sorted.slice(0, ENTRIES_MAX - 1);
    const records = first.map(({ attempt, count }) => recordOf(attempt, count, now()));
    if (rest > 0) records.push(recordOf(undefined, rest, now()));
    try {
      await store.write(({ audit }) => audit.append(records));
    } catch (error) {
      log.warn(
        { error: (error as Error).message, attempts: sorted.length },
        'refused attempts are not in the audit log',
      );
    }
  }

  return {
    record(key, attempt) {
      timer ??= setTimeout(() => {
        timer = undefined;
        writing = writing.then(write);
      }, WRITE_MS).unref();
      const counted = counts.get(key);
      if (counted !== undefined) counted.count += 1;
      else if (counts.size < KEYS_MAX) counts.set(key, { attempt, count: 1 });
      else others += 1;
    },
    async stop() {
      clearTimeout(timer);
      await (writing = writing.then(write));
    },
  };
}
