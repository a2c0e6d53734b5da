import { hash, randomBytes } from 'node:crypto';
import { randomBase62 } from '../lib/random.ts';

/** An operator who is signed in, in one browser. Times are milliseconds since 1970 (UTC). */
export interface Session {
  /** `ses_` and 12 characters: for lists and the audit log. Opens nothing. */
  id: string;
  operatorId: string;
  createdAt: number;
  /** To the minute: see `seenAgain`. */
  lastSeenAt: number;
  /** From then on it is over, however busy it was. */
  expiresAt: number;
  /** Where and with what the operator signed in. */
  address: string;
  userAgent: string;
}

export interface SessionLimits {
  /** Without a request for so long, it is over. */
  sessionIdleSeconds: number;
  sessionLifeSeconds: number;
}

/** Of one operator; the oldest gives way to one more. */
export const SESSIONS_MAX = 20;

const TOKEN_BYTES = 32;
const TOKEN_LENGTH = 43; // base64url
const USER_AGENT_LENGTH_MAX = 200;
const SEEN_MS = 60_000;

export interface StartedSession {
  session: Session;
  /** What the cookie holds: 256 bits. Only its digest is stored. */
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

/** What is stored of a token, and looked for; null where it cannot be one. Why no slow hash: docs/decisions/004. */
export function sessionDigest(token: string): string | null {
  return token.length === TOKEN_LENGTH ? hash('sha256', token, 'base64url') : null;
}

/** When the session ends unless there is another request. */
export function sessionEnd(session: Session, { sessionIdleSeconds }: SessionLimits): number {
  return Math.min(session.expiresAt, session.lastSeenAt + sessionIdleSeconds * 1000);
}

/** Whether a request is to be written down as the last one: once a minute is enough, and spares a write for each. */
export function seenAgain(session: Session, { sessionIdleSeconds }: SessionLimits, nowMs: number): boolean {
  // More often where a minute would be much of the idle time.
  const everyMs = Math.min(SEEN_MS, (sessionIdleSeconds * 1000) / 4);
  return nowMs - session.lastSeenAt >= everyMs;
}
