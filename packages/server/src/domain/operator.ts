import type { AccountRole } from './actor.ts';
import { randomBase62 } from '../lib/random.ts';

/**
 * The account of a person who manages API users, as stored: of an operator, or of a member of organisations.
 * Times are milliseconds since 1970 (UTC).
 */
export interface Operator {
  /** `op_` and 16 characters. Never changes. */
  id: string;
  /** As it was entered. The operator signs in with it, in any letter case. */
  email: string;
  role: AccountRole;
  /** argon2id, as a PHC string. Null: the operator was invited or reset, and cannot sign in yet. */
  passwordHash: string | null;
  /** The TOTP secret, encrypted under the master key; null: the operator has no second factor. */
  sealedTotpSecret: string | null;
  /** A new TOTP secret, encrypted, that no code has confirmed yet. */
  sealedPendingTotpSecret: string | null;
  /** The time step of the last accepted TOTP code. Codes of this step and of earlier ones are refused. */
  lastTotpStep: number | null;
  /** Wrong codes that came with the right password, since the last right code. */
  wrongCodes: number;
  /** Every code is refused before this time. */
  codesLockedUntil: number | null;
  createdAt: number;
  updatedAt: number;
  /** To the minute. */
  lastSeenAt: number | null;
}

export type OperatorState = 'active' | 'invited';

const ID_PREFIX = 'op_';
const ID_LENGTH = 16;
const EMAIL_LENGTH_MAX = 254; // RFC 5321 §4.5.3.1.3, without the angle brackets

export function newOperator(email: string, role: AccountRole, nowMs: number): Operator {
  return {
    id: ID_PREFIX + randomBase62(ID_LENGTH),
    email,
    role,
    passwordHash: null,
    sealedTotpSecret: null,
    sealedPendingTotpSecret: null,
    lastTotpStep: null,
    wrongCodes: 0,
    codesLockedUntil: null,
    createdAt: nowMs,
    updatedAt: nowMs,
    lastSeenAt: null,
  };
}

export function operatorState({ passwordHash }: Pick<Operator, 'passwordHash'>): OperatorState {
  return passwordHash === null ? 'invited' : 'active';
}

/**
 * The form in which e-mail addresses are compared: NFC and lower case, so that letter case and input method
 * do not matter.
 */
export function emailKey(email: string): string {
  return email.normalize('NFC').toLowerCase();
}

/**
 * Why this cannot be an operator's e-mail address; null if it can. Does not check that mail arrives there.
 */
export function emailProblem(email: string): string | null {
  const fits = /^[^\s@"<>]+@[^\s@"<>]+$/.test(email) && !/[\p{Cc}\p{Cf}]/u.test(email);
  if (fits && email.length <= EMAIL_LENGTH_MAX) return null;
  return `"${email.slice(0, EMAIL_LENGTH_MAX)}" is not an e-mail address such as ada@example.com.`;
}
