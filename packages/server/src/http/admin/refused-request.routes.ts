import Type from 'typebox';
import type { FastifyRequest } from 'fastify';
import { listRefusedRequests, type RefusedRequestSearch } from '../../admin/refused-request.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import { apiUserPath } from './api-user.routes.ts';
import type { AdminContext } from './context.ts';
import { cursorOf, positionOf } from './cursor.ts';
import { refusedRequestJson, refusedRequestSchema, type RefusedRequestJson } from './refused-request.wire.ts';
import { closedObject, PAGE_DEFAULT, pageOf, pageParameters, text, type Page } from './schema.ts';

const ID_LENGTH_MAX = 300;
const ORDER = 'refused_requests';

const traceParameter = {
  trace_id: Type.Optional(
    Type.String({
      pattern: '^[0-9A-Fa-f]{32}$',
      description: 'The x-request-id of the response: 32 hexadecimal digits',
    }),
  ),
};

const DESCRIPTION =
  'At most 100 per API user, of the last 24 hours. A refused request is listed a few seconds later.';

export function refusedRequestRoutes(app: AdminApp, context: AdminContext): void {
  app.addSchema(refusedRequestSchema);
  const tags = ['API users'];
  app.get(
    '/refused-requests',
    {
      config: { needs: 'read' },
      schema: {
        tags,
        operationId: 'listRefusedRequests',
        summary: 'Why calls were refused, the newest first.',
        description: DESCRIPTION,
        querystring: closedObject({
          client_id: Type.Optional(text('Client id, or username', ID_LENGTH_MAX)),
          ...traceParameter,
          ...pageParameters,
        }),
        response: { 200: pageOf(refusedRequestSchema) },
      },
    },
    async (request) => {
      const { client_id: owner = null, ...query } = request.query;
      return await answer(context, request, owner, query);
    },
  );
  app.get(
    '/api-users/:client_id/refused-requests',
    {
      config: { needs: 'read' },
      schema: {
        tags,
        operationId: 'listRefusedRequestsOfApiUser',
        summary: 'Why calls of an API user were refused, the newest first.',
        description: DESCRIPTION,
        params: apiUserPath,
        querystring: closedObject({ ...traceParameter, ...pageParameters }),
        response: { 200: pageOf(refusedRequestSchema) },
      },
    },
    async (request) => await answer(context, request, request.params.client_id, request.query),
  );
}

interface PageQuery {
  trace_id?: string;
  limit?: number;
  after?: string;
}

async function answer(
  { store, now }: Pick<AdminContext, 'store' | 'now'>,
  request: FastifyRequest,
  owner: string | null,
  { trace_id: traceId, limit = PAGE_DEFAULT, after }: PageQuery,
): Promise<Page<RefusedRequestJson>> {
  const position = positionOf(ORDER, after, isPosition);
  const before = position && { at: position[0], traceId: position[1], clientId: position[2] };
  const search: RefusedRequestSearch = { owner, traceId: traceId?.toLowerCase() ?? null };
  const reader = { store, actor: actorOf(request), nowMs: now() };
  const listed = await listRefusedRequests(reader, search, { before, limit: limit + 1 });
  const items = listed.slice(0, limit);
  const last = items.at(-1);
  const next =
    listed.length <= limit || last === undefined
      ? null
      : cursorOf(ORDER, [last.at, last.traceId, last.clientId]);
  return { items: items.map(refusedRequestJson), next };
}

function isPosition(position: readonly unknown[]): position is [number, string, string] {
  const [at, traceId, clientId, ...more] = position;
  return (
    Number.isSafeInteger(at) &&
    typeof traceId === 'string' &&
    typeof clientId === 'string' &&
    more.length === 0
  );
}
