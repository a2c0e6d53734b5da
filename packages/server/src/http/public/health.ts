import type { Health } from '../../runtime/health.ts';
import { getOperation, jsonResponse, text, whole, type Description } from '../operation.ts';
import { JSON_TYPE, type Document } from './document.ts';
import { ownRoute, type PublicRoute } from './public-route.ts';

/** `/livez` is for process managers and orchestrators, `/readyz` for load balancers. */
export function healthRoutes(health: () => Health): PublicRoute[] {
  return [
    ownRoute('/livez', () => uncached(200, { status: 'alive' })),
    ownRoute('/readyz', () => {
      const { status, staleSeconds, apiUsers, complete, limits, clock, standby } = health();
      return uncached(status === 'ready' ? 200 : 503, {
        status,
        stale_seconds: staleSeconds,
        api_users_in_memory: apiUsers,
        all_in_memory: complete,
        limits,
        clock_offset_seconds: clock.offsetSeconds,
        changes: standby.hangs ? 'waiting_for_standby' : 'ok',
      });
    }),
  ];
}

function uncached(status: number, body: object): Document {
  return { status, headers: ['Cache-Control', 'no-store'], type: JSON_TYPE, body: JSON.stringify(body) };
}

export const LIVEZ_OPERATIONS: Description = {
  get: getOperation('getLiveness', 'Answers while the process runs.', 'Liveness'),
};

export const READYZ_OPERATIONS: Description = {
  get: {
    ...getOperation('getReadiness', 'Whether this process should get requests.', 'Readiness'),
    responses: {
      '200': jsonResponse('It should.', 'Readiness'),
      '503': jsonResponse(
        'It should not: it is stopping, too far behind its store or soon to be, without an active signing key, or its clock is wrong.',
        'Readiness',
      ),
    },
  },
};

export const HEALTH_SCHEMAS: Description = {
  Liveness: {
    type: 'object',
    required: ['status'],
    properties: { status: { ...text, const: 'alive' } },
    additionalProperties: false,
  },
  Readiness: {
    type: 'object',
    required: [
      'status',
      'stale_seconds',
      'api_users_in_memory',
      'all_in_memory',
      'limits',
      'clock_offset_seconds',
      'changes',
    ],
    properties: {
      status: { ...text, enum: ['ready', 'stopping', 'stale', 'going_stale', 'clock_off', 'no_signing_key'] },
      stale_seconds: {
        type: 'number',
        minimum: 0,
        description: 'Seconds since the process was last in step with its store',
      },
      api_users_in_memory: whole,
      all_in_memory: { type: 'boolean' },
      limits: {
        ...text,
        enum: ['own', 'shared', 'divided'],
        description:
          'Whose calls the limits count: of this process, of all processes, or a part each because they cannot be shared',
      },
      clock_offset_seconds: {
        type: ['number', 'null'],
        description:
          "Seconds by which the process's clock is ahead of the store's (negative: behind). Null: the store has no clock of its own",
      },
      changes: {
        ...text,
        enum: ['ok', 'waiting_for_standby'],
        description:
          'waiting_for_standby: PostgreSQL waits for a synchronous standby that hangs, so changes and usage wait. Tokens are issued',
      },
    },
    additionalProperties: false,
  },
};
