import type { FastifyInstance } from 'fastify';
import { VERSION } from '../../lib/version.ts';
import type { SchemaTypes } from './admin-app.ts';
import { keySourceRoutes } from './key-source.routes.ts';
import { memberRoutes } from './member.routes.ts';
import { audienceSettingsRoutes } from './audience-settings.routes.ts';
import { invitationRoutes } from './invitation.routes.ts';
import { moveRoute } from './api-user-move.routes.ts';
import { apiUserRoutes } from './api-user.routes.ts';
import { auditRoutes } from './audit.routes.ts';
import { bulkRoutes } from './api-user-bulk.routes.ts';
import { credentialSchema } from './credential.wire.ts';
import { eventsRoute } from './events.routes.ts';
import { credentialRoutes } from './credential.routes.ts';
import type { AdminContext } from './context.ts';
import { createGate } from './gate.ts';
import { ADMIN_API, apiDocument } from './openapi.ts';
import { operatorRoutes } from './operator.routes.ts';
import { organisationRoutes } from './organisation.routes.ts';
import { overviewRoute } from './overview.routes.ts';
import { prepareApi } from './prepare-api.ts';
import { profileRoutes } from './profile.routes.ts';
import { refusedRequestRoutes } from './refused-request.routes.ts';
import { openSecretLinkRoutes, secretLinkRoutes } from './secret-link.routes.ts';
import { sessionRoutes } from './session.routes.ts';
import { signingKeyRoutes } from './signing-key.routes.ts';
import { tokenPreviewRoute } from './token-preview.routes.ts';
import { trustCheckRoutes } from './trust-check.routes.ts';
import { organisationUsageRoute, usageRoutes } from './usage.routes.ts';

/** The admin API. */
export async function adminPlugin(
  plain: FastifyInstance,
  { context }: { context: AdminContext },
): Promise<void> {
  const app = plain.withTypeProvider<SchemaTypes>();
  const gate = createGate(context);
  await prepareApi(app, context, gate);
  await apiDocument(app, ADMIN_API, VERSION, context.config);
  sessionRoutes(app, context);
  invitationRoutes(app, context);
  profileRoutes(app, context);
  operatorRoutes(app, context);
  app.addSchema(credentialSchema);
  apiUserRoutes(app, context);
  await bulkRoutes(app, context);
  moveRoute(app, context);
  organisationRoutes(app, context);
  memberRoutes(app, context, { path: '/organisations/:organisation_id', changes: 'write' });
  audienceSettingsRoutes(app, context);
  tokenPreviewRoute(app, context);
  credentialRoutes(app, context);
  secretLinkRoutes(app, context);
  openSecretLinkRoutes(app, context);
  keySourceRoutes(app, context);
  trustCheckRoutes(app, context);
  signingKeyRoutes(app, context);
  usageRoutes(app, context);
  refusedRequestRoutes(app, context);
  organisationUsageRoute(app, context);
  overviewRoute(app, context);
  eventsRoute(app, context, gate);
  auditRoutes(app, context);
}
