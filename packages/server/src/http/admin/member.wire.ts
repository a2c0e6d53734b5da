import Type, { type TUnsafe } from 'typebox';
import type { InvitedMember } from '../../admin/member.ts';
import type { MadeCredential } from '../../admin/member-credentials.ts';
import { CREDENTIAL_KINDS, type CredentialKind } from '../../domain/credential.ts';
import { memberInvitationUrl, type MemberInvitation } from '../../domain/invitation.ts';
import { MEMBER_ROLES, type Member, type MemberRole } from '../../domain/organisation.ts';
import { answerObject, iso, KINDS_TEXT, nullable, oneOf, ref, shared, time, type Shared } from './schema.ts';

// Members of an organisation in JSON, and those who are invited.

export interface MemberJson {
  id: string;
  email: string;
  role: MemberRole;
  state: 'active' | 'invited';
  second_factor: boolean | null;
  created_at: string;
  expires_at: string | null;
}

export const memberSchema: Shared<MemberJson> = shared(
  'Member',
  'A person in an organisation, or one who is invited',
  {
    id: Type.String({ description: 'Of the account; or of the invitation' }),
    email: Type.String(),
    role: oneOf(MEMBER_ROLES, 'What the member may do'),
    state: oneOf(['active', 'invited'] as const, 'invited: has not used the link yet'),
    second_factor: nullable(
      Type.Boolean({ description: 'Whether sign-in asks for a code; null: an invitation' }),
    ),
    created_at: time('When the person became a member, or was invited'),
    expires_at: nullable(time('The link of an invitation works until then')),
  },
);

export function memberJson({ operatorId, email, role, secondFactor, createdAt }: Member): MemberJson {
  return {
    id: operatorId,
    email,
    role,
    state: 'active',
    second_factor: secondFactor,
    created_at: iso(createdAt),
    expires_at: null,
  };
}

export function memberInvitationJson(invitation: MemberInvitation): MemberJson {
  const { id, email, role, createdAt, expiresAt } = invitation;
  return {
    id,
    email,
    role,
    state: 'invited',
    second_factor: null,
    created_at: iso(createdAt),
    expires_at: iso(expiresAt),
  };
}

export interface InvitedMemberJson {
  member: MemberJson;
  invitation_url: string;
  expires_at: string;
}

export const invitedMemberSchema: Shared<InvitedMemberJson> = shared(
  'InvitedMember',
  'A link with which a person becomes a member',
  {
    member: ref(memberSchema),
    invitation_url: Type.String({ description: 'To be given to the person. Shown this once' }),
    expires_at: time('The link works until then, once'),
  },
);

export function invitedMemberJson({ invitation, token }: InvitedMember, issuer: string): InvitedMemberJson {
  const url = memberInvitationUrl(issuer, token);
  const member = memberInvitationJson(invitation);
  return { member, invitation_url: url, expires_at: iso(invitation.expiresAt) };
}

export interface MadeCredentialJson {
  client_id: string;
  api_user_name: string;
  id: string;
  name: string;
  kind: CredentialKind;
  expires_at: string | null;
}

const madeProperties = {
  client_id: Type.String(),
  api_user_name: Type.String(),
  id: Type.String(),
  name: Type.String({ description: 'Where it is deployed' }),
  kind: oneOf(CREDENTIAL_KINDS, KINDS_TEXT),
  expires_at: nullable(time('From then on it is refused')),
};

export const madeCredentialSchema: Shared<MadeCredentialJson> = shared(
  'MadeCredential',
  'A live credential that the person made, and so may know',
  madeProperties,
);

export function madeCredentialJson({ credential, apiUserName }: MadeCredential): MadeCredentialJson {
  const { clientId, id, name, kind, expiresAt } = credential;
  return { client_id: clientId, api_user_name: apiUserName, id, name, kind, expires_at: iso(expiresAt) };
}

export interface LeftCredentialJson extends MadeCredentialJson {
  problem: string;
}

export const leftCredentialSchema: TUnsafe<LeftCredentialJson> = Type.Unsafe<LeftCredentialJson>(
  answerObject('A credential that was not reset', {
    ...madeProperties,
    problem: Type.String({ description: 'Why, and what to do' }),
  }),
);
