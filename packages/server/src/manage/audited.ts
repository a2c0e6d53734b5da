import type { Actor } from '../domain/actor.ts';
import {
  auditedId,
  auditReason,
  type AuditAction,
  type AuditFacts,
  type AuditSubject,
} from '../domain/audit-entry.ts';
import { Refused } from '../domain/refused.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';

/** What is tried, as far as it is known before it is. */
export interface Attempt {
  action: AuditAction;
  /** The id as it was given: a username too. */
  subject: AuditSubject;
  related?: AuditSubject | null;
}

/** What was found out on the way, for the entry about a refusal: which API user a name is of, whose a credential is. */
export type Note = (found: { subjectId?: string; related?: AuditSubject }) => void;

/** One change, for its entry. */
export interface Done {
  /** Where it was not known, or given as a name. */
  subjectId?: string;
  related?: AuditSubject | null;
  before?: AuditFacts | null;
  after?: AuditFacts | null;
}

export interface Outcome<T> extends Done {
  result: T;
  /** Further changes of the same transaction, which get an entry each, after that of the attempt. */
  also?: readonly (Attempt & Done)[];
  /** There was nothing to do: no entry for the attempt itself. */
  unchanged?: boolean;
}

/**
 * The one way in which manage/ changes the store: `work` and the entry in the audit log are one transaction. A Refused that
 * it throws is recorded as a refused attempt, in a transaction of its own, and thrown on.
 */
export async function audited<T>(
  store: Store,
  by: Actor,
  nowMs: number,
  attempt: Attempt,
  work: (transaction: StoreTransaction, note: Note) => Promise<Outcome<T>>,
): Promise<T> {
  const found: Parameters<Note>[0] = {};
  const note: Note = (more) => void Object.assign(found, more);
  try {
    return await store.write(async (transaction) => {
      const { result, also = [], unchanged = false, ...done } = await work(transaction, note);
      const changes = unchanged ? also : [{ ...attempt, ...found, ...done }, ...also];
      await transaction.audit.append(changes.map((change) => recordOf(by, nowMs, change)));
      return result;
    });
  } catch (error) {
    if (error instanceof Refused)
      await recordRefusal(store, by, nowMs, { ...attempt, ...found }, error.message);
    throw error;
  }
}

/** Records an attempt that was refused before it came to a change: by somebody whose role does not allow it. */
export async function recordRefusal(
  store: Store,
  by: Actor,
  nowMs: number,
  attempt: Attempt & Pick<Done, 'subjectId'>,
  message: string,
): Promise<void> {
  const subject = { ...attempt.subject, id: attempt.subjectId ?? auditedId(attempt.subject.id) };
  const refused = recordOf(by, nowMs, { ...attempt, subject });
  const reason = auditReason(message);
  await store.write(({ audit }) => audit.append([{ ...refused, outcome: 'refused', reason }]));
}

function recordOf(by: Actor, nowMs: number, change: Attempt & Done) {
  const { action, subject, subjectId, related = null, before = null, after = null } = change;
  return {
    at: nowMs,
    actor: by,
    action,
    outcome: 'done' as const,
    subject: { kind: subject.kind, id: subjectId ?? subject.id },
    related,
    before,
    after,
    reason: null,
  };
}
