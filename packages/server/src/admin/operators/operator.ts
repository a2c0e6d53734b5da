import type { Actor, Role } from '../../domain/actor.ts';
import type { AuditFacts } from '../../domain/audit-entry.ts';
import { changedFacts } from '../../domain/audit-facts.ts';
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
  /** Part of the link: shown only once, and stored nowhere. */
  token: string;
  expiresAt: number;
}

/**
 * Makes an operator, who then chooses a password with the link. Throws an AppError if the e-mail address is
 * invalid or taken.
 */
export async function inviteOperator(
  change: Change,
  input: NewOperator,
  lifeSeconds: number,
): Promise<Invited> {
  const { nowMs } = change;
  return await audited(change, INVITE, async (transaction) => {
    const operator = await insertOperator(transaction, newOperator(input.email, input.role, nowMs));
    const invited = await invite(transaction, operator, lifeSeconds, nowMs);
    return { result: invited, subjectId: operator.id, after: operatorFacts(operator) };
  });
}

/**
 * Makes an operator with a password, at the command line. Throws an AppError also if the password is weak.
 */
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
 * Replaces the link of an operator without a password. Throws an AppError if the operator has a password:
 * `resetOperator` removes it.
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
 * Removes the password, second factor and sessions of an operator, and makes a link for choosing a new
 * password: for operators who lost these, or had them stolen. Throws an AppError for the last admin, except
 * at the command line: until that admin uses the link, no operator can manage the others.
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
    const operator: Operator = { ...(await withoutProof(transaction, before)), updatedAt: nowMs };
    await transaction.operators.update(operator);
    await transaction.sessions.deleteOf(operator.id);
    const invited = await invite(transaction, operator, lifeSeconds, nowMs);
    return { result: invited, before: operatorFacts(before), after: operatorFacts(operator) };
  });
}

/** Makes a new link: a reset for an operator with a password, otherwise another invitation. */
export async function newLinkFor(change: Change, name: string, lifeSeconds: number): Promise<Invited> {
  const state = operatorState(await existingOperator(change.store, name));
  return await (state === 'active' ? resetOperator : inviteAgain)(change, name, lifeSeconds);
}

/**
 * Changes the role and ends the operator's sessions. An account that was only a member loses its password and
 * second factor, and needs a new link: an admin of an organisation may have opened its invitation. Throws an
 * AppError if no admin would remain.
 */
export async function changeOperatorRole(change: Change, name: string, role: Role): Promise<Operator> {
  const { nowMs } = change;
  const attempt = { action: 'operator.update', subject: { kind: 'operator', id: name } } as const;
  return await audited(change, attempt, async (transaction, identify) => {
    await transaction.operators.lock();
    const before = await existingOperator(transaction, name);
    identify({ subjectId: before.id });
    if (before.role === role) return { result: before, unchanged: true };
    await refuseLastAdmin(transaction, before, 'demoted');
    const account = before.role === 'none' ? await withoutProof(transaction, before) : before;
    const operator: Operator = { ...account, role, updatedAt: nowMs };
    await transaction.operators.update(operator);
    await transaction.sessions.deleteOf(operator.id);
    const facts = changedFacts(operatorFacts(before), operatorFacts(operator));
    return { result: operator, before: facts.before, after: facts.after };
  });
}

/**
 * Removes an operator and the sessions for good. Returns the removed operator. Throws an AppError for the
 * last admin.
 */
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

/** The operator with this id or e-mail address. Throws an AppError if it does not exist. */
export async function existingOperator(rows: Pick<Store, 'operators'>, name: string): Promise<Operator> {
  const operator = (await rows.operators.find(name)) ?? (await rows.operators.findByEmail(name));
  if (operator !== undefined) return operator;
  throw new AppError('not_found', `There is no operator "${name}".`, {
    hint: ': mintmark operator list shows all.',
  });
}

/** The facts about an operator in the audit log. */
export function operatorFacts(operator: Operator): AuditFacts {
  return {
    email: operator.email,
    role: operator.role,
    state: operatorState(operator),
    second_factor: operator.sealedTotpSecret !== null,
  };
}

/** The operator without a password and second factor. Removes the recovery codes. */
async function withoutProof({ operators }: StoreTransaction, operator: Operator): Promise<Operator> {
  await operators.setRecoveryCodes(operator.id, []);
  return { ...withoutSecondFactor(operator), passwordHash: null };
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

/**
 * Inserts an operator within a larger transaction. From then on the link for the first admin no longer works.
 */
export async function insertOperator(transaction: StoreTransaction, operator: Operator): Promise<Operator> {
  refuseBadEmail(operator.email);
  await transaction.operators.lock();
  const other = await transaction.operators.findByEmail(operator.email);
  if (other !== undefined) {
    const problem =
      other.role === 'none'
        ? `The person "${other.email}" is a member of an organisation: change the role of the account ${other.id}, then make a new link.`
        : `There is an operator "${operator.email}" already: choose another address, or reset that one.`;
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
  // An invited admin without a password cannot manage operators, and does not count.
  const counts = operator.role === 'admin' && operatorState(operator) === 'active';
  if (!counts || (await operators.otherActiveAdmins(operator.id)) > 0) return;
  throw new AppError(
    'conflict',
    `${operator.email} is the last admin and is not ${what}: make another operator admin first, who has a password.`,
  );
}

/**
 * Operators cannot reset themselves. The link of a reset replaces the password and the second factor: with
 * it, an attacker with an open session could take over the account.
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
