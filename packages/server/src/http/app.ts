import type { IncomingMessage, Server } from 'node:http';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Config } from '../config/config.ts';
import type { Keyring } from '../runtime/signing-keys.ts';
import type { AdminContext } from './admin/context.ts';
import { adminPlugin } from './admin/plugin.ts';
import { Problem, replyWithProblem } from './admin/problem.ts';
import { replyWith, type Answer } from './answer.ts';
import { authorizationEndpoint } from './public/authorization.ts';
import type { Connections } from './connections.ts';
import { consoleRoutes, consoleUrl } from './public/console.ts';
import { endpointDescriptions } from './endpoint-descriptions.ts';
import { errorAnswer, serverErrorAnswer } from './error-response.ts';
import type { Health } from '../runtime/health.ts';
import { healthRoutes } from './public/health.ts';
import { jwksRoute } from './public/jwks.ts';
import { lazyCompilers } from './lazy-compilers.ts';
import { metricsRoute, type MetricsServices } from './public/metrics.ts';
import type { IntrospectingServices } from '../oauth/introspect-token.ts';
import type { RevokingServices } from '../oauth/revoke-token.ts';
import { introspectionEndpoint } from './oauth/introspect.ts';
import {
  ADMIN_PATH,
  AUTHORIZE_PATH,
  INTROSPECT_PATH,
  PORTAL_PATH,
  REVOKE_PATH,
  TOKEN_PATH,
} from './paths.ts';
import { portalPlugin } from './portal/plugin.ts';
import { metadataRoutes } from './public/metadata.ts';
import { revocationEndpoint } from './oauth/revoke.ts';
import { openapiRoute } from './public/openapi.ts';
import { revocationsRoute, type RevocationServices } from './public/revocations.ts';
import { routeTable } from './route-table.ts';
import { boundedServer } from './server.ts';
import { tokenEndpoint, type TokenEndpointServices } from './oauth/token.ts';
import { traceIdOf } from './trace.ts';

export interface AppServices
  extends TokenEndpointServices, IntrospectingServices, RevokingServices, RevocationServices {
  keyring: Keyring;
  connections: Connections;
  health(): Health;
  metrics: MetricsServices['metrics'];
  version: string;
  admin: AdminContext;
}

/** The longest path segment that Fastify accepts as a parameter, such as a username. */
const PARAMETER_LENGTH_MAX = 300;

/**
 * One HTTP server. Endpoints that API users call with their credentials run directly on node:http. All others
 * run on Fastify, whose convenience is worth its cost there (docs/decisions/002).
 */
export async function createApp(services: AppServices, config: Config): Promise<Server> {
  const token = tokenEndpoint(services, config);
  const tokenPath = config.basePath + TOKEN_PATH;
  const others = new Map([
    [config.basePath + AUTHORIZE_PATH, authorizationEndpoint(config.basePath)],
    [config.basePath + INTROSPECT_PATH, introspectionEndpoint(services, config)],
    [config.basePath + REVOKE_PATH, revocationEndpoint(services, config)],
  ]);
  const app = fastify({
    genReqId: (request: IncomingMessage) => traceIdOf(request.headers['traceparent']),
    bodyLimit: config.bodyBytesMax,
    pluginTimeout: 0, // no limit: on a busy machine, plugins take long
    schemaController: { compilersFactory: lazyCompilers() },
    routerOptions: { maxParamLength: PARAMETER_LENGTH_MAX },
    // Fastify runs no hook for a path that it cannot decode, and would answer in its own format.
    rewriteUrl: ({ url = '/' }) => consoleUrl(url),
    frameworkErrors: (_error, request, reply) => {
      reply.header('X-Request-Id', request.id);
      notFound([], request, reply, config);
    },
    clientErrorHandler: () => undefined, // boundedServer answers
    serverFactory: (handler) =>
      boundedServer(config, services.connections, (request, response) => {
        const { url = '' } = request;
        if (url === tokenPath) return token(request, response);
        const path = pathOf(url);
        if (path === tokenPath) return token(request, response);
        return (others.get(path) ?? handler)(request, response);
      }),
  });
  const routes = routeTable(app);
  app.addHook('onRequest', (request, reply, next) => {
    reply.header('X-Request-Id', request.id);
    // A handler would be too late: Fastify reads the body first and could refuse it.
    if (request.is404) notFound(routes.methodsAt(pathOf(request.url)), request, reply, config);
    else next();
  });
  metadataRoutes(app, config);
  jwksRoute(app, services, config);
  revocationsRoute(app, services, config);
  healthRoutes(app, services.health);
  metricsRoute(app, services, config);
  openapiRoute(app, config, services.version, endpointDescriptions(config.basePath));
  await consoleRoutes(app, config, services.version);
  errorRoutes(app, services);
  await app.register(adminPlugin, {
    prefix: config.basePath + ADMIN_PATH,
    context: services.admin,
  });
  await app.register(portalPlugin, {
    prefix: config.basePath + PORTAL_PATH,
    context: services.admin,
  });
  await app.ready();
  return app.server;
}

/** Answers 404, or 405 if the path has other methods. `methods`: the methods of the path. */
function notFound(
  methods: readonly string[],
  request: FastifyRequest,
  reply: FastifyReply,
  config: Config,
): void {
  const allowed = methods.join(', ');
  if (allowed !== '') reply.header('Allow', allowed);
  const api = [ADMIN_PATH, PORTAL_PATH].find((path) =>
    pathOf(request.url).startsWith(`${config.basePath}${path}/`),
  );
  if (api !== undefined) {
    replyWithProblem(
      reply,
      allowed === ''
        ? new Problem(
            'not_found',
            `There is nothing at this path: ${config.basePath}${api}/openapi.json lists all.`,
          )
        : new Problem('method_not_allowed', `This path allows only ${allowed}.`),
    );
  } else if (allowed === '') replyWith(reply, notFoundAnswer(request.id, config));
  else replyWith(reply, errorAnswer(405, 'method_not_allowed', 'This is read with GET.', request.id));
}

function notFoundAnswer(traceId: string, { basePath }: Config): Answer {
  const description = `There is nothing at this path: tokens are asked for at ${basePath}${TOKEN_PATH}.`;
  return errorAnswer(404, 'not_found', description, traceId);
}

function errorRoutes(app: FastifyInstance, services: AppServices): void {
  app.setErrorHandler((error: Error & { statusCode?: number }, request: FastifyRequest, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500) {
      return replyWith(
        reply,
        errorAnswer(status, 'invalid_request', 'The request is malformed.', request.id),
      );
    }
    services.log.error({ traceId: request.id, err: error }, 'a route failed');
    return replyWith(reply, serverErrorAnswer(request.id));
  });
}

/** The path of a request target. A proxy may send a whole URL (absolute-form, RFC 9112 §3.2.2). */
function pathOf(target: string): string {
  const start = target.startsWith('/') ? 0 : Math.max(0, target.indexOf('/', target.indexOf('://') + 3));
  const query = target.indexOf('?');
  return target.slice(start, query < 0 ? target.length : query);
}
