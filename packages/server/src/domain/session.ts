import { hash, randomBytes } from 'node:crypto';
import { randomBase62 } from '../lib/random.ts';

/** The signed-in state of an operator in one browser. Times are milliseconds since 1970 (UTC). */
export interface Session {
  /** `ses_` and 12 characters, for lists and the audit log. It grants no access. */
  id: string;
  operatorId: string;
  createdAt: number;
  /** To the minute: see `seenAgain`. */
  lastSeenAt: number;
  /** The session ends at this time, busy or not. */
  expiresAt: number;
  /** The address and the browser of the sign-in. */
  address: string;
  userAgent: string;
}

export interface SessionLimits {
  /** The session ends after this long without a request. */
  sessionIdleSeconds: number;
  sessionLifeSeconds: number;
}

/** Most sessions of one operator. A further one ends the oldest. */
export const SESSIONS_MAX = 20;

const TOKEN_BYTES = 32;
const TOKEN_LENGTH = 43; // base64url
const USER_AGENT_LENGTH_MAX = 200;
const SEEN_MS = 60_000;

export interface StartedSession {
  session: Session;
  /** The value of the cookie, 256 bits. Only its digest is stored. */
  token: string;
}

export function newSessionToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

export function startSession(
  operatorId: string,
  from: { address: string; userAgent: string },
  { sessionLifeSeconds }: SessionLimits,
  nowMs: number,
): StartedSession {
  return {
    token: newSessionToken(),
    session: {
      id: `ses_${randomBase62(12)}`,
      operatorId,
      createdAt: nowMs,
      lastSeenAt: nowMs,
      expiresAt: nowMs + sessionLifeSeconds * 1000,
      address: from.address,
      userAgent: from.userAgent.replaceAll(/[^\x20-\x7e]/g, ' ').slice(0, USER_AGENT_LENGTH_MAX),
    },
  };
}

/** The stored digest of a token; null if the text cannot be a token. Why no slow hash: docs/decisions/004. */
export function sessionDigest(token: string): string | null {
  return token.length === TOKEN_LENGTH ? hash('sha256', token, 'base64url') : null;
}

/** When the session ends if no further request comes. */
export function sessionEnd(session: Session, { sessionIdleSeconds }: SessionLimits): number {
  return Math.min(session.expiresAt, session.lastSeenAt + sessionIdleSeconds * 1000);
}

/**
 * Whether to store this request as the last one. Once a minute is enough, and saves a write for every other
 * request.
 */
export function seenAgain(session: Session, { sessionIdleSeconds }: SessionLimits, nowMs: number): boolean {
  // At least every quarter of the idle time, if that is less than a minute.
  const everyMs = Math.min(SEEN_MS, (sessionIdleSeconds * 1000) / 4);
  return nowMs - session.lastSeenAt >= everyMs;
}
