import type { Logger } from 'pino';
import { SYSTEM } from '../../domain/actor.ts';
import type { AuditRecord } from '../../domain/audit-entry.ts';
import type { Store } from '../../storage/store.ts';

/**
 * Collects failed attempts to sign in, and writes them to the audit log in a few entries, even if there are
 * many.
 */
export interface FailedSignIns {
  /** `operatorId`: null if no operator has that e-mail address. */
  record(operatorId: string | null, address: string): void;
  /** Writes the attempts collected so far. */
  stop(): Promise<void>;
}

const WRITE_MS = 10_000;
/**
 * The most pairs of operator and address collected between two writes. Beyond that only the number of
 * attempts is kept.
 */
const PAIRS_MAX = 1000;
/** The most entries of one write. The pairs with the most attempts get one each; the others share one. */
const ENTRIES_MAX = 20;

interface Attempts {
  operatorId: string | null;
  address: string;
  count: number;
}

export function createFailedSignIns(store: Store, log: Logger, now: () => number): FailedSignIns {
  let pairs = new Map<string, Attempts>();
  let others = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    if (pairs.size === 0) return;
    const sorted = Array.from(pairs.values()).toSorted((a, b) => b.count - a.count);
    const rest = sorted.slice(ENTRIES_MAX - 1).reduce((sum, { count }) => sum + count, others);
    pairs = new Map();
    others = 0;
    const records = sorted.slice(0, ENTRIES_MAX - 1).map((attempts) => recordOf(attempts, now()));
    if (rest > 0) records.push(recordOf({ operatorId: null, address: 'others', count: rest }, now()));
    try {
      await store.write(({ audit }) => audit.append(records));
    } catch (error) {
      log.warn(
        { error: (error as Error).message, attempts: sorted.length },
        'failed sign-ins are not in the audit log',
      );
    }
  }

  return {
    record(operatorId, address) {
      timer ??= setTimeout(() => {
        timer = undefined;
        writing = writing.then(write);
      }, WRITE_MS).unref();
      const key = `${operatorId ?? ''} ${address}`;
      const attempts = pairs.get(key);
      if (attempts !== undefined) attempts.count += 1;
      else if (pairs.size < PAIRS_MAX) pairs.set(key, { operatorId, address, count: 1 });
      else others += 1;
    },
    async stop() {
      clearTimeout(timer);
      await (writing = writing.then(write));
    },
  };
}

function recordOf({ operatorId, address, count }: Attempts, at: number): AuditRecord {
  return {
    at,
    actor: SYSTEM,
    action: 'session.sign_in',
    outcome: 'refused',
    subject: { kind: 'operator', id: operatorId },
    related: null,
    before: null,
    after: { address, attempts: count },
    reason: 'The e-mail address and the password do not belong together, or there were too many attempts.',
  };
}
