import Type, { type TBoolean, type TObject, type TString, type TUnsafe } from 'typebox';
import {
  API_USER_SORTS,
  apiUserFilter,
  NAMED_MAX,
  type ApiUserPosition,
  type ApiUserSort,
} from '../../domain/api-user-list.ts';
import { changesOf, settingsOf } from '../../domain/api-user-record.ts';
import { AppError } from '../../domain/app-error.ts';
import {
  createApiUser,
  deleteApiUser,
  existingApiUser,
  revokeApiUserTokens,
  updateApiUser,
} from '../../admin/api-user.ts';
import { createApiUserWithSecret } from '../../admin/api-user-with-secret.ts';
import {
  apiUserChangesSchema,
  apiUserFilterParameters,
  apiUserJson,
  apiUserSchema,
  disabledApiUserJson,
  disabledApiUserSchema,
  listedApiUserJson,
  listedApiUserSchema,
  newApiUserSchema,
  type ApiUserJson,
  type NewApiUserJson,
} from './api-user.wire.ts';
import { credentialJson, credentialSchema } from './credential.wire.ts';
import { cursorOf, positionOf } from './cursor.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import { changeOf, repeatableChangeOf, type AdminContext } from './context.ts';
import {
  etagHeader,
  ifMatch,
  ifMatchParameter,
  idempotencyParameter,
  requiredIfMatch,
  setEtag,
} from './preconditions.ts';
import {
  answerObject,
  closedObject,
  iso,
  millisecondsOf,
  nothing,
  nullable,
  oneOf,
  PAGE_DEFAULT,
  pageOf,
  pageParameters,
  ref,
  text,
  time,
  type Shared,
} from './schema.ts';

/** The same as `maxParamLength`, the longest path segment. A username has up to 254 characters. */
const NAME_LENGTH_MAX = 300;
export const apiUserPath: TObject<{ client_id: TString }> = Type.Object({
  client_id: text('Client id, or username', NAME_LENGTH_MAX),
});

const TAG = { tags: ['API users'] };
const FIRST_SECRET_NAME = 'first secret';

export function apiUserRoutes(app: AdminApp, context: AdminContext): void {
  app.addSchema(apiUserSchema);
  app.addSchema(disabledApiUserSchema);
  app.addSchema(listedApiUserSchema);
  listRoute(app, context);
  createRoute(app, context);
  readRoute(app, context);
  changeRoute(app, context);
  switchRoutes(app, context);
  deleteRoute(app, context);
  revokeTokensRoute(app, context);
}

const SORTS = API_USER_SORTS.flatMap((sort) => [sort, `-${sort}`] as const);

function listRoute(app: AdminApp, context: AdminContext): void {
  app.get(
    '/api-users',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'listApiUsers',
        summary: 'API users, a page at a time.',
        description:
          'A page may hold fewer than `limit`, or none, where few of very many meet what is asked: the list ends where `next` is null.',
        querystring: closedObject({
          ...apiUserFilterParameters,
          sort: Type.Optional(
            oneOf(SORTS, 'Left out: -created_at. Those that were never used come last by last_used_at'),
          ),
          ...pageParameters,
        }),
        response: { 200: pageOf(listedApiUserSchema) },
      },
    },
    async (request) => {
      const { sort = '-created_at', limit = PAGE_DEFAULT, after, ...parameters } = request.query;
      const by = sort.replace('-', '') as ApiUserSort;
      const page = {
        sort: by,
        descending: sort.startsWith('-'),
        after: positionOf(`api-users ${sort}`, after, isPositionIn(by)),
        limit,
      };
      const { store } = context;
      const filter = apiUserFilter(parameters, actorOf(request));
      const { items, next } = await store.apiUserList.page(filter, page, context.now());
      return {
        items: items.map(listedApiUserJson),
        next: next === null ? null : cursorOf(`api-users ${sort}`, next),
      };
    },
  );
}

function isPositionIn(sort: ApiUserSort) {
  return (position: readonly unknown[]): position is ApiUserPosition => {
    const [value, ...ids] = position;
    if (ids.length < 1 || ids.length > 1 + NAMED_MAX || !ids.every((id) => typeof id === 'string'))
      return false;
    if (sort === 'name') return typeof value === 'string';
    return Number.isSafeInteger(value) || (value === null && sort === 'last_used_at');
  };
}

function createRoute(app: AdminApp, context: AdminContext): void {
  app.post(
    '/api-users',
    {
      config: { needs: 'write', action: 'api_user.create' },
      schema: {
        ...TAG,
        operationId: 'createApiUser',
        summary: 'Makes an API user, and its first secret, which is shown only once.',
        headers: Type.Object(idempotencyParameter),
        body: newApiUserSchema,
        response: {
          201: closedObject(
            {
              api_user: ref(apiUserSchema),
              credential: Type.Optional(ref(credentialSchema)),
              client_secret: Type.Optional(
                Type.String({ description: 'Shown only once, and stored nowhere' }),
              ),
            },
            { description: 'Made', headers: etagHeader },
          ),
        },
      },
    },
    async (request, reply) => {
      const change = repeatableChangeOf(request, context);
      const { organisation_id: organisationId = null } = request.body;
      const settings = { ...settingsOf(request.body), organisationId };
      reply.code(201);
      const secret = secretOf(request.body.secret);
      if (secret === null) {
        const user = await createApiUser(change, settings).catch(async (error: unknown) => {
          const clientId = error instanceof AppError ? error.created[0]?.id : null;
          if (clientId === null || clientId === undefined) throw error;
          return await existingApiUser(context.store, clientId, change.actor); // without a secret, the answer is repeatable
        });
        setEtag(reply, user);
        return { api_user: apiUserJson(user) };
      }
      const created = await createApiUserWithSecret(change, settings, secret);
      setEtag(reply, created.user);
      return {
        api_user: apiUserJson(created.user),
        credential: credentialJson(created.credential, [], created.credential.createdAt),
        client_secret: created.secret,
      };
    },
  );
}

function secretOf(input: NewApiUserJson['secret'] = {}): { name: string; expiresAt: number | null } | null {
  if (input === false) return null;
  const { name = FIRST_SECRET_NAME, expires_at: expiresAt } = input;
  return { name, expiresAt: millisecondsOf(expiresAt, '/secret/expires_at') };
}

const changed = { description: 'As it is now', headers: etagHeader };

function readRoute(app: AdminApp, context: AdminContext): void {
  app.get(
    '/api-users/:client_id',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'readApiUser',
        summary: 'One API user.',
        params: apiUserPath,
        response: { 200: withHeaders(changed) },
      },
    },
    async (request, reply) => {
      const user = await existingApiUser(context.store, request.params.client_id, actorOf(request));
      setEtag(reply, user);
      return apiUserJson(user);
    },
  );
}

function changeRoute(app: AdminApp, context: AdminContext): void {
  app.patch(
    '/api-users/:client_id',
    {
      config: { needs: 'write', action: 'api_user.update' },
      schema: {
        ...TAG,
        operationId: 'changeApiUser',
        summary: 'Changes settings of an API user, and leaves the others.',
        description:
          'If-Match must be there: 428 without it, 412 where somebody changed the API user in the meantime.',
        params: apiUserPath,
        headers: Type.Object(ifMatchParameter),
        body: apiUserChangesSchema,
        response: { 200: withHeaders(changed) },
      },
    },
    async (request, reply) => {
      const ifVersion = requiredIfMatch(request);
      const changes = changesOf(request.body);
      const { client_id: name } = request.params;
      const user = await updateApiUser(changeOf(request, context), name, changes, { ifVersion });
      setEtag(reply, user);
      return apiUserJson(user);
    },
  );
}

function switchRoutes(app: AdminApp, context: AdminContext): void {
  app.post(
    '/api-users/:client_id/disable',
    {
      config: { needs: 'write', action: 'api_user.disable' },
      schema: {
        ...TAG,
        operationId: 'disableApiUser',
        summary: 'Refuses tokens to an API user from now on.',
        description: `${IN_USE_REFUSED} \`enable\` undoes it.`,
        params: apiUserPath,
        headers: Type.Object(ifMatchParameter),
        body: closedObject({ force: Type.Optional(force), revoke_tokens: Type.Optional(revokeTokens) }),
        response: { 200: withHeaders(changed, disabledApiUserSchema) },
      },
    },
    async (request, reply) => {
      const options = {
        force: request.body.force === true,
        revoke: request.body.revoke_tokens === true,
        ifVersion: ifMatch(request),
      };
      const { client_id: name } = request.params;
      const user = await updateApiUser(changeOf(request, context), name, { enabled: false }, options);
      setEtag(reply, user);
      return disabledApiUserJson(user);
    },
  );
  app.post(
    '/api-users/:client_id/enable',
    {
      config: { needs: 'write', action: 'api_user.enable' },
      schema: {
        ...TAG,
        operationId: 'enableApiUser',
        summary: 'Gives tokens to an API user again.',
        params: apiUserPath,
        headers: Type.Object(ifMatchParameter),
        response: { 200: withHeaders(changed) },
      },
    },
    async (request, reply) => {
      const options = { ifVersion: ifMatch(request) };
      const { client_id: name } = request.params;
      const user = await updateApiUser(changeOf(request, context), name, { enabled: true }, options);
      setEtag(reply, user);
      return apiUserJson(user);
    },
  );
}

const IN_USE_REFUSED =
  'Refused with the code `unsafe` if a caller used one of its live credentials in the last hour, unless `force` is true: ' +
  '`in_use` says who.';

export const force: TBoolean = Type.Boolean({ description: 'Although a caller may still use it' });

export const revokeTokens: TBoolean = Type.Boolean({
  description: 'Also puts the tokens that the API user has on the revocation list',
});

function deleteRoute(app: AdminApp, context: AdminContext): void {
  app.delete(
    '/api-users/:client_id',
    {
      config: { needs: 'write', action: 'api_user.delete' },
      schema: {
        ...TAG,
        operationId: 'deleteApiUser',
        summary: 'Removes an API user and its credentials for good.',
        description: IN_USE_REFUSED,
        params: apiUserPath,
        querystring: closedObject({
          force: Type.Optional(force),
          revoke_tokens: Type.Optional(revokeTokens),
        }),
        headers: Type.Object(ifMatchParameter),
        response: { 204: nothing('Removed') },
      },
    },
    async (request, reply) => {
      const options = {
        force: request.query.force === true,
        revoke: request.query.revoke_tokens === true,
        ifVersion: ifMatch(request),
      };
      await deleteApiUser(changeOf(request, context), request.params.client_id, options);
      reply.code(204);
      return null;
    },
  );
}

function revokeTokensRoute(app: AdminApp, context: AdminContext): void {
  app.post(
    '/api-users/:client_id/revoke-tokens',
    {
      config: { needs: 'write', action: 'api_user.revoke_tokens' },
      schema: {
        ...TAG,
        operationId: 'revokeTokens',
        summary: 'Puts all tokens that an API user has on the revocation list.',
        description: 'Its credentials go on working: to cut off somebody who knows a secret, see `cut-off`.',
        params: apiUserPath,
        headers: Type.Object(ifMatchParameter),
        response: {
          200: answerObject('Revoked', {
            revoked_issued_before: nullable(time('Tokens from before then are revoked')),
          }),
        },
      },
    },
    async (request) => {
      const options = { ifVersion: ifMatch(request) };
      const { client_id: name } = request.params;
      const { revocation } = await revokeApiUserTokens(changeOf(request, context), name, options);
      return { revoked_issued_before: iso((revocation.issuedBefore ?? 0) * 1000) };
    },
  );
}

/** A schema for an answer with one API user, with a description and headers. */
function withHeaders<T = ApiUserJson>(
  { description, headers }: typeof changed,
  schema: Shared<T> = apiUserSchema as Shared<T>,
): TUnsafe<T> {
  return Type.Unsafe<T>({ ...ref(schema), description, headers });
}
