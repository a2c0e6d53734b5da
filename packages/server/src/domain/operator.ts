import type { Role } from './actor.ts';
import { randomBase62 } from '../lib/random.ts';

/** A person who manages API users, as stored. Times are milliseconds since 1970 (UTC). */
export interface Operator {
  /** `op_` and 16 characters. Never changes. */
  id: string;
  /** As it was given. Compared without regard to letter case; what the operator signs in with. */
  email: string;
  role: Role;
  /** argon2id, as a PHC string; null: invited, or reset, and nobody can sign in yet. */
  passwordHash: string | null;
  /** The TOTP secret under the master key; null: there is no second factor. */
  sealedTotpSecret: string | null;
  /** One that was asked for and is not confirmed by a code yet. */
  sealedPendingTotpSecret: string | null;
  /** The time step of the last TOTP code that was taken: it, and those before, are not taken again. */
  lastTotpStep: number | null;
  /** Wrong codes beside the right password, since the last right one. */
  wrongCodes: number;
  /** No code is looked at before then. */
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

export function newOperator(email: string, role: Role, nowMs: number): Operator {
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

/** The form in which e-mail addresses are compared: without regard to letter case, and to how a letter was typed. */
export function emailKey(email: string): string {
  return email.normalize('NFC').toLowerCase();
}

/** Why this cannot be an operator's e-mail address; null if it can. That mail arrives there is nobody's to check here. */
export function emailProblem(email: string): string | null {
  const fits = /^[^\s@"<>]+@[^\s@"<>]+$/.test(email) && !/[\p{Cc}\p{Cf}]/u.test(email);
  if (fits && email.length <= EMAIL_LENGTH_MAX) return null;
  return `"${email.slice(0, EMAIL_LENGTH_MAX)}" is not an e-mail address such as ada@example.com.`;
}
