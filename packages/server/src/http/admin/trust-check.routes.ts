import { checkTrust } from '../../admin/trust-check.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import { apiUserPath } from './api-user.routes.ts';
import type { AdminContext } from './context.ts';
import { closedObject, text } from './schema.ts';
import { trustCheckJson, trustCheckSchema } from './trust-check.wire.ts';

/** A body of the token endpoint has at most 8 KiB, so a longer token never passes. */
const TOKEN_LENGTH_MAX = 8192;

export function trustCheckRoutes(app: AdminApp, { store, keySets }: AdminContext): void {
  app.post(
    '/api-users/:client_id/trust-check',
    {
      config: { needs: 'read' },
      schema: {
        tags: ['Credentials'],
        operationId: 'checkToken',
        summary: 'Whether a token of a workload would pass the trust rules of an API user, and why not.',
        description: 'The token is neither stored nor logged, and it is not used up.',
        params: apiUserPath,
        body: closedObject({ token: text('The token (a JWT)', TOKEN_LENGTH_MAX) }),
        response: { 200: trustCheckSchema },
      },
    },
    async (request) => {
      const { params, body } = request;
      const services = { store, findKey: keySets.find };
      const caller = { actor: actorOf(request), nowMs: Date.now() };
      return trustCheckJson(await checkTrust(services, params.client_id, body.token, caller));
    },
  );
}
