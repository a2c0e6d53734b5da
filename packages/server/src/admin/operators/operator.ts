import type { Actor, Role } from '../../domain/actor.ts';
import type { AuditFacts } from '../../domain/audit-entry.ts';
import { makeInvitation } from '../../domain/invitation.ts';
import { emailProblem, newOperator, operatorState, type Operator } from '../../domain/operator.ts';
import { AppError } from '../../domain/app-error.ts';
import type { Store, StoreTransaction } from '../../storage/store.ts';
import { audited, type Attempt, type Change } from '../audited.ts';
import { hashOfChosenPassword } from './password.ts';

export interface NewOperator {
  email: string;
  role: Role;
}

export interface Invited {
  operator: Operator;
  /** In the link: shown this once, and stored nowhere. */
  token: string;
  expiresAt: number;
}

/** Makes an operator who chooses a password with the link. Throws an AppError where the e-mail address is wrong or taken. */
export async function inviteOperator(
  change: Change,
  asked: NewOperator,
  lifeSeconds: number,
): Promise<Invited> {
  const { nowMs } = change;
  return await audited(change, INVITE, async (transaction) => {
    const operator = await insertOperator(transaction, newOperator(asked.email, asked.role, nowMs));
    const invited = await invite(transaction, operator, lifeSeconds, nowMs);
    return { result: invited, subjectId: operator.id, after: operatorFacts(operator) };
  });
}

/** The same for somebody who chose a password already, at the command line. Throws an AppError where it is weak, too. */
export async function createOperator(
  change: Change,
  { email, role, password }: NewOperator & { password: string },
): Promise<Operator> {
  const { nowMs } = change;
  refuseBadEmail(email);
  const passwordHash = await hashOfChosenPassword(password, email);
  return await audited(change, INVITE, async (transaction) => {
    const operator = { ...newOperator(email, role, nowMs), passwordHash };
    await insertOperator(transaction, operator);
    return { result: operator, subjectId: operator.id, after: operatorFacts(operator) };
  });
}

const INVITE: Attempt = { action: 'operator.invite', subject: { kind: 'operator', id: null } };

/**
 * A new link in place of the one before, for somebody who has not chosen a password yet. Throws an AppError for an operator who
 * has: `resetOperator` takes that password away.
 */
export async function inviteAgain(change: Change, name: string, lifeSeconds: number): Promise<Invited> {
  const { nowMs } = change;
  const attempt = { action: 'operator.invite', subject: { kind: 'operator', id: name } } as const;
  return await audited(change, attempt, async (transaction, identify) => {
    await transaction.operators.lock();
    const operator = await existingOperator(transaction, name);
    identify({ subjectId: operator.id });
    if (operatorState(operator) === 'active') {
      throw new AppError(
        'conflict',
        `${operator.email} has a password already: a reset takes it away, with the second factor, and makes a new link.`,
      );
    }
    return { result: await invite(transaction, operator, lifeSeconds, nowMs) };
  });
}

/**
 * Takes password, second factor and sessions away from an operator, who chooses another password with the link: for who
 * forgot or lost them, or had them stolen. Throws an AppError for the last admin, but at the command line: without the link nobody
 * could manage operators any more.
 */
export async function resetOperator(change: Change, name: string, lifeSeconds: number): Promise<Invited> {
  const { actor, nowMs } = change;
  const attempt = { action: 'operator.reset', subject: { kind: 'operator', id: name } } as const;
  return await audited(change, attempt, async (transaction, identify) => {
    await transaction.operators.lock();
    const before = await existingOperator(transaction, name);
    identify({ subjectId: before.id });
    if (actor.kind !== 'command_line') await refuseLastAdmin(transaction, before, 'reset');
    refuseOwnReset(actor, before);
    const operator: Operator = { ...withoutSecondFactor(before), passwordHash: null, updatedAt: nowMs };
    await transaction.operators.update(operator);
    await transaction.operators.setRecoveryCodes(operator.id, []);
    await transaction.sessions.deleteOf(operator.id);
    const invited = await invite(transaction, operator, lifeSeconds, nowMs);
    return { result: invited, before: operatorFacts(before), after: operatorFacts(operator) };
  });
}

/** A new link: for an operator who has a password a reset, for one who was invited another invitation. */
export async function newLinkFor(change: Change, name: string, lifeSeconds: number): Promise<Invited> {
  const state = operatorState(await existingOperator(change.store, name));
  return await (state === 'active' ? resetOperator : inviteAgain)(change, name, lifeSeconds);
}

/** Changes the role, and ends the operator's sessions. Throws an AppError where the last admin would be none any more. */
export async function changeOperatorRole(change: Change, name: string, role: Role): Promise<Operator> {
  const { nowMs } = change;
  const attempt = { action: 'operator.update', subject: { kind: 'operator', id: name } } as const;
  return await audited(change, attempt, async (transaction, identify) => {
    await transaction.operators.lock();
    const before = await existingOperator(transaction, name);
    identify({ subjectId: before.id });
    if (before.role === role) return { result: before, unchanged: true };
    await refuseLastAdmin(transaction, before, 'demoted');
    const operator: Operator = { ...before, role, updatedAt: nowMs };
    await transaction.operators.update(operator);
    await transaction.sessions.deleteOf(operator.id);
    return { result: operator, before: { role: before.role }, after: { role } };
  });
}

/** Removes an operator for good, with the sessions; gives back who it was. Throws an AppError for the last admin. */
export async function removeOperator(change: Change, name: string): Promise<Operator> {
  const attempt = { action: 'operator.remove', subject: { kind: 'operator', id: name } } as const;
  return await audited(change, attempt, async (transaction, identify) => {
    await transaction.operators.lock();
    const operator = await existingOperator(transaction, name);
    identify({ subjectId: operator.id });
    await refuseLastAdmin(transaction, operator, 'removed');
    await transaction.operators.delete(operator.id);
    return { result: operator, before: operatorFacts(operator) };
  });
}

/** The operator with this id or e-mail address. Throws an AppError where there is none. */
export async function existingOperator(rows: Pick<Store, 'operators'>, name: string): Promise<Operator> {
  const operator = (await rows.operators.find(name)) ?? (await rows.operators.findByEmail(name));
  if (operator !== undefined) return operator;
  throw new AppError('not_found', `There is no operator "${name}".`, {
    hint: ': mintmark operator list shows all.',
  });
}

/** What the audit log says of an operator. */
export function operatorFacts(operator: Operator): AuditFacts {
  return {
    email: operator.email,
    role: operator.role,
    state: operatorState(operator),
    second_factor: operator.sealedTotpSecret !== null,
  };
}

export function withoutSecondFactor(operator: Operator): Operator {
  return {
    ...operator,
    sealedTotpSecret: null,
    sealedPendingTotpSecret: null,
    lastTotpStep: null,
    wrongCodes: 0,
    codesLockedUntil: null,
  };
}

/** An operator as a part of something larger. From now on the link for the first admin is of no use. */
export async function insertOperator(transaction: StoreTransaction, operator: Operator): Promise<Operator> {
  refuseBadEmail(operator.email);
  await transaction.operators.lock();
  if ((await transaction.operators.findByEmail(operator.email)) !== undefined) {
    const problem = `There is an operator "${operator.email}" already: choose another address, or reset that one.`;
    throw new AppError('conflict', problem, { faults: [{ member: 'email', problem }] });
  }
  await transaction.operators.insert(operator);
  await transaction.invitations.deleteOf(null);
  return operator;
}

async function invite(
  transaction: StoreTransaction,
  operator: Operator,
  lifeSeconds: number,
  nowMs: number,
): Promise<Invited> {
  const { invitation, token } = makeInvitation(operator.id, lifeSeconds, nowMs);
  await transaction.invitations.put(invitation);
  return { operator, token, expiresAt: invitation.expiresAt };
}

async function refuseLastAdmin(
  { operators }: StoreTransaction,
  operator: Operator,
  what: string,
): Promise<void> {
  // An admin who was invited and never came is nobody who could manage operators.
  const counts = operator.role === 'admin' && operatorState(operator) === 'active';
  if (!counts || (await operators.otherActiveAdmins(operator.id)) > 0) return;
  throw new AppError(
    'conflict',
    `${operator.email} is the last admin and is not ${what}: make another operator admin first, who has a password.`,
  );
}

/**
 * The link that a reset makes signs in without the password and the second factor: with it, an open session would be enough to
 * take the account of its operator over.
 */
function refuseOwnReset(by: Actor, operator: Operator): void {
  if (by.kind !== 'operator' || by.id !== operator.id) return;
  throw new AppError(
    'forbidden',
    'You cannot reset yourself: change your password and second factor in your profile, or ask another admin.',
  );
}

function refuseBadEmail(email: string): void {
  const problem = emailProblem(email);
  if (problem !== null) throw new AppError('invalid', problem, { faults: [{ member: 'email', problem }] });
}
