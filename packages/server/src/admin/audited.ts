import { hash } from 'node:crypto';
import type { Actor } from '../domain/actor.ts';
import {
  auditedId,
  auditReason,
  type AuditAction,
  type AuditFacts,
  type AuditSubject,
} from '../domain/audit-entry.ts';
import { Replayed, type MadeOnce, type Once } from '../domain/idempotency.ts';
import { Refused } from '../domain/refused.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';

/** What is tried, as far as it is known before it is. */
export interface Attempt {
  action: AuditAction;
  /** The id as it was given: a username too. */
  subject: AuditSubject;
  related?: AuditSubject | null;
  /** Throws a Replayed where it was done under this key already. */
  once?: Once | undefined;
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
  /** It was tried and refused, and this is why. */
  refusal?: string;
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
      if (attempt.once !== undefined) await refuseReplay(transaction, by, attempt.once, nowMs);
      const { result, also = [], unchanged = false, ...done } = await work(transaction, note);
      const changes = unchanged ? also : [{ ...attempt, ...found, ...done }, ...also];
      if (attempt.once !== undefined)
        await keep(transaction, by, attempt.once, changes.map(subjectOf), nowMs);
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
  attempt: Attempt & Pick<Done, 'subjectId' | 'after'>,
  refusal: string,
): Promise<void> {
  const subject = { ...attempt.subject, id: attempt.subjectId ?? auditedId(attempt.subject.id) };
  const refused = recordOf(by, nowMs, { ...attempt, subject, refusal });
  await store.write(({ audit }) => audit.append([refused]));
}

/** How long a caller may ask again for a change that was made under its key. */
const KEPT_MS = 24 * 3_600_000;

function keptId(by: Actor, { key }: Once): string {
  return hash('sha256', JSON.stringify([by.kind, by.id, key]), 'base64url');
}

async function refuseReplay(
  { idempotency }: StoreTransaction,
  by: Actor,
  once: Once,
  nowMs: number,
): Promise<void> {
  const kept = await idempotency.find(keptId(by, once));
  if (kept === undefined || kept.removesAt <= nowMs) return;
  if (kept.request === once.request) throw new Replayed(kept.made);
  throw new Refused(
    'conflict',
    `The Idempotency-Key "${once.key}" was used for another request: choose a new key for each change.`,
  );
}

async function keep(
  { idempotency }: StoreTransaction,
  by: Actor,
  once: Once,
  made: MadeOnce,
  nowMs: number,
): Promise<void> {
  await idempotency.insert({
    id: keptId(by, once),
    request: once.request,
    made,
    removesAt: nowMs + KEPT_MS,
  });
}

function subjectOf({ subject, subjectId }: Attempt & Done): AuditSubject {
  return { kind: subject.kind, id: subjectId ?? subject.id };
}

function recordOf(by: Actor, nowMs: number, change: Attempt & Done) {
  const { action, related = null, before = null, after = null, refusal } = change;
  return {
    at: nowMs,
    actor: by,
    action,
    outcome: refusal === undefined ? ('done' as const) : ('refused' as const),
    subject: subjectOf(change),
    related,
    before,
    after,
    reason: refusal === undefined ? null : auditReason(refusal),
  };
}
