import type { Server } from 'node:http';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { IntrospectingServices } from '../oauth/introspect-token.ts';
import type { RevokingServices } from '../oauth/revoke-token.ts';
import { VERSION } from '../lib/version.ts';
import type { Health } from '../runtime/health.ts';
import type { Keyring } from '../runtime/signing-keys.ts';
import type { AdminContext } from './admin/context.ts';
import type { RequestHandler } from './answer.ts';
import type { Connections } from './connections.ts';
import { serverErrorAnswer } from './error-response.ts';
import { loadedHandler } from './loaded-handler.ts';
import { introspectionEndpoint } from './oauth/introspect.ts';
import { revocationEndpoint } from './oauth/revoke.ts';
import { tokenEndpoint, type TokenEndpointServices } from './oauth/token.ts';
import { AUTHORIZE_PATH, INTROSPECT_PATH, REVOKE_PATH, TOKEN_PATH } from './paths.ts';
import { authorizationEndpoint } from './public/authorization.ts';
import { answerOf, sendDocument } from './public/document.ts';
import { healthRoutes } from './public/health.ts';
import { jwksRoute } from './public/jwks.ts';
import { metadataRoutes } from './public/metadata.ts';
import { metricsRoute, type MetricsServices } from './public/metrics.ts';
import { openapiRoute } from './public/openapi.ts';
import { serveRoute, type PublicRoute } from './public/public-route.ts';
import { revocationsRoute, type RevocationServices } from './public/revocations.ts';
import { decodedPath, isOfManagement, notFoundAnswer, pathOf } from './request-path.ts';
import { boundedServer } from './server.ts';
import { traceIdOf } from './trace.ts';

export interface AppServices
  extends TokenEndpointServices, IntrospectingServices, RevokingServices, RevocationServices {
  keyring: Keyring;
  connections: Connections;
  health(): Health;
  metrics: MetricsServices['metrics'];
  log: Logger;
  /** Called with the first request for the admin API, the portal or the console. */
  admin(): Promise<AdminContext>;
}

/**
 * One HTTP server. The endpoints that machines call run directly on node:http. The admin API, the portal and
 * the console run on Fastify, whose convenience is worth its cost there (docs/decisions/002). Their code is
 * loaded with the first request for them.
 */
export function createApp(services: AppServices, config: Config): Server {
  const token = tokenEndpoint(services, config);
  const tokenPath = config.basePath + TOKEN_PATH;
  const others = new Map([
    [config.basePath + AUTHORIZE_PATH, authorizationEndpoint(config.basePath)],
    [config.basePath + INTROSPECT_PATH, introspectionEndpoint(services, config)],
    [config.basePath + REVOKE_PATH, revocationEndpoint(services, config)],
  ]);
  const routes = publicHandler(services, config, () => server);
  const server = boundedServer(config, services.connections, (request, response) => {
    const { url = '' } = request;
    if (url === tokenPath) return token(request, response);
    const path = pathOf(url);
    if (path === tokenPath) return token(request, response);
    return (others.get(path) ?? routes)(request, response);
  });
  return server;
}

/** Serves the public documents, and hands requests for people's pages and APIs on. */
function publicHandler(services: AppServices, config: Config, server: () => Server): RequestHandler {
  const routes = new Map(publicRoutes(services, config).map((route) => [route.path, route]));
  const management = loadedHandler(async () => {
    const { createManagement } = await import('./management.ts');
    return await createManagement(await services.admin(), config, VERSION, server());
  }, services.log);

  return (request, response) => {
    const path = decodedPath(request.url ?? '');
    const route = routes.get(path);
    if (route === undefined && isOfManagement(path, config)) return management(request, response);
    const traceId = traceIdOf(request.headers['traceparent']);
    if (route === undefined) sendDocument(response, answerOf(notFoundAnswer(traceId, config)), traceId);
    else serveRoute(route, request, response, { traceId, failed: (error) => failed(error, traceId) });
  };

  function failed(err: unknown, traceId: string): ReturnType<typeof answerOf> {
    services.log.error({ traceId, err }, 'a route failed');
    return answerOf(serverErrorAnswer(traceId));
  }
}

function publicRoutes(services: AppServices, config: Config): PublicRoute[] {
  return [
    ...metadataRoutes(config),
    jwksRoute(services, config),
    revocationsRoute(services, config),
    ...healthRoutes(services.health),
    metricsRoute(services, config),
    openapiRoute(config, VERSION),
  ];
}
