import type { IncomingMessage, Server } from 'node:http';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Config } from '../config/config.ts';
import type { AdminContext } from './admin/context.ts';
import { adminPlugin } from './admin/plugin.ts';
import { Problem, replyWithProblem } from './admin/problem.ts';
import { replyWith, type RequestHandler } from './answer.ts';
import { errorAnswer, serverErrorAnswer } from './error-response.ts';
import { lazyCompilers } from './lazy-compilers.ts';
import { ADMIN_PATH, PORTAL_PATH } from './paths.ts';
import { portalPlugin } from './portal/plugin.ts';
import { consoleRoutes, consoleUrl } from './public/console.ts';
import { notFoundAnswer, pathOf } from './request-path.ts';
import { routeTable } from './route-table.ts';
import { traceIdOf } from './trace.ts';

/** The longest path segment that Fastify accepts as a parameter, such as a username. */
const PARAMETER_LENGTH_MAX = 300;

/** The admin API, the portal and the console, for requests that `server` got. */
export async function createManagement(
  context: AdminContext,
  config: Config,
  version: string,
  server: Server,
): Promise<RequestHandler> {
  let handler: RequestHandler | undefined;
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
    serverFactory: (handle) => {
      handler = handle;
      return server;
    },
  });
  const routes = routeTable(app);
  app.addHook('onRequest', (request, reply, next) => {
    reply.header('X-Request-Id', request.id);
    // A handler would be too late: Fastify reads the body first and could refuse it.
    if (request.is404) notFound(routes.methodsAt(pathOf(request.url)), request, reply, config);
    else next();
  });
  await consoleRoutes(app, config, version);
  errorRoutes(app, context);
  await app.register(adminPlugin, { prefix: config.basePath + ADMIN_PATH, context });
  await app.register(portalPlugin, { prefix: config.basePath + PORTAL_PATH, context });
  await app.ready();
  if (handler === undefined) throw new Error('Fastify has made no handler.');
  return handler;
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

function errorRoutes(app: FastifyInstance, { log }: Pick<AdminContext, 'log'>): void {
  app.setErrorHandler((error: Error & { statusCode?: number }, request: FastifyRequest, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500) {
      return replyWith(
        reply,
        errorAnswer(status, 'invalid_request', 'The request is malformed.', request.id),
      );
    }
    log.error({ traceId: request.id, err: error }, 'a route failed');
    return replyWith(reply, serverErrorAnswer(request.id));
  });
}
