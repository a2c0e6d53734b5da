import Type, { type TString, type TUnsafe } from 'typebox';
import { startOf, UNIT_MS, USAGE_UNITS, type UsageUnit } from '../../domain/usage.ts';
import type { UsageRows } from '../../storage/tables/usage.ts';
import { parseTime } from '../../domain/parse-time.ts';
import { existingOrganisation } from '../../admin/organisation.ts';
import { confinedTo, reaches } from '../../domain/actor.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import type { AdminContext } from './context.ts';
import { Problem } from './problem.ts';
import { organisationPath } from './organisation.routes.ts';
import { closedObject, oneOf, ref } from './schema.ts';
import { RECENT_HOURS, recentUsageSchema, usageJson, usageSchema, type UsageSpan } from './usage.wire.ts';

/** The most points of an answer. */
const POINTS_MAX = 1500;
/** Points in the answer if the request does not name `from`. */
const POINTS_DEFAULT: Readonly<Record<UsageUnit, number>> = { minute: 60, hour: 24, day: 30 };
export const RECENT_IDS_MAX = 200;
const CLIENT_ID_LENGTH_MAX = 256;

const query = closedObject({
  unit: Type.Optional(oneOf(USAGE_UNITS, 'How long each point is; left out: hour')),
  from: Type.Optional(
    timeParameter(
      'The first point begins at this time, or next after it; left out: the last hour, day or month',
    ),
  ),
  to: Type.Optional(timeParameter('The last point begins before this time; left out: now')),
});

const clientIdParameter: TString = Type.String({
  minLength: 1,
  maxLength: CLIENT_ID_LENGTH_MAX,
  description: 'The client id',
});

function timeParameter(description: string): TUnsafe<string> {
  return Type.Unsafe<string>({
    type: 'string',
    maxLength: 40,
    description: `A day, or a time of RFC 3339. ${description}`,
  });
}

export function usageRoutes(app: AdminApp, { store, now }: AdminContext): void {
  app.addSchema(usageSchema);
  const tags = ['Usage'];
  app.get(
    '/api-users/:client_id/usage',
    {
      config: { needs: 'read' },
      schema: {
        operationId: 'readApiUserUsage',
        summary: 'Tokens and refusals of one API user.',
        tags,
        params: Type.Object({ client_id: clientIdParameter }),
        querystring: query,
        response: { 200: ref(usageSchema) },
      },
    },
    async (request) => {
      const span = spanOf(request.query, now());
      const { client_id: clientId } = request.params;
      const user = await store.apiUsers.find(clientId);
      if (user === undefined || !reaches(actorOf(request), user.organisationId)) {
        throw new Problem('not_found', 'There is no API user with this client id.');
      }
      return usageJson(span, await store.usage.series(clientId, span.unit, span.from, span.to));
    },
  );
  app.get(
    '/usage',
    {
      config: { needs: 'read' },
      schema: {
        operationId: 'readUsage',
        summary: 'Tokens and refusals of all callers together, those that are no API user among them.',
        description: 'Members of an organisation: of its API users.',
        tags,
        querystring: query,
        response: { 200: ref(usageSchema) },
      },
    },
    async (request) => {
      const span = spanOf(request.query, now());
      const organisation = confinedTo(actorOf(request));
      // The usage of an organisation is counted under its id.
      return usageJson(span, await store.usage.series(organisation, span.unit, span.from, span.to));
    },
  );
  recentRoute(app, store.usage, now);
}

/** For operators. Members read the same at `/usage`. */
export function organisationUsageRoute(app: AdminApp, { store, now }: AdminContext): void {
  app.get(
    '/organisations/:organisation_id/usage',
    {
      config: { needs: 'read' },
      schema: {
        operationId: 'readOrganisationUsage',
        summary: 'Tokens and refusals of all API users of an organisation.',
        tags: ['Usage'],
        params: organisationPath,
        querystring: query,
        response: { 200: ref(usageSchema) },
      },
    },
    async (request) => {
      const span = spanOf(request.query, now());
      const name = request.params.organisation_id;
      const { id } = await existingOrganisation(store, name, actorOf(request));
      return usageJson(span, await store.usage.series(id, span.unit, span.from, span.to));
    },
  );
}

function recentRoute(app: AdminApp, usage: Pick<UsageRows, 'recent'>, now: () => number): void {
  app.get(
    '/usage/recent',
    {
      config: { needs: 'read' },
      schema: {
        operationId: 'readRecentUsage',
        summary: 'Tokens of several API users in the last hours: for spark lines.',
        tags: ['Usage'],
        querystring: closedObject({
          ids: Type.String({
            minLength: 1,
            maxLength: RECENT_IDS_MAX * (CLIENT_ID_LENGTH_MAX + 1),
            description: `Client ids, comma-separated, at most ${RECENT_IDS_MAX}`,
          }),
        }),
        response: { 200: recentUsageSchema },
      },
    },
    async (request) => {
      const clientIds = Array.from(new Set(request.query.ids.split(',').filter((id) => id !== '')));
      if (clientIds.length > RECENT_IDS_MAX) {
        throw invalid('ids', `names more than ${RECENT_IDS_MAX} API users: ask in parts`);
      }
      const organisation = confinedTo(actorOf(request));
      const to = startOf('hour', now()) + UNIT_MS.hour;
      const from = to - RECENT_HOURS * UNIT_MS.hour;
      const counted = new Map(clientIds.map((id) => [id, Array.from({ length: RECENT_HOURS }, () => 0)]));
      for (const { clientId, at, tokens } of await usage.recent(clientIds, from, to, organisation)) {
        const hours = counted.get(clientId);
        if (hours !== undefined) (hours[(at - from) / UNIT_MS.hour] as number) += tokens;
      }
      return { items: Array.from(counted, ([client_id, tokens]) => ({ client_id, tokens })) };
    },
  );
}

function spanOf(input: { unit?: UsageUnit; from?: string; to?: string }, nowMs: number): UsageSpan {
  const { unit = 'hour' } = input;
  const to = timeOf('to', input.to) ?? nowMs;
  const from = timeOf('from', input.from) ?? startOf(unit, to) - (POINTS_DEFAULT[unit] - 1) * UNIT_MS[unit];
  if (from > to) throw invalid('from', 'is later than `to`');
  if ((to - from) / UNIT_MS[unit] > POINTS_MAX) {
    throw invalid(
      'from',
      `is more than ${POINTS_MAX} points before \`to\`: ask for longer units, or in parts`,
    );
  }
  return { unit, from, to };
}

function timeOf(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const ms = parseTime(text);
  if (ms === null || ms < 0) throw invalid(name, 'is no time such as 2026-01-31T12:00:00Z');
  return ms;
}

function invalid(name: string, detail: string): Problem {
  return new Problem('invalid', `The parameter ${name} ${detail}.`, {
    faults: [{ pointer: `?${name}`, detail }],
  });
}
