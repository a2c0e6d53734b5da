import type { FastifyInstance } from 'fastify';
import type { Health } from '../../runtime/health.ts';

/** `/livez` is for process managers and orchestrators, `/readyz` for load balancers. */
export function healthRoutes(app: FastifyInstance, health: () => Health): void {
  app.get('/livez', (_request, reply) => reply.header('Cache-Control', 'no-store').send({ status: 'alive' }));
  app.get('/readyz', (_request, reply) => {
    const { status, staleSeconds, apiUsers, complete, limits, clock, standby } = health();
    return reply
      .code(status === 'ready' ? 200 : 503)
      .header('Cache-Control', 'no-store')
      .send({
        status,
        stale_seconds: staleSeconds,
        api_users_in_memory: apiUsers,
        all_in_memory: complete,
        limits,
        clock_offset_seconds: clock.offsetSeconds,
        changes: standby.hangs ? 'waiting_for_standby' : 'ok',
      });
  });
}
