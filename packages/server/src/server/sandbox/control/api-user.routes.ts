import Type from 'typebox';
import type { AdminApp } from '../../../http/admin/admin-app.ts';
import { apiUserJson, apiUserSchema } from '../../../http/admin/api-user.wire.ts';
import { answerObject, closedObject, ref, text } from '../../../http/admin/schema.ts';
import { SYSTEM } from '../../../domain/actor.ts';
import { apiUserFilter } from '../../../domain/api-user-list.ts';
import type { ApiUser } from '../../../domain/api-user.ts';
import type { Sandbox } from '../sandbox.ts';
import { API_USERS_MAX, type CurrentSandbox } from './current-sandbox.ts';
import { span } from './span.wire.ts';

const TAG = { tags: ['API users'] };
/** Larger than the limits of domain/api-user.ts, which explains a refusal better than a schema does. */
const TEXT_LENGTH_MAX = 1000;
const ITEMS_MAX = 100;

const list = (description: string) =>
  Type.Optional(Type.Array(text('One of them', TEXT_LENGTH_MAX), { maxItems: ITEMS_MAX, description }));

const newApiUserSchema = closedObject({
  name: Type.Optional(text('What it is', TEXT_LENGTH_MAX)),
  scopes: list('The scopes that it may have'),
  audiences: list('The audiences that it may request; the first is its default. None: the issuer'),
  limit_per_minute: Type.Optional(Type.Integer({ minimum: 1, description: 'Calls a minute; more get 429' })),
  secret_expires_in: Type.Optional(span('The secret expires after this time. Left out: never')),
});

const tokenRequestSchema = closedObject({
  client_id: text('Client id, or username', TEXT_LENGTH_MAX),
  scopes: list('Left out: all of the API user. They need not be its own'),
  audience: Type.Optional(text('Left out: that of the API user', TEXT_LENGTH_MAX)),
  life: Type.Optional(span('How long the token lives. Left out: as all others')),
  expired: Type.Optional(Type.Boolean({ description: 'The token expired an hour ago' })),
  unknown_key: Type.Optional(
    Type.Boolean({ description: 'A key that is not in the key set signs the token' }),
  ),
});

export function apiUserRoutes(app: AdminApp, sandbox: CurrentSandbox): void {
  app.addSchema(apiUserSchema);
  app.get(
    '/api-users',
    {
      schema: {
        ...TAG,
        operationId: 'listApiUsers',
        summary: `The API users, at most ${API_USERS_MAX}.`,
        response: { 200: answerObject('The API users', { items: Type.Array(ref(apiUserSchema)) }) },
      },
    },
    async () => ({ items: (await sandbox.use(apiUsersOf)).map(apiUserJson) }),
  );
  app.post(
    '/api-users',
    {
      schema: {
        ...TAG,
        operationId: 'createApiUser',
        summary: 'Makes an API user with a secret.',
        body: newApiUserSchema,
        response: {
          201: answerObject('Made', { client_id: Type.String(), client_secret: Type.String() }),
        },
      },
    },
    async ({ body }, reply) => {
      const { limit_per_minute: limitPerMinute = null, secret_expires_in: expiry, ...settings } = body;
      const secret = expiry === undefined ? {} : { secretExpiresIn: expiry };
      const created = await sandbox.createApiUser({ ...settings, limitPerMinute, ...secret });
      reply.code(201);
      return { client_id: created.clientId, client_secret: created.clientSecret };
    },
  );
  tokenRoute(app, sandbox);
}

function tokenRoute(app: AdminApp, sandbox: CurrentSandbox): void {
  app.post(
    '/tokens',
    {
      schema: {
        ...TAG,
        operationId: 'createToken',
        summary:
          'Signs a token for the tests of an API, as the token endpoint would, or on purpose a bad one.',
        body: tokenRequestSchema,
        response: { 201: answerObject('Signed', { access_token: Type.String() }) },
      },
    },
    async ({ body }, reply) => {
      const { client_id: clientId, unknown_key: unknownKey = false, ...rest } = body;
      const token = await sandbox.use((current) => current.token({ ...rest, clientId, unknownKey }));
      reply.code(201);
      return { access_token: token };
    },
  );
}

async function apiUsersOf({ store, now }: Sandbox): Promise<ApiUser[]> {
  const page = { after: null, limit: API_USERS_MAX };
  const listed = await store.apiUserList.byId(apiUserFilter({}, SYSTEM), page, now());
  return listed.map(({ user }) => user);
}
