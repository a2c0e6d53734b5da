import Type from 'typebox';
import type { Membership } from '../../admin/member.ts';
import { ACCOUNT_ROLES, type AccountRole } from '../../domain/actor.ts';
import { MEMBER_ROLES, type MemberRole } from '../../domain/organisation.ts';
import type { Operator } from '../../domain/operator.ts';
import type { Session } from '../../domain/session.ts';
import { closedObject, iso, nullable, oneOf, ref, shared, time, type Shared } from './schema.ts';

export type SessionJson = OperatorSessionJson | TokenSessionJson;

/** The session of an operator or member in a browser. */
export interface OperatorSessionJson {
  actor: { kind: 'operator'; id: string; name: string; role: AccountRole; second_factor: boolean };
  expires_at: string;
  organisations: MembershipJson[];
}

/** An organisation of the person who is signed in. */
export interface MembershipJson {
  id: string;
  name: string;
  role: MemberRole;
  second_factor_required: boolean;
}

/** A caller with an access token has no session. The answer still names the caller. */
interface TokenSessionJson {
  actor: { kind: 'api_user'; id: string; name: string; role: null; second_factor: null };
  expires_at: null;
  organisations: MembershipJson[];
}

export const membershipSchema: Shared<MembershipJson> = shared(
  'Membership',
  'An organisation that the person who is signed in is a member of',
  {
    id: Type.String(),
    name: Type.String(),
    role: oneOf(MEMBER_ROLES, 'What the member may do there'),
    second_factor_required: Type.Boolean({
      description: 'Whether the organisation shows nothing to members without a second factor',
    }),
  },
);

export const sessionSchema: Shared<SessionJson> = shared('Session', 'Who is signed in', {
  actor: closedObject({
    kind: oneOf(['operator', 'api_user'] as const, 'Who calls'),
    id: Type.String({ description: 'Of the operator; or the client id' }),
    name: Type.String({ description: 'E-mail address of the operator; or name of the API user' }),
    role: nullable(oneOf(ACCOUNT_ROLES, 'What the operator may do; none: the person is only a member')),
    second_factor: nullable(Type.Boolean({ description: 'Whether sign-in asks for a code' })),
  }),
  expires_at: nullable(time('The session ends then, unless there is another request; null for a token')),
  organisations: Type.Array(ref(membershipSchema), {
    description: 'Those that the person is a member of, without disabled ones',
  }),
}) as Shared<SessionJson>;

export interface OwnSessionJson {
  id: string;
  created_at: string;
  last_seen_at: string;
  address: string;
  user_agent: string;
  current: boolean;
}

export const ownSessionSchema: Shared<OwnSessionJson> = shared(
  'OwnSession',
  'A session of the operator who asks',
  {
    id: Type.String(),
    created_at: time('When it began'),
    last_seen_at: time('When there was last a request, to the minute'),
    address: Type.String({ description: 'The network address that signed in' }),
    user_agent: Type.String({ description: 'The browser as it named itself' }),
    current: Type.Boolean({ description: 'The one of this request' }),
  },
);

export function sessionJson(
  { operator, endsAt }: { operator: Operator; endsAt: number },
  memberships: readonly Membership[],
): SessionJson {
  const { id, email, role } = operator;
  const second = operator.sealedTotpSecret !== null;
  const actor = { kind: 'operator', id, name: email, role, second_factor: second } as const;
  return { actor, expires_at: iso(endsAt), organisations: memberships.map(membershipJson) };
}

export function membershipJson({ organisation, role }: Membership): MembershipJson {
  const { id, name, policy } = organisation;
  return { id, name, role, second_factor_required: policy.secondFactorRequired };
}

export function ownSessionJson(session: Session, currentId: string): OwnSessionJson {
  return {
    id: session.id,
    created_at: iso(session.createdAt),
    last_seen_at: iso(session.lastSeenAt),
    address: session.address,
    user_agent: session.userAgent,
    current: session.id === currentId,
  };
}
