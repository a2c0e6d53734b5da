import { hash } from 'node:crypto';
import { randomBase62 } from '../lib/random.ts';

/** A link with which somebody chooses a password, once. Times are milliseconds since 1970 (UTC). */
export interface Invitation {
  digest: string;
  /** Whose password is chosen; null: whoever has the link becomes the first admin, while there is no operator. */
  operatorId: string | null;
  createdAt: number;
  expiresAt: number;
}

export const INVITATION_PREFIX = 'mmi_';
const RANDOM_LENGTH = 43; // 43 × log2(62) = 256 bits
const TOKEN = /^mmi_[0-9A-Za-z]{43}$/;

export interface MadeInvitation {
  invitation: Invitation;
  /** The token in the link: shown this once, only its digest is stored. */
  token: string;
}

export function makeInvitation(
  operatorId: string | null,
  lifeSeconds: number,
  nowMs: number,
): MadeInvitation {
  const token = INVITATION_PREFIX + randomBase62(RANDOM_LENGTH);
  const expiresAt = nowMs + lifeSeconds * 1000;
  return { token, invitation: { digest: digestOf(token), operatorId, createdAt: nowMs, expiresAt } };
}

/** What is stored of a token, and looked for; null where it cannot be one. */
export function invitationDigest(token: string): string | null {
  return TOKEN.test(token) ? digestOf(token) : null;
}

/** In the part of the URL that no browser sends to a server, so that it is in no log on the way. */
export function invitationUrl(issuer: string, token: string): string {
  return `${new URL(issuer).origin}/console/welcome#${token}`;
}

function digestOf(token: string): string {
  return hash('sha256', token, 'base64url');
}
