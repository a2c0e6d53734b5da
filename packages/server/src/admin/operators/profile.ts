import type { Operator } from '../../domain/operator.ts';
import { AppError } from '../../domain/app-error.ts';
import {
  newRecoveryCodes,
  newTotp,
  recoveryCodeDigest,
  totpStep,
  type NewTotp,
} from '../../domain/second-factor.ts';
import { newSessionToken, sessionDigest } from '../../domain/session.ts';
import type { MasterKey } from '../../storage/master-key.ts';
import type { StoreTransaction } from '../../storage/store.ts';
import { audited } from '../audited.ts';
import { withoutSecondFactor } from './operator.ts';
import {
  codeRefusal,
  totpContext,
  type CodeRefusal,
  type OperatorActor,
  type OperatorChange,
} from './start-session.ts';

// Operators change their own account here. If a comment says that the password was confirmed, the caller did
// that first.

/** The session that makes the change. It continues under a new token. */
interface Renewed {
  /** For the cookie. */
  token: string;
}

/**
 * Sets a new password by its hash, after the old one was confirmed. Renews the session and ends the
 * operator's other sessions.
 */
export async function changePassword(
  change: OperatorChange,
  { checkedHash, passwordHash, sessionId }: { checkedHash: string; passwordHash: string; sessionId: string },
): Promise<Renewed> {
  const { actor, nowMs } = change;
  const attempt = { action: 'profile.password', subject: { kind: 'operator', id: actor.id } } as const;
  return await audited(change, attempt, async (transaction) => {
    const operator = await own(transaction, actor);
    if (operator.passwordHash !== checkedHash) {
      throw new AppError('conflict', 'The password was changed by somebody else just now: sign in again.');
    }
    await transaction.operators.update({ ...operator, passwordHash, updatedAt: nowMs });
    const { token, ended } = await renewSession(transaction, operator.id, sessionId);
    return { result: { token }, after: { sessions_ended: ended } };
  });
}

/** Why a change is refused for its code of the second factor. */
export type FactorRefusal = CodeRefusal | { refused: 'code_missing' };

/**
 * Makes a secret for an authenticator app, after the password was confirmed. The secret takes effect when the
 * operator confirms it with a code. If the operator has a second factor already, its code is needed: the new
 * one will replace it.
 */
export async function beginSecondFactor(
  change: OperatorChange,
  masterKey: MasterKey,
  { site, code }: { site: string; code: string },
): Promise<NewTotp | FactorRefusal> {
  const { actor, nowMs } = change;
  const attempt = {
    action: 'profile.second_factor_on',
    subject: { kind: 'operator', id: actor.id },
  } as const;
  return await audited<NewTotp | FactorRefusal>(change, attempt, async (transaction) => {
    const operator = await own(transaction, actor);
    if (operator.sealedTotpSecret !== null) {
      const codeAttempt = { actor, action: attempt.action, operator, code };
      const refusal = await factorRefusal(transaction, masterKey, codeAttempt, nowMs);
      if (refusal !== null) return { result: refusal, unchanged: true };
    }
    const totp = newTotp(site, operator.email);
    const sealedPendingTotpSecret = masterKey.seal(
      Buffer.from(totp.secret, 'ascii'),
      totpContext(operator.id),
    );
    const current = await own(transaction, actor); // with the code marked as used
    await transaction.operators.update({ ...current, sealedPendingTotpSecret });
    return { result: totp, after: { confirmed: false } };
  });
}

/**
 * Turns the second factor on: from now on sign-in needs a code. Renews the session and ends the others, which
 * started without a code. Returns the recovery codes, which are shown only once. Throws an AppError for a
 * wrong code.
 */
export async function confirmSecondFactor(
  change: OperatorChange,
  masterKey: MasterKey,
  { code, sessionId }: { code: string; sessionId: string },
): Promise<Renewed & { recoveryCodes: string[] }> {
  const { actor, nowMs } = change;
  const attempt = {
    action: 'profile.second_factor_on',
    subject: { kind: 'operator', id: actor.id },
  } as const;
  return await audited(change, attempt, async (transaction) => {
    const operator = await own(transaction, actor);
    const sealed = operator.sealedPendingTotpSecret;
    if (sealed === null) {
      throw new AppError('conflict', 'There is no second factor to confirm: begin with a new secret.');
    }
    const secret = masterKey.unseal(sealed, totpContext(operator.id)).toString('ascii');
    const step = totpStep(secret, code.replaceAll(/\s/g, ''), null, nowMs);
    if (step === null) {
      const problem =
        'The code is not the one of this moment: check that the clock of the device is right, and give the next one.';
      throw new AppError('invalid', problem, { faults: [{ member: 'code', problem }] });
    }
    const codes = newRecoveryCodes();
    await transaction.operators.update({
      ...withoutSecondFactor(operator),
      sealedTotpSecret: sealed,
      lastTotpStep: step,
      updatedAt: nowMs,
    });
    const digests = codes.map((each) => recoveryCodeDigest(each) ?? '');
    await transaction.operators.setRecoveryCodes(operator.id, digests);
    const { token, ended } = await renewSession(transaction, operator.id, sessionId);
    return { result: { recoveryCodes: codes, token }, after: { confirmed: true, sessions_ended: ended } };
  });
}

/**
 * Turns the second factor off, with a code, after the password was confirmed: from now on the password is
 * enough. Renews the session and ends the others. Throws an AppError if the second factor is already off.
 */
export async function removeSecondFactor(
  change: OperatorChange,
  masterKey: MasterKey,
  { code, sessionId }: { code: string; sessionId: string },
): Promise<Renewed | FactorRefusal> {
  const { actor, nowMs } = change;
  const attempt = {
    action: 'profile.second_factor_off',
    subject: { kind: 'operator', id: actor.id },
  } as const;
  return await audited<Renewed | FactorRefusal>(change, attempt, async (transaction) => {
    const operator = await own(transaction, actor);
    if (operator.sealedTotpSecret === null) throw new AppError('conflict', 'There is no second factor.');
    const codeAttempt = { actor, action: attempt.action, operator, code };
    const refusal = await factorRefusal(transaction, masterKey, codeAttempt, nowMs);
    if (refusal !== null) return { result: refusal, unchanged: true };
    await transaction.operators.update({ ...withoutSecondFactor(operator), updatedAt: nowMs });
    await transaction.operators.setRecoveryCodes(operator.id, []);
    const { token, ended } = await renewSession(transaction, operator.id, sessionId);
    return { result: { token }, after: { sessions_ended: ended } };
  });
}

async function factorRefusal(
  transaction: StoreTransaction,
  masterKey: MasterKey,
  codeAttempt: Parameters<typeof codeRefusal>[2],
  nowMs: number,
): Promise<FactorRefusal | null> {
  if (codeAttempt.code.trim() === '') return { refused: 'code_missing' };
  return await codeRefusal(transaction, masterKey, codeAttempt, nowMs);
}

/**
 * After a change of password or second factor: gives this session a new token, so that a leaked token stops
 * working, and ends the other sessions.
 */
async function renewSession(
  { sessions }: StoreTransaction,
  operatorId: string,
  sessionId: string,
): Promise<Renewed & { ended: number }> {
  const token = newSessionToken();
  if (!(await sessions.setDigest(operatorId, sessionId, sessionDigest(token) ?? ''))) {
    throw new AppError('conflict', 'Your session ended just now: sign in again.');
  }
  return { token, ended: await sessions.deleteOf(operatorId, sessionId) };
}

/**
 * Ends one of the operator's own sessions. Throws an AppError if the operator has no session with this id.
 */
export async function endSession(
  change: OperatorChange,
  action: 'session.sign_out' | 'session.end',
  sessionId: string,
): Promise<void> {
  const { actor } = change;
  const related = { kind: 'operator', id: actor.id } as const;
  const attempt = { action, subject: { kind: 'session', id: sessionId }, related } as const;
  await audited(change, attempt, async (transaction) => {
    if (await transaction.sessions.delete(actor.id, sessionId)) return { result: undefined };
    throw new AppError('not_found', 'You have no session with this id: it may have ended already.');
  });
}

async function own({ operators }: StoreTransaction, by: OperatorActor): Promise<Operator> {
  await operators.lock();
  const operator = await operators.find(by.id);
  if (operator !== undefined) return operator;
  throw new AppError('not_found', 'You are no operator any more.');
}
