import Type from 'typebox';
import type { Invited } from '../../admin/operators/operator.ts';
import { ACCOUNT_ROLES, type AccountRole } from '../../domain/actor.ts';
import { invitationUrl } from '../../domain/invitation.ts';
import { operatorState, type Operator, type OperatorState } from '../../domain/operator.ts';
import { iso, nullable, oneOf, ref, shared, time, type Shared } from './schema.ts';

// Operators in JSON, without hashes and sealed secrets.

export interface OperatorJson {
  id: string;
  email: string;
  role: AccountRole;
  state: OperatorState;
  second_factor: boolean;
  created_at: string;
  last_seen_at: string | null;
}

export interface InvitationJson {
  operator: OperatorJson;
  invitation_url: string;
  expires_at: string;
}

export const operatorSchema: Shared<OperatorJson> = shared('Operator', 'A person who manages API users', {
  id: Type.String(),
  email: Type.String({ description: 'What the operator signs in with' }),
  role: oneOf(ACCOUNT_ROLES, 'What the operator may do; none: only a member of organisations'),
  state: oneOf(['active', 'invited'] as const, 'invited: has not chosen a password yet'),
  second_factor: Type.Boolean({ description: 'Whether sign-in asks for a code' }),
  created_at: time('When the operator was invited'),
  last_seen_at: nullable(time('When the operator last did something, to the minute')),
});

export const invitationSchema: Shared<InvitationJson> = shared(
  'Invitation',
  'A link with which an operator chooses a password',
  {
    operator: ref(operatorSchema),
    invitation_url: Type.String({ description: 'To be given to the operator. Shown this once' }),
    expires_at: time('The link works until then, once'),
  },
);

export function operatorJson(operator: Operator): OperatorJson {
  return {
    id: operator.id,
    email: operator.email,
    role: operator.role,
    state: operatorState(operator),
    second_factor: operator.sealedTotpSecret !== null,
    created_at: iso(operator.createdAt),
    last_seen_at: iso(operator.lastSeenAt),
  };
}

export function invitationJson({ operator, token, expiresAt }: Invited, issuer: string): InvitationJson {
  const url = invitationUrl(issuer, token);
  return { operator: operatorJson(operator), invitation_url: url, expires_at: iso(expiresAt) };
}
