import Type, { type TObject, type TString, type TUnsafe } from 'typebox';
import {
  createOrganisation,
  deleteOrganisation,
  existingOrganisation,
  listOrganisations,
  switchOrganisation,
  updateOrganisation,
} from '../../admin/organisation.ts';
import { listViolations } from '../../admin/organisation-violations.ts';
import { AppError } from '../../domain/app-error.ts';
import { API_USER_STATES } from '../../domain/api-user-list.ts';
import { changedSettings, newSettings, policyOf } from '../../domain/organisation-record.ts';
import { organisationFaults } from '../../domain/organisation-faults.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import { changeOf, repeatableChangeOf, type AdminContext } from './context.ts';
import { cursorOf, positionOf } from './cursor.ts';
import {
  listedOrganisationJson,
  listedOrganisationSchema,
  newOrganisationSchema,
  organisationChangesSchema,
  organisationJson,
  organisationSchema,
  policyChangesSchema,
  violationJson,
  violationSchema,
  type OrganisationJson,
} from './organisation.wire.ts';
import {
  etagHeader,
  idempotencyParameter,
  ifMatch,
  ifMatchParameter,
  requiredIfMatch,
  setEtag,
} from './preconditions.ts';
import { closedObject, nothing, oneOf, PAGE_DEFAULT, pageOf, pageParameters, ref, text } from './schema.ts';

const TAG = { tags: ['Organisations'] };
const ID_LENGTH_MAX = 100;

export const organisationPath: TObject<{ organisation_id: TString }> = Type.Object({
  organisation_id: text('Id of the organisation', ID_LENGTH_MAX),
});

export function organisationRoutes(app: AdminApp, context: AdminContext): void {
  app.addSchema(organisationSchema);
  app.addSchema(listedOrganisationSchema);
  app.addSchema(violationSchema);
  listRoute(app, context);
  createRoute(app, context);
  readRoute(app, context);
  changeRoute(app, context);
  disableRoute(app, context);
  enableRoute(app, context);
  deleteRoute(app, context);
  violationsRoute(app, context);
  policyCheckRoute(app, context);
}

function listRoute(app: AdminApp, context: AdminContext): void {
  app.get(
    '/organisations',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'listOrganisations',
        summary: 'Organisations in the order of their names, a page at a time.',
        querystring: closedObject({
          search: Type.Optional(
            Type.String({
              maxLength: 200,
              description: 'A part of the name, id, external id or contact, in any letter case',
            }),
          ),
          state: Type.Optional(oneOf(API_USER_STATES, 'Only these')),
          ...pageParameters,
        }),
        response: { 200: pageOf(listedOrganisationSchema) },
      },
    },
    async ({ query }) => {
      const { search, state, limit = PAGE_DEFAULT, after } = query;
      const position = positionOf('organisations', after, isNameAndId);
      const listed = await listOrganisations(context.store, {
        after: position && { name: position[0], id: position[1] },
        limit: limit + 1, // one more shows that another page follows
        search: search?.trim() || null,
        enabled: state === undefined ? null : state === 'enabled',
      });
      const items = listed.slice(0, limit);
      const last = listed.length > limit ? items.at(-1)?.organisation : undefined;
      return {
        items: items.map(listedOrganisationJson),
        next: last === undefined ? null : cursorOf('organisations', [last.name, last.id]),
      };
    },
  );
}

function isNameAndId(position: readonly unknown[]): position is readonly [string, string] {
  return position.length === 2 && position.every((each) => typeof each === 'string');
}

const changed = { description: 'As it is now', headers: etagHeader };
const changedOrganisation: TUnsafe<OrganisationJson> = Type.Unsafe<OrganisationJson>({
  ...ref(organisationSchema),
  ...changed,
});

function createRoute(app: AdminApp, context: AdminContext): void {
  app.post(
    '/organisations',
    {
      config: { needs: 'admin', action: 'organisation.create' },
      schema: {
        ...TAG,
        operationId: 'createOrganisation',
        summary: 'Makes an organisation.',
        headers: Type.Object(idempotencyParameter),
        body: newOrganisationSchema,
        response: { 201: changedOrganisation },
      },
    },
    async (request, reply) => {
      const change = repeatableChangeOf(request, context);
      reply.code(201);
      const organisation = await createOrganisation(change, newSettings(request.body)).catch(
        async (error: unknown) => {
          const id = error instanceof AppError ? error.created[0]?.id : null;
          if (id === null || id === undefined) throw error;
          return await existingOrganisation(context.store, id, change.actor);
        },
      );
      setEtag(reply, organisation);
      return organisationJson(organisation);
    },
  );
}

function readRoute(app: AdminApp, context: AdminContext): void {
  app.get(
    '/organisations/:organisation_id',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'readOrganisation',
        summary: 'One organisation.',
        params: organisationPath,
        response: { 200: changedOrganisation },
      },
    },
    async (request, reply) => {
      const { organisation_id: id } = request.params;
      const organisation = await existingOrganisation(context.store, id, actorOf(request));
      setEtag(reply, organisation);
      return organisationJson(organisation);
    },
  );
}

function changeRoute(app: AdminApp, context: AdminContext): void {
  app.patch(
    '/organisations/:organisation_id',
    {
      config: { needs: 'admin', action: 'organisation.update' },
      schema: {
        ...TAG,
        operationId: 'changeOrganisation',
        summary: 'Changes settings of an organisation, and leaves the others.',
        description:
          'If-Match must be there: 428 without it, 412 where somebody changed the organisation in the meantime. ' +
          '`policy` may be a part of it, with a whole `quota`. Where `violations` of the policy is `end`, API users and ' +
          'credentials that a stricter policy forbids end at once.',
        params: organisationPath,
        headers: Type.Object(ifMatchParameter),
        body: organisationChangesSchema,
        response: { 200: changedOrganisation },
      },
    },
    async (request, reply) => {
      const ifVersion = requiredIfMatch(request);
      const { organisation_id: id } = request.params;
      const { body } = request;
      const change = changeOf(request, context);
      const organisation = await updateOrganisation(change, id, (before) => changedSettings(before, body), {
        ifVersion,
      });
      setEtag(reply, organisation);
      return organisationJson(organisation);
    },
  );
}

function disableRoute(app: AdminApp, context: AdminContext): void {
  app.post(
    '/organisations/:organisation_id/disable',
    {
      config: { needs: 'admin', action: 'organisation.disable' },
      schema: {
        ...TAG,
        operationId: 'disableOrganisation',
        summary: 'Stops all tokens of an organisation, and hides it from its members.',
        description: '`enable` undoes it, except for the revocation of tokens.',
        params: organisationPath,
        headers: Type.Object(ifMatchParameter),
        body: closedObject({
          revoke_tokens: Type.Optional(
            Type.Boolean({
              default: true,
              description: 'False: the tokens that its API users have stay valid until they expire',
            }),
          ),
        }),
        response: { 200: changedOrganisation },
      },
    },
    async (request, reply) => {
      const options = { revoke: request.body.revoke_tokens !== false, ifVersion: ifMatch(request) };
      const { organisation_id: id } = request.params;
      const organisation = await switchOrganisation(changeOf(request, context), id, false, options);
      setEtag(reply, organisation);
      return organisationJson(organisation);
    },
  );
}

function enableRoute(app: AdminApp, context: AdminContext): void {
  app.post(
    '/organisations/:organisation_id/enable',
    {
      config: { needs: 'admin', action: 'organisation.enable' },
      schema: {
        ...TAG,
        operationId: 'enableOrganisation',
        summary: 'Gives tokens to the API users of an organisation again.',
        params: organisationPath,
        headers: Type.Object(ifMatchParameter),
        response: { 200: changedOrganisation },
      },
    },
    async (request, reply) => {
      const options = { ifVersion: ifMatch(request) };
      const { organisation_id: id } = request.params;
      const organisation = await switchOrganisation(changeOf(request, context), id, true, options);
      setEtag(reply, organisation);
      return organisationJson(organisation);
    },
  );
}

function deleteRoute(app: AdminApp, context: AdminContext): void {
  app.delete(
    '/organisations/:organisation_id',
    {
      config: { needs: 'admin', action: 'organisation.delete' },
      schema: {
        ...TAG,
        operationId: 'deleteOrganisation',
        summary: 'Removes an organisation without API users, and its members and invitations.',
        params: organisationPath,
        headers: Type.Object(ifMatchParameter),
        response: { 204: nothing('Removed') },
      },
    },
    async (request, reply) => {
      const options = { ifVersion: ifMatch(request) };
      await deleteOrganisation(changeOf(request, context), request.params.organisation_id, options);
      reply.code(204);
      return null;
    },
  );
}

function violationsRoute(app: AdminApp, context: AdminContext): void {
  app.get(
    '/organisations/:organisation_id/violations',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'listViolations',
        summary: 'API users and credentials that the policy forbids, because it was stricter later.',
        description:
          'All violations of one API user are on one page, so that a page may hold some more than `limit`.',
        params: organisationPath,
        querystring: closedObject(pageParameters),
        response: { 200: pageOf(violationSchema) },
      },
    },
    async (request) => {
      const { organisation_id: id } = request.params;
      const organisation = await existingOrganisation(context.store, id, actorOf(request));
      return await violationPage(context, organisation, request.query);
    },
  );
}

function policyCheckRoute(app: AdminApp, context: AdminContext): void {
  app.post(
    '/organisations/:organisation_id/policy-check',
    {
      config: { needs: 'admin', action: 'organisation.update' },
      schema: {
        ...TAG,
        operationId: 'checkPolicy',
        summary: 'What a policy would forbid of what exists. Saves nothing.',
        params: organisationPath,
        querystring: closedObject(pageParameters),
        body: closedObject({ policy: policyChangesSchema }),
        response: { 200: pageOf(violationSchema) },
      },
    },
    async (request) => {
      const { organisation_id: id } = request.params;
      const before = await existingOrganisation(context.store, id, actorOf(request));
      const organisation = { ...before, policy: policyOf(request.body.policy, before.policy) };
      const faults = organisationFaults(organisation);
      if (faults.length > 0)
        throw new AppError('invalid', faults.map(({ problem }) => problem).join('\n'), { faults });
      return await violationPage(context, organisation, request.query);
    },
  );
}

async function violationPage(
  { store, now }: AdminContext,
  organisation: Parameters<typeof listViolations>[1],
  { limit = PAGE_DEFAULT, after }: { limit?: number; after?: string },
) {
  const position = positionOf('violations', after, isClientId);
  const page = { after: position?.[0] ?? null, limit };
  const { items, next } = await listViolations(store, organisation, page, now());
  return { items: items.map(violationJson), next: next === null ? null : cursorOf('violations', [next]) };
}

function isClientId(position: readonly unknown[]): position is readonly [string] {
  return position.length === 1 && typeof position[0] === 'string';
}
