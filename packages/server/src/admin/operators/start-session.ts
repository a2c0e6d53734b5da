import type { Actor } from '../../domain/actor.ts';
import type { AuditAction, AuditRecord } from '../../domain/audit-entry.ts';
import { invitationDigest, type Invitation } from '../../domain/invitation.ts';
import { newOperator, type Operator } from '../../domain/operator.ts';
import { AppError } from '../../domain/app-error.ts';
import { codesLockedUntil, recoveryCodeDigest, totpStep } from '../../domain/second-factor.ts';
import {
  sessionDigest,
  SESSIONS_MAX,
  startSession,
  type SessionLimits,
  type StartedSession,
} from '../../domain/session.ts';
import type { MasterKey } from '../../storage/master-key.ts';
import type { Store, StoreTransaction } from '../../storage/store.ts';
import { audited, type Attempt, type Change, type Effect } from '../audited.ts';
import { insertOperator, operatorFacts } from './operator.ts';

/** Where an operator signs in from. */
export interface SignInFrom {
  address: string;
  userAgent: string;
  /** The previous session of this browser, which ends. */
  sessionToken: string | null;
}

export interface Started extends StartedSession {
  operator: Operator;
}

export type OperatorActor = Extract<Actor, { kind: 'operator' }>;

/** A change that operators make to their own account. */
export type OperatorChange = Change & { actor: OperatorActor };

export function operatorActor({ id, email, role }: Operator, address: string): OperatorActor {
  return { kind: 'operator', id, name: email, address, role };
}

/**
 * The associated data that seals an operator's TOTP secret: a copy in another operator's row cannot be
 * unsealed.
 */
export function totpContext(operatorId: string): string {
  return `totp ${operatorId}`;
}

export type CodeRefusal = { refused: 'wrong_code' } | { refused: 'codes_locked'; untilMs: number };

export type SignInOutcome =
  | Started
  /** The operator was removed, or the password changed, since the password was checked. */
  | { refused: 'changed' }
  | CodeRefusal;

/**
 * Starts a session for an operator whose password was checked. Checks the second factor first, if the
 * operator has one.
 */
export async function signInOperator(
  change: OperatorChange,
  masterKey: MasterKey,
  limits: SessionLimits,
  { operator: checked, code, from }: { operator: Operator; code: string; from: SignInFrom },
): Promise<SignInOutcome> {
  const { actor, nowMs } = change;
  const attempt: Attempt = { action: 'session.sign_in', subject: { kind: 'session', id: null } };
  return await audited<SignInOutcome>(change, attempt, async (transaction) => {
    await transaction.operators.lock();
    const operator = await transaction.operators.find(checked.id);
    if (operator === undefined || operator.passwordHash !== checked.passwordHash) {
      return { result: { refused: 'changed' }, unchanged: true };
    }
    if (operator.sealedTotpSecret !== null) {
      const codeAttempt = { actor, action: attempt.action, operator, code };
      const refusal = await codeRefusal(transaction, masterKey, codeAttempt, nowMs);
      if (refusal !== null) return { result: refusal, unchanged: true };
    }
    const { started, ended } = await beginSession(transaction, operator, from, limits, nowMs);
    return { result: started, ...beginning(started), also: ended };
  });
}

/**
 * Finds the invitation of a token, and its operator. The operator is null if the invitation makes the first
 * admin. Throws an AppError if the token is not valid.
 */
export async function findInvitation(
  store: Store,
  token: string,
  nowMs: number,
): Promise<{ invitation: Invitation; operator: Operator | null }> {
  const digest = invitationDigest(token);
  const invitation = digest === null ? undefined : await store.invitations.find(digest);
  if (invitation === undefined || invitation.expiresAt <= nowMs) throw noSuchInvitation();
  if (invitation.operatorId === null) return { invitation, operator: null };
  const operator = await store.operators.find(invitation.operatorId);
  if (operator === undefined) throw noSuchInvitation();
  return { invitation, operator };
}

export interface Acceptance {
  /** The result of `findInvitation`. */
  invited: { invitation: Invitation; operator: Operator | null };
  /** The e-mail address of the operator. The first admin chooses it. */
  email: string;
  passwordHash: string;
  from: SignInFrom;
}

/**
 * Sets the password, uses up the invitation and starts a session. Throws an AppError if the invitation is not
 * valid any more.
 */
export async function acceptInvitation(
  { store, nowMs }: Pick<Change, 'store' | 'nowMs'>,
  limits: SessionLimits,
  { invited, email, passwordHash, from }: Acceptance,
): Promise<Started> {
  const { digest } = invited.invitation;
  const first = invited.operator === null;
  const invitee = invited.operator ?? newOperator(email, 'admin', nowMs);
  const attempt: Attempt = { action: 'operator.accept', subject: { kind: 'operator', id: invitee.id } };
  const change = { store, actor: operatorActor(invitee, from.address), nowMs };
  return await audited(change, attempt, async (transaction) => {
    await transaction.operators.lock();
    if (!(await transaction.invitations.consume(digest))) throw noSuchInvitation();
    const before = first ? invitee : await transaction.operators.find(invitee.id);
    if (before === undefined || before.passwordHash !== null) throw noSuchInvitation();
    const operator: Operator = { ...before, passwordHash, updatedAt: nowMs };
    if (first) await insertFirstAdmin(transaction, operator);
    else await transaction.operators.update(operator);
    const { started, ended } = await beginSession(transaction, operator, from, limits, nowMs);
    const signIn = { action: 'session.sign_in', subject: { kind: 'session', id: null } } as const;
    return {
      result: started,
      after: operatorFacts(operator),
      also: [{ ...signIn, ...beginning(started) }, ...ended],
    };
  });
}

async function insertFirstAdmin(transaction: StoreTransaction, operator: Operator): Promise<void> {
  // The link makes only the first admin: once any operator exists, it no longer works.
  if (await transaction.operators.any()) throw noSuchInvitation();
  await insertOperator(transaction, operator);
}

export function noSuchInvitation(): AppError {
  return new AppError(
    'not_found',
    'The link is no longer valid: it was used, was replaced by a newer one, or has expired. Ask an admin for a new one.',
  );
}

/** Starts a session within a larger transaction. The caller records the end of the previous one. */
export async function beginSession(
  { sessions, operators }: StoreTransaction,
  operator: Operator,
  { sessionToken, ...from }: SignInFrom,
  limits: SessionLimits,
  nowMs: number,
): Promise<{ started: Started; ended: (Attempt & Effect)[] }> {
  const ended: (Attempt & Effect)[] = [];
  const before = sessionToken === null ? null : sessionDigest(sessionToken);
  const old = before === null ? undefined : await sessions.find(before);
  if (old !== undefined && (await sessions.delete(old.operator.id, old.session.id))) {
    const related = { kind: 'operator', id: old.operator.id } as const;
    ended.push({ action: 'session.end', subject: { kind: 'session', id: old.session.id }, related });
  }
  const started = startSession(operator.id, from, limits, nowMs);
  await sessions.trim(operator.id, SESSIONS_MAX - 1);
  await sessions.insert(started.session, sessionDigest(started.token) ?? '');
  await operators.seen(operator.id, nowMs);
  return { started: { ...started, operator }, ended };
}

/** The effect of a sign-in, for the audit log. */
export function beginning({ session, operator }: Started): Effect {
  return {
    subjectId: session.id,
    related: { kind: 'operator', id: operator.id },
    after: { user_agent: session.userAgent, second_factor: operator.sealedTotpSecret !== null },
  };
}

/**
 * Uses up a code of the second factor, for a sign-in or for a change that needs one. Null: the code was
 * right. Every wrong code counts, and after enough of them all codes are locked for a while. The caller locks
 * the operators, so that codes are checked one at a time.
 */
export async function codeRefusal(
  transaction: StoreTransaction,
  masterKey: MasterKey,
  {
    actor,
    action,
    operator,
    code,
  }: { actor: OperatorActor; action: AuditAction; operator: Operator; code: string },
  nowMs: number,
): Promise<CodeRefusal | null> {
  const { operators, audit } = transaction;
  if (operator.codesLockedUntil !== null && operator.codesLockedUntil > nowMs)
    return { refused: 'codes_locked', untilMs: operator.codesLockedUntil };
  if (await takeCode(transaction, masterKey, operator, code, nowMs)) {
    await operators.setWrongCodes(operator.id, 0, null);
    return null;
  }
  const wrongCodes = operator.wrongCodes + 1;
  await operators.setWrongCodes(operator.id, wrongCodes, codesLockedUntil(wrongCodes, nowMs));
  await audit.append([wrongCode(actor, action, nowMs)]);
  return { refused: 'wrong_code' };
}

/** Uses up a code of the app or a recovery code, so that it works only once. */
async function takeCode(
  { operators }: StoreTransaction,
  masterKey: MasterKey,
  operator: Operator,
  code: string,
  nowMs: number,
): Promise<boolean> {
  const typed = code.replaceAll(/\s/g, '');
  const secret = masterKey
    .unseal(operator.sealedTotpSecret ?? '', totpContext(operator.id))
    .toString('ascii');
  const step = totpStep(secret, typed, operator.lastTotpStep, nowMs);
  if (step !== null) return await operators.useTotpStep(operator.id, step);
  const digest = recoveryCodeDigest(typed);
  return digest !== null && (await operators.useRecoveryCode(operator.id, digest));
}

function wrongCode(actor: OperatorActor, action: AuditAction, at: number): AuditRecord {
  return {
    at,
    actor,
    action,
    outcome: 'refused',
    subject: { kind: 'operator', id: actor.id },
    related: null,
    before: null,
    after: null,
    reason: 'The password was right, the code of the second factor was not.',
  };
}
