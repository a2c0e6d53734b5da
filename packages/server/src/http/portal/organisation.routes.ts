import Type from 'typebox';
import { membershipsOf } from '../../admin/member.ts';
import { summariseOrganisation } from '../../admin/organisation-summary.ts';
import type { MemberRole } from '../../domain/organisation.ts';
import { actorOf, type AdminApp } from '../admin/admin-app.ts';
import type { AdminContext } from '../admin/context.ts';
import { membershipJson, membershipSchema } from '../admin/session.wire.ts';
import { answerObject, ref } from '../admin/schema.ts';
import { portalOrganisationJson, portalOrganisationSchema } from './organisation.wire.ts';

const TAG = { tags: ['Organisation'] };

export function ownOrganisationsRoute(app: AdminApp, { store }: AdminContext): void {
  app.addSchema(membershipSchema);
  app.get(
    '/organisations',
    {
      config: { needs: 'session' },
      schema: {
        ...TAG,
        operationId: 'listOwnOrganisations',
        summary: 'The organisations that the caller is a member of, without disabled ones.',
        response: { 200: answerObject('All of them', { items: Type.Array(ref(membershipSchema)) }) },
      },
    },
    async (request) => ({
      items: (await membershipsOf(store, actorOf(request).id)).map(membershipJson),
    }),
  );
}

export function organisationRoute(app: AdminApp, { store, now }: AdminContext): void {
  app.addSchema(portalOrganisationSchema);
  app.get(
    '',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'readOrganisation',
        summary: 'What its API users may be and have, and how many there are.',
        params: Type.Object({ organisation_id: Type.String() }),
        response: { 200: ref(portalOrganisationSchema) },
      },
    },
    async (request) => {
      const actor = actorOf(request);
      const role = actor.kind === 'member' ? actor.role : ('viewer' as MemberRole | 'viewer');
      const { organisation_id: id } = request.params;
      return portalOrganisationJson(await summariseOrganisation(store, id, { actor, nowMs: now() }), role);
    },
  );
}
