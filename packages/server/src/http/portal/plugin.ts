import type { FastifyInstance } from 'fastify';
import { operatorActor } from '../../admin/operators/start-session.ts';
import { VERSION } from '../../lib/version.ts';
import type { AdminApp, SchemaTypes } from '../admin/admin-app.ts';
import { apiUserRoutes } from '../admin/api-user.routes.ts';
import { auditReadRoutes } from '../admin/audit.routes.ts';
import type { AdminContext } from '../admin/context.ts';
import { credentialRoutes } from '../admin/credential.routes.ts';
import { credentialSchema } from '../admin/credential.wire.ts';
import { keySourceRoutes } from '../admin/key-source.routes.ts';
import { memberRoutes } from '../admin/member.routes.ts';
import { apiDocument } from '../admin/openapi.ts';
import { prepareApi } from '../admin/prepare-api.ts';
import { refusedRequestRoutes } from '../admin/refused-request.routes.ts';
import { trustCheckRoutes } from '../admin/trust-check.routes.ts';
import { usageRoutes } from '../admin/usage.routes.ts';
import { createPortalGate } from './gate.ts';
import { inOrganisation, PORTAL_API } from './openapi.ts';
import { organisationRoute, ownOrganisationsRoute } from './organisation.routes.ts';

/**
 * The API of the portal: routes of the admin API, below an organisation. The gate makes each caller an actor
 * who is confined to it.
 */
export async function portalPlugin(
  plain: FastifyInstance,
  { context }: { context: AdminContext },
): Promise<void> {
  const app = plain.withTypeProvider<SchemaTypes>();
  await prepareApi(app, context, createPortalGate(context), (request, code) => {
    const { organisation_id: organisation } = request.params as { organisation_id?: string };
    const { operatorSession: session } = request;
    if (code !== 'not_found' || organisation === undefined || session === null) return;
    const person = operatorActor(session.operator, context.addressOf(request.raw));
    context.refusedLookUps.record(person, organisation);
  });
  app.addHook('onRoute', inOrganisation);
  await apiDocument(app, PORTAL_API, VERSION, context.config);
  ownOrganisationsRoute(app, context);
  await app.register(async (scope: AdminApp) => organisationRoutes(scope, context), {
    prefix: '/organisations/:organisation_id',
  });
}

/** Every route here confines what it reads and changes to the organisation of its actor. */
function organisationRoutes(app: AdminApp, context: AdminContext): void {
  organisationRoute(app, context);
  app.addSchema(credentialSchema);
  memberRoutes(app, context, { path: '', changes: 'admin' });
  apiUserRoutes(app, context);
  credentialRoutes(app, context);
  keySourceRoutes(app, context);
  trustCheckRoutes(app, context);
  usageRoutes(app, context);
  refusedRequestRoutes(app, context);
  auditReadRoutes(app, context, 'admin');
}
