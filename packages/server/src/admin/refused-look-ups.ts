import type { Logger } from 'pino';
import { SYSTEM } from '../domain/actor.ts';
import { auditedId, type AuditRecord } from '../domain/audit-entry.ts';
import type { Store } from '../storage/store.ts';
import { createCountedAttempts } from './counted-attempts.ts';
import type { OperatorActor } from './operators/start-session.ts';

/**
 * Counts the requests of a person in the portal for something that does not exist, or that the person may not
 * know of. Operators read the counts: neither organisation does.
 */
export interface RefusedLookUps {
  /** `organisationId`: as it is in the path. */
  record(person: OperatorActor, organisationId: string): void;
  /** Writes the requests counted so far. */
  stop(): Promise<void>;
}

interface LookUp {
  person: OperatorActor;
  organisationId: string | null;
}

export function createRefusedLookUps(store: Store, log: Logger, now: () => number): RefusedLookUps {
  const attempts = createCountedAttempts<LookUp>({ store, log, now }, recordOf);
  return {
    record(person, text) {
      const organisationId = auditedId(text);
      attempts.record(`${person.id} ${organisationId ?? ''}`, { person, organisationId });
    },
    stop: attempts.stop,
  };
}

function recordOf(lookUp: LookUp | undefined, count: number, at: number): AuditRecord {
  return {
    at,
    actor: lookUp?.person ?? SYSTEM,
    action: 'organisation.view',
    outcome: 'refused',
    subject: { kind: 'organisation', id: lookUp?.organisationId ?? null },
    related: null,
    before: null,
    after: { attempts: count },
    reason: 'Nothing was found, or nothing that the person may know of.',
  };
}
