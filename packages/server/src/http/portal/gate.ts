import type { FastifyRequest } from 'fastify';
import type { Actor } from '../../domain/actor.ts';
import { auditedId } from '../../domain/audit-entry.ts';
import type { Organisation } from '../../domain/organisation.ts';
import { createViewRecord, type RecordView } from '../../admin/organisation-view.ts';
import type { OperatorActor } from '../../admin/operators/start-session.ts';
import type { AdminContext } from '../admin/context.ts';
import {
  forbiddenAttempts,
  refuseWrongClock,
  unauthorized,
  type ForbiddenAttempts,
  type Gate,
} from '../admin/gate.ts';
import { operatorSessionOf, sessionActor } from '../admin/operator-session.ts';
import { Problem } from '../admin/problem.ts';

type MemberActor = Extract<Actor, { kind: 'member' }>;

/**
 * Accepts the session of a person, and makes the caller an actor who is confined to the organisation in the
 * path. Operators who are not members may view the organisation as its members see it.
 */
export function createPortalGate(context: AdminContext): Gate {
  const forbidden = forbiddenAttempts(context);
  const recordView = createViewRecord();
  return async (request, needs) => {
    refuseWrongClock(context, needs);
    if (request.headers.authorization !== undefined)
      throw unauthorized('The portal takes no access token: sign in, and send the cookie of the session.');
    const person = await sessionActor(context, request);
    if (person === null) throw unauthorized('Sign in.');
    const { organisation_id: id } = request.params as { organisation_id?: string };
    if (id === undefined) return person;
    const { actor, organisation } = await memberOf(context, person, id);
    if (actor.role === 'viewer') return await viewing(context, request, actor, { forbidden, recordView });
    await refuseWithoutSecondFactor(request, actor, organisation, forbidden);
    if (needs !== 'admin' || actor.role === 'admin') return actor;
    throw await forbidden(request, actor, 'This needs the role admin in the organisation: ask one of them.');
  };
}

/**
 * The person as a member of the organisation with this id. Throws the same Problem for an organisation that
 * is unknown, disabled, or beyond what the person may know of.
 */
async function memberOf(
  { store }: AdminContext,
  { id, name, address, role: platformRole }: OperatorActor,
  organisationId: string,
): Promise<{ actor: MemberActor; organisation: Organisation }> {
  // The form first: PostgreSQL refuses some characters.
  const hasForm = auditedId(organisationId) !== null;
  const [member, organisation] = hasForm
    ? await Promise.all([store.members.find(organisationId, id), store.organisations.find(organisationId)])
    : [];
  const role = member?.role ?? (platformRole === 'none' ? undefined : 'viewer');
  if (role === undefined || organisation?.enabled !== true) {
    throw new Problem('not_found', 'There is no such organisation, or you are not a member of it.');
  }
  return { actor: { kind: 'member', id, name, address, role, organisationId }, organisation };
}

/** An operator who views an organisation only reads. The audit log has an entry for each session. */
async function viewing(
  { store, now }: AdminContext,
  request: FastifyRequest,
  actor: MemberActor,
  { forbidden, recordView }: { forbidden: ForbiddenAttempts; recordView: RecordView },
): Promise<Actor> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    const detail = 'You view this organisation as its members see it: make changes as an operator.';
    throw await forbidden(request, actor, detail);
  }
  const { session, operator } = operatorSessionOf(request);
  const { id, email, role } = operator;
  const by = { kind: 'operator', id, name: email, address: actor.address, role } as const;
  await recordView({ store, actor: by, nowMs: now() }, actor.organisationId, session);
  return actor;
}

async function refuseWithoutSecondFactor(
  request: FastifyRequest,
  actor: Actor,
  { policy }: Organisation,
  forbidden: ForbiddenAttempts,
): Promise<void> {
  if (!policy.secondFactorRequired) return;
  if (operatorSessionOf(request).operator.sealedTotpSecret !== null) return;
  const detail =
    'This organisation asks its members for a second factor: turn it on in your profile, then come back.';
  throw await forbidden(request, actor, detail);
}
