import Type from 'typebox';
import {
  changeMemberRole,
  inviteMember,
  inviteMemberAgain,
  listMembers,
  removeMember,
} from '../../admin/member.ts';
import { MEMBER_ROLES } from '../../domain/organisation.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import { changeOf, repeatableChangeOf, type AdminContext } from './context.ts';
import { memberCredentialRoutes } from './member-credential.routes.ts';
import { memberPath, type MemberRoutes } from './member-path.ts';
import { organisationPath } from './organisation.routes.ts';
import {
  invitedMemberJson,
  invitedMemberSchema,
  madeCredentialJson,
  madeCredentialSchema,
  memberInvitationJson,
  memberJson,
  memberSchema,
} from './member.wire.ts';
import { idempotencyParameter } from './preconditions.ts';
import { answerObject, closedObject, oneOf, ref } from './schema.ts';
import { emailSchema } from './session.routes.ts';

const TAG = { tags: ['Members'] };
const role = oneOf(MEMBER_ROLES, 'member: manages API users. admin: also the members');

export function memberRoutes(app: AdminApp, context: AdminContext, options: MemberRoutes): void {
  app.addSchema(memberSchema);
  app.addSchema(invitedMemberSchema);
  app.addSchema(madeCredentialSchema);
  listRoute(app, context, options);
  inviteRoutes(app, context, options);
  changeRoute(app, context, options);
  removeRoute(app, context, options);
  memberCredentialRoutes(app, context, options);
}

function listRoute(app: AdminApp, { store }: AdminContext, { path }: MemberRoutes): void {
  app.get(
    `${path}/members`,
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'listMembers',
        summary: 'The members of an organisation and the invitations, in the order of the e-mail addresses.',
        params: organisationPath,
        response: { 200: answerObject('All of them', { items: Type.Array(ref(memberSchema)) }) },
      },
    },
    async (request) => {
      const { members, invitations } = await listMembers(
        store,
        request.params.organisation_id,
        actorOf(request),
      );
      return { items: [...members.map(memberJson), ...invitations.map(memberInvitationJson)] };
    },
  );
}

function inviteRoutes(app: AdminApp, context: AdminContext, { path, changes }: MemberRoutes): void {
  const { issuer, invitationLifeSeconds: life } = context.config;
  app.post(
    `${path}/members`,
    {
      config: { needs: changes, action: 'member.invite' },
      schema: {
        ...TAG,
        operationId: 'inviteMember',
        summary: 'Invites a person, who becomes a member with the link.',
        description:
          'The answer is the same whether the address has an account or not. An open invitation of the address gets a new link.',
        params: organisationPath,
        headers: Type.Object(idempotencyParameter),
        body: closedObject({ email: emailSchema('What the member signs in with'), role }),
        response: { 201: ref(invitedMemberSchema) },
      },
    },
    async (request, reply) => {
      const { organisation_id: id } = request.params;
      const invited = await inviteMember(repeatableChangeOf(request, context), id, request.body, life);
      reply.code(201);
      return invitedMemberJson(invited, issuer);
    },
  );
  app.post(
    `${path}/members/:id/invitation`,
    {
      config: { needs: changes, action: 'member.invite' },
      schema: {
        ...TAG,
        operationId: 'renewMemberInvitation',
        summary: 'A new link in place of the one before, of a person who has not used it.',
        params: memberPath,
        response: { 201: ref(invitedMemberSchema) },
      },
    },
    async (request, reply) => {
      const { organisation_id: organisation, id } = request.params;
      const change = changeOf(request, context);
      reply.code(201);
      return invitedMemberJson(await inviteMemberAgain(change, organisation, id, life), issuer);
    },
  );
}

function changeRoute(app: AdminApp, context: AdminContext, { path, changes }: MemberRoutes): void {
  app.patch(
    `${path}/members/:id`,
    {
      config: { needs: changes, action: 'member.update' },
      schema: {
        ...TAG,
        operationId: 'changeMember',
        summary: 'Changes the role of a member.',
        description: 'An admin of the organisation cannot demote its last admin.',
        params: memberPath,
        body: closedObject({ role }),
        response: { 200: ref(memberSchema) },
      },
    },
    async (request) => {
      const { organisation_id: organisation, id } = request.params;
      const change = changeOf(request, context);
      return memberJson(await changeMemberRole(change, organisation, id, request.body.role));
    },
  );
}

function removeRoute(app: AdminApp, context: AdminContext, { path, changes }: MemberRoutes): void {
  app.delete(
    `${path}/members/:id`,
    {
      config: { needs: changes, action: 'member.remove' },
      schema: {
        ...TAG,
        operationId: 'removeMember',
        summary: 'Removes a member and ends the sessions of the person, or withdraws an invitation.',
        description:
          'The answer lists the credentials that the person may know: reset them. An admin of the organisation cannot ' +
          'remove its last admin.',
        params: memberPath,
        response: {
          200: answerObject('Removed', { credentials: Type.Array(ref(madeCredentialSchema)) }),
        },
      },
    },
    async (request) => {
      const { organisation_id: organisation, id } = request.params;
      const credentials = await removeMember(changeOf(request, context), organisation, id);
      return { credentials: credentials.map(madeCredentialJson) };
    },
  );
}
