import type { Logger } from 'pino';
import { SYSTEM } from '../../domain/actor.ts';
import type { AuditRecord } from '../../domain/audit-entry.ts';
import type { Store } from '../../storage/store.ts';
import { createCountedAttempts } from '../counted-attempts.ts';

/** Counts failed attempts to sign in. */
export interface FailedSignIns {
  /** `operatorId`: null if no operator has that e-mail address. */
  record(operatorId: string | null, address: string): void;
  /** Writes the attempts counted so far. */
  stop(): Promise<void>;
}

interface Attempt {
  operatorId: string | null;
  address: string;
}

const OTHERS: Attempt = { operatorId: null, address: 'others' };

export function createFailedSignIns(store: Store, log: Logger, now: () => number): FailedSignIns {
  const attempts = createCountedAttempts<Attempt>({ store, log, now }, recordOf);
  return {
    record: (operatorId, address) =>
      attempts.record(`${operatorId ?? ''} ${address}`, { operatorId, address }),
    stop: attempts.stop,
  };
}

function recordOf({ operatorId, address }: Attempt = OTHERS, count: number, at: number): AuditRecord {
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
