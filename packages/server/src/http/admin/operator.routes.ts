import Type, { type TObject, type TString } from 'typebox';
import {
  changeOperatorRole,
  inviteOperator,
  newLinkFor,
  removeOperator,
} from '../../admin/operators/operator.ts';
import { ROLES } from '../../domain/actor.ts';
import { cursorOf, positionOf } from './cursor.ts';
import { idempotencyParameter } from './preconditions.ts';
import type { AdminApp } from './admin-app.ts';
import { changeOf, repeatableChangeOf, type AdminContext } from './context.ts';
import { invitationJson, invitationSchema, operatorJson, operatorSchema } from './operator.wire.ts';
import { closedObject, nothing, oneOf, PAGE_DEFAULT, pageOf, pageParameters, ref } from './schema.ts';
import { emailSchema } from './session.routes.ts';

const TAG = { tags: ['Operators'] };
const path: TObject<{ id: TString }> = Type.Object({ id: Type.String({ maxLength: 254 }) });
const role = oneOf(ROLES, 'What the operator may do');

export function operatorRoutes(app: AdminApp, context: AdminContext): void {
  app.addSchema(operatorSchema);
  app.addSchema(invitationSchema);
  listRoute(app, context);
  linkRoutes(app, context);
  changeRoutes(app, context);
}

function listRoute(app: AdminApp, { store }: AdminContext): void {
  app.get(
    '/operators',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'listOperators',
        summary: 'Operators, a page at a time, in the order of their ids.',
        querystring: closedObject(pageParameters),
        response: { 200: pageOf(operatorSchema) },
      },
    },
    async ({ query: { limit = PAGE_DEFAULT, after } }) => {
      const position = positionOf('operators', after, isId);
      const operators = await store.operators.list({ after: position?.[0] ?? null, limit: limit + 1 });
      const items = operators.slice(0, limit);
      const last = items.at(-1);
      const next = operators.length > limit && last !== undefined ? cursorOf('operators', [last.id]) : null;
      return { items: items.map(operatorJson), next };
    },
  );
}

function isId(position: readonly unknown[]): position is readonly [string] {
  return position.length === 1 && typeof position[0] === 'string';
}

function linkRoutes(app: AdminApp, context: AdminContext): void {
  app.post(
    '/operators',
    {
      config: { needs: 'admin', action: 'operator.invite' },
      schema: {
        ...TAG,
        operationId: 'inviteOperator',
        summary: 'Invites an operator, who chooses a password with the link.',
        headers: Type.Object(idempotencyParameter),
        body: closedObject({ email: emailSchema('What the operator signs in with'), role }),
        response: { 201: ref(invitationSchema) },
      },
    },
    async (request, reply) => {
      const { issuer, invitationLifeSeconds } = context.config;
      const change = repeatableChangeOf(request, context);
      reply.code(201);
      return invitationJson(await inviteOperator(change, request.body, invitationLifeSeconds), issuer);
    },
  );
  app.post(
    '/operators/:id/invitation',
    {
      config: { needs: 'admin', action: 'operator.reset' },
      schema: {
        ...TAG,
        operationId: 'resetOperator',
        summary: 'A new link in place of the one before.',
        description:
          'From an operator who has a password it is taken away, with the second factor and the sessions. Refused for ' +
          'the last admin.',
        params: path,
        response: { 201: ref(invitationSchema) },
      },
    },
    async (request, reply) => {
      const { issuer, invitationLifeSeconds } = context.config;
      const change = changeOf(request, context);
      reply.code(201);
      return invitationJson(await newLinkFor(change, request.params.id, invitationLifeSeconds), issuer);
    },
  );
}

function changeRoutes(app: AdminApp, context: AdminContext): void {
  app.patch(
    '/operators/:id',
    {
      config: { needs: 'admin', action: 'operator.update' },
      schema: {
        ...TAG,
        operationId: 'changeOperator',
        summary: 'Changes the role, and ends the sessions of the operator.',
        description:
          'Refused for the last admin. An account that was only a member of organisations loses its password and second ' +
          'factor: make a new link for it.',
        params: path,
        body: closedObject({ role }),
        response: { 200: ref(operatorSchema) },
      },
    },
    async (request) =>
      operatorJson(
        await changeOperatorRole(changeOf(request, context), request.params.id, request.body.role),
      ),
  );
  app.delete(
    '/operators/:id',
    {
      config: { needs: 'admin', action: 'operator.remove' },
      schema: {
        ...TAG,
        operationId: 'removeOperator',
        summary: 'Removes an operator, and ends the sessions.',
        description: 'Refused for the last admin.',
        params: path,
        response: { 204: nothing('Removed') },
      },
    },
    async (request, reply) => {
      await removeOperator(changeOf(request, context), request.params.id);
      return reply.code(204).send();
    },
  );
}
