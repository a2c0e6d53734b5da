import type { Operator } from '../domain/operator.ts';
import { Refused } from '../domain/refused.ts';
import {
  newRecoveryCodes,
  newTotp,
  recoveryCodeDigest,
  totpStep,
  type NewTotp,
} from '../domain/second-factor.ts';
import type { MasterKey } from '../master-key.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';
import { audited } from './audited.ts';
import { withoutSecondFactor } from './operators.ts';
import { totpContext, type OperatorActor } from './sign-in.ts';

// What operators do with what is their own. The password was asked for again before, where it says so.

/** Sets another password (its hash), after the old one was asked for; ends the operator's other sessions. */
export async function changePassword(
  store: Store,
  by: OperatorActor,
  { checkedHash, passwordHash, sessionId }: { checkedHash: string; passwordHash: string; sessionId: string },
  nowMs: number,
): Promise<void> {
  const attempt = { action: 'profile.password', subject: { kind: 'operator', id: by.id } } as const;
  await audited(store, by, nowMs, attempt, async (transaction) => {
    const operator = await own(transaction, by);
    if (operator.passwordHash !== checkedHash) {
      throw new Refused('conflict', 'The password was changed by somebody else just now: sign in again.');
    }
    await transaction.operators.update({ ...operator, passwordHash, updatedAt: nowMs });
    const ended = await transaction.sessions.deleteOf(operator.id, sessionId);
    return { result: undefined, after: { sessions_ended: ended } };
  });
}

/** A secret for an authenticator app, which counts once a code of it was given. After the password was asked for. */
export async function beginSecondFactor(
  store: Store,
  by: OperatorActor,
  masterKey: MasterKey,
  site: string,
  nowMs: number,
): Promise<NewTotp> {
  const attempt = { action: 'profile.second_factor_on', subject: { kind: 'operator', id: by.id } } as const;
  return await audited(store, by, nowMs, attempt, async (transaction) => {
    const operator = await own(transaction, by);
    const totp = newTotp(site, operator.email);
    const sealedPendingTotpSecret = masterKey.seal(
      Buffer.from(totp.secret, 'ascii'),
      totpContext(operator.id),
    );
    await transaction.operators.update({ ...operator, sealedPendingTotpSecret });
    return { result: totp, after: { confirmed: false } };
  });
}

/** From now on sign-in asks for a code. Gives back the recovery codes: shown this once. Throws a Refused for a wrong code. */
export async function confirmSecondFactor(
  store: Store,
  by: OperatorActor,
  masterKey: MasterKey,
  code: string,
  nowMs: number,
): Promise<string[]> {
  const attempt = { action: 'profile.second_factor_on', subject: { kind: 'operator', id: by.id } } as const;
  return await audited(store, by, nowMs, attempt, async (transaction) => {
    const operator = await own(transaction, by);
    const sealed = operator.sealedPendingTotpSecret;
    if (sealed === null) {
      throw new Refused('conflict', 'There is no second factor to confirm: begin with a new secret.');
    }
    const secret = masterKey.unseal(sealed, totpContext(operator.id)).toString('ascii');
    const step = totpStep(secret, code.replaceAll(/\s/g, ''), null, nowMs);
    if (step === null) {
      const problem =
        'The code is not the one of this moment: check that the clock of the device is right, and give the next one.';
      throw new Refused('invalid', problem, { faults: [{ member: 'code', problem }] });
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
    return { result: codes, after: { confirmed: true } };
  });
}

/** The password alone signs in from now on. After it was asked for. Throws a Refused where there is no second factor. */
export async function removeSecondFactor(store: Store, by: OperatorActor, nowMs: number): Promise<void> {
  const attempt = { action: 'profile.second_factor_off', subject: { kind: 'operator', id: by.id } } as const;
  await audited(store, by, nowMs, attempt, async (transaction) => {
    const operator = await own(transaction, by);
    if (operator.sealedTotpSecret === null) throw new Refused('conflict', 'There is no second factor.');
    await transaction.operators.update({ ...withoutSecondFactor(operator), updatedAt: nowMs });
    await transaction.operators.setRecoveryCodes(operator.id, []);
    return { result: undefined };
  });
}

/** Ends one of the operator's own sessions. Throws a Refused where there is none with this id. */
export async function endSession(
  store: Store,
  by: OperatorActor,
  action: 'session.sign_out' | 'session.end',
  sessionId: string,
  nowMs: number,
): Promise<void> {
  const related = { kind: 'operator', id: by.id } as const;
  const attempt = { action, subject: { kind: 'session', id: sessionId }, related } as const;
  await audited(store, by, nowMs, attempt, async (transaction) => {
    if (await transaction.sessions.delete(by.id, sessionId)) return { result: undefined };
    throw new Refused('not_found', 'You have no session with this id: it may have ended already.');
  });
}

async function own({ operators }: StoreTransaction, by: OperatorActor): Promise<Operator> {
  await operators.lock();
  const operator = await operators.find(by.id);
  if (operator !== undefined) return operator;
  throw new Refused('not_found', 'You are no operator any more.');
}
