import Type, { type TObject, type TString } from 'typebox';
import {
  changeOperatorRole,
  inviteOperator,
  newLinkFor,
  removeOperator,
  type Invited,
} from '../../admin/operators/operator.ts';
import { ROLES, type Role } from '../../domain/actor.ts';
import { invitationUrl } from '../../domain/invitation.ts';
import { operatorState, type Operator, type OperatorState } from '../../domain/operator.ts';
import { cursorOf, positionOf } from './cursor.ts';
import { idempotencyParameter } from './preconditions.ts';
import type { AdminApp } from './admin-app.ts';
import { changeOf, repeatableChangeOf, type AdminContext } from './context.ts';
import {
  iso,
  nothing,
  nullable,
  oneOf,
  PAGE_DEFAULT,
  pageOf,
  pageParameters,
  ref,
  shared,
  time,
  type Shared,
} from './schema.ts';
import { emailSchema } from './session.routes.ts';

interface OperatorJson {
  id: string;
  email: string;
  role: Role;
  state: OperatorState;
  second_factor: boolean;
  created_at: string;
  last_seen_at: string | null;
}

interface InvitationJson {
  operator: OperatorJson;
  invitation_url: string;
  expires_at: string;
}

const operatorSchema: Shared<OperatorJson> = shared(
  'Operator',
  Type.Object(
    {
      id: Type.String(),
      email: Type.String({ description: 'What the operator signs in with' }),
      role: oneOf(ROLES, 'What the operator may do'),
      state: oneOf(['active', 'invited'] as const, 'invited: has not chosen a password yet'),
      second_factor: Type.Boolean({ description: 'Whether sign-in asks for a code' }),
      created_at: time('When the operator was invited'),
      last_seen_at: nullable(time('When the operator last did something, to the minute')),
    },
    { additionalProperties: false, description: 'A person who manages API users' },
  ),
);

const invitationSchema: Shared<InvitationJson> = shared(
  'Invitation',
  Type.Object(
    {
      operator: ref(operatorSchema),
      invitation_url: Type.String({ description: 'To be given to the operator. Shown this once' }),
      expires_at: time('The link works until then, once'),
    },
    { additionalProperties: false, description: 'A link with which an operator chooses a password' },
  ),
);

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
        querystring: Type.Object(pageParameters, { additionalProperties: false }),
        response: { 200: pageOf(operatorSchema) },
      },
    },
    async ({ query: { limit = PAGE_DEFAULT, after } }) => {
      const position = positionOf('operators', after, isId);
      const found = await store.operators.list({ after: position?.[0] ?? null, limit: limit + 1 });
      const items = found.slice(0, limit);
      const last = items.at(-1);
      const next = found.length > limit && last !== undefined ? cursorOf('operators', [last.id]) : null;
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
        body: Type.Object(
          { email: emailSchema('What the operator signs in with'), role },
          { additionalProperties: false },
        ),
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
        description: 'Refused for the last admin.',
        params: path,
        body: Type.Object({ role }, { additionalProperties: false }),
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

function operatorJson(operator: Operator): OperatorJson {
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

function invitationJson({ operator, token, expiresAt }: Invited, issuer: string): InvitationJson {
  const url = invitationUrl(issuer, token);
  return { operator: operatorJson(operator), invitation_url: url, expires_at: iso(expiresAt) };
}
