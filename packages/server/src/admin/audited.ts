import { hash } from 'node:crypto';
import { confinedTo, type Actor } from '../domain/actor.ts';
import {
  auditedId,
  auditReason,
  type AuditAction,
  type AuditFacts,
  type AuditSubject,
} from '../domain/audit-entry.ts';
import type { Idempotency } from '../domain/idempotency.ts';
import { AppError } from '../domain/app-error.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';

/** The first argument of every change of the control plane: the store, the actor and the time. */
export interface Change {
  store: Store;
  actor: Actor;
  nowMs: number;
  /** Lets the caller retry the change safely: a repetition throws an AppError (`replayed`). */
  idempotency?: Idempotency | undefined;
}

/** The author and the time of a change, for its parts within a larger transaction. */
export type ChangeAuthor = Pick<Change, 'actor' | 'nowMs'>;

/** The attempted change, as far as it is known before the transaction. */
export interface Attempt {
  action: AuditAction;
  /** The id as the caller gave it; it may be a username. */
  subject: AuditSubject;
  related?: AuditSubject | null;
}

/**
 * Adds what the transaction found to the audit entry, even if the change is refused: the id of the API user
 * with this name, or the owner of a credential.
 */
export type Identify = (identity: {
  subjectId?: string;
  related?: AuditSubject;
  organisationId?: string | null;
}) => void;

/** The part of the audit entry that describes the effect of one change. */
export interface Effect {
  /** Set if the attempt had no id, or a name instead of an id. */
  subjectId?: string;
  related?: AuditSubject | null;
  /** The organisation of the subject: its admins may read the entry. Left out: that of the actor. */
  organisationId?: string | null;
  before?: AuditFacts | null;
  after?: AuditFacts | null;
  /** Why the change was refused. */
  refusal?: string;
}

export interface Outcome<T> extends Effect {
  result: T;
  /** Further changes of the same transaction. Each gets an entry after that of the attempt. */
  also?: readonly (Attempt & Effect)[];
  /** Nothing changed: the attempt itself gets no entry. */
  unchanged?: boolean;
}

/**
 * All changes that admin/ makes to the store go through here: `work` and its audit entry are one transaction.
 * If `work` throws an AppError, a second transaction records a refused attempt, and the caller gets the
 * error.
 */
export async function audited<T>(
  change: Change,
  attempt: Attempt,
  work: (transaction: StoreTransaction, identify: Identify) => Promise<Outcome<T>>,
): Promise<T> {
  const identity: Parameters<Identify>[0] = {};
  const identify: Identify = (more) => void Object.assign(identity, more);
  try {
    return await change.store.write(async (transaction) => {
      await refuseReplay(transaction, change);
      const { result, also = [], unchanged = false, ...effect } = await work(transaction, identify);
      const effects = unchanged ? also : [{ ...attempt, ...identity, ...effect }, ...also];
      await rememberKey(transaction, change, effects.map(subjectOf));
      await transaction.audit.append(effects.map((each) => recordOf(change, each)));
      return result;
    });
  } catch (error) {
    if (error instanceof AppError && error.code !== 'replayed')
      await recordRefusal(change, { ...attempt, ...identity }, error.message);
    throw error;
  }
}

/**
 * Records a refused attempt in a transaction of its own, such as one that the role of the actor does not
 * allow.
 */
export async function recordRefusal(
  change: Change,
  attempt: Attempt & Pick<Effect, 'subjectId' | 'organisationId' | 'after'>,
  refusal: string,
): Promise<void> {
  const subject = { ...attempt.subject, id: attempt.subjectId ?? auditedId(attempt.subject.id) };
  const refused = recordOf(change, { ...attempt, subject, refusal });
  await change.store.write(({ audit }) => audit.append([refused]));
}

/** How long the server recognises a retry by its Idempotency-Key. */
const KEPT_MS = 24 * 3_600_000;

const REPLAYED =
  'This was done already, for an earlier request with the same Idempotency-Key. A secret is shown in the first answer ' +
  'only: if that was lost, reset it.';

function keptId({ kind, id }: Actor, { key }: Idempotency): string {
  return hash('sha256', JSON.stringify([kind, id, key]), 'base64url');
}

async function refuseReplay(
  transaction: StoreTransaction,
  { actor, nowMs, idempotency }: Change,
): Promise<void> {
  if (idempotency === undefined) return;
  const kept = await transaction.idempotency.find(keptId(actor, idempotency));
  if (kept === undefined || kept.removesAt <= nowMs) return;
  if (kept.request === idempotency.request)
    throw new AppError('replayed', REPLAYED, { created: kept.created });
  throw new AppError(
    'conflict',
    `The Idempotency-Key "${idempotency.key}" was used for another request: choose a new key for each change.`,
  );
}

async function rememberKey(
  transaction: StoreTransaction,
  { actor, nowMs, idempotency }: Change,
  created: readonly AuditSubject[],
): Promise<void> {
  if (idempotency === undefined) return;
  const id = keptId(actor, idempotency);
  await transaction.idempotency.insert({
    id,
    request: idempotency.request,
    created,
    removesAt: nowMs + KEPT_MS,
  });
}

function subjectOf({ subject, subjectId }: Attempt & Effect): AuditSubject {
  return { kind: subject.kind, id: subjectId ?? subject.id };
}

function recordOf({ actor, nowMs }: Pick<Change, 'actor' | 'nowMs'>, effect: Attempt & Effect) {
  const { action, related = null, before = null, after = null, refusal } = effect;
  const { organisationId = confinedTo(actor) } = effect;
  return {
    at: nowMs,
    actor,
    action,
    outcome: refusal === undefined ? ('done' as const) : ('refused' as const),
    subject: subjectOf(effect),
    related,
    organisationId,
    before,
    after,
    reason: refusal === undefined ? null : auditReason(refusal),
  };
}
