import { randomBase62 } from '../lib/random.ts';
import { linkTokenDigest, newLinkToken } from './link-token.ts';
import type { MemberRole } from './organisation.ts';

/** A one-time link for choosing a password. Times are milliseconds since 1970 (UTC). */
export interface Invitation {
  digest: string;
  /**
   * The operator who chooses the password. Null: the holder of the link becomes the first admin, while no
   * operator exists.
   */
  operatorId: string | null;
  createdAt: number;
  expiresAt: number;
}

const MEMBER_INVITATION_ID_PREFIX = 'inv_';
export const INVITATION_PREFIX = 'mmi_';
const MEMBER_INVITATION_ID_LENGTH = 16;

export interface MadeInvitation {
  invitation: Invitation;
  /** The token in the link. Shown once; only its digest is stored. */
  token: string;
}

export function makeInvitation(
  operatorId: string | null,
  lifeSeconds: number,
  nowMs: number,
): MadeInvitation {
  const { token, digest } = newLinkToken(INVITATION_PREFIX);
  const expiresAt = nowMs + lifeSeconds * 1000;
  return { token, invitation: { digest, operatorId, createdAt: nowMs, expiresAt } };
}

/** The stored digest of a token; null if the text cannot be a token. */
export function invitationDigest(token: string): string | null {
  return linkTokenDigest(INVITATION_PREFIX, token);
}

/** The token is in the fragment, which browsers never send to a server: no log on the way holds it. */
export function invitationUrl(issuer: string, token: string): string {
  return `${new URL(issuer).origin}/console/welcome#${token}`;
}

export function memberInvitationUrl(issuer: string, token: string): string {
  return `${new URL(issuer).origin}/portal/welcome#${token}`;
}

/** A one-time link that makes its holder a member. Times are milliseconds since 1970 (UTC). */
export interface MemberInvitation {
  digest: string;
  /** `inv_` and 16 characters, for lists and the audit log. It grants no access. */
  id: string;
  organisationId: string;
  email: string;
  role: MemberRole;
  /** The account of the person who made it; null: a command or program made it. */
  createdBy: string | null;
  createdAt: number;
  expiresAt: number;
}

/** `id`: that of the invitation which the new one replaces. */
export function makeMemberInvitation(
  member: Pick<MemberInvitation, 'organisationId' | 'email' | 'role' | 'createdBy'> & { id: string | null },
  lifeSeconds: number,
  nowMs: number,
): { invitation: MemberInvitation; token: string } {
  const { organisationId, email, role, createdBy } = member;
  const id = member.id ?? MEMBER_INVITATION_ID_PREFIX + randomBase62(MEMBER_INVITATION_ID_LENGTH);
  const { token, invitation } = makeInvitation(null, lifeSeconds, nowMs);
  const { digest, createdAt, expiresAt } = invitation;
  return { token, invitation: { digest, id, organisationId, email, role, createdBy, createdAt, expiresAt } };
}
