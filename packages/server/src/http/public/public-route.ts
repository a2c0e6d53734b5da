import type { FastifyInstance, FastifyReply, RouteHandlerMethod } from 'fastify';

/** How long a browser may cache a preflight answer, in seconds: two hours, the maximum of Chromium. */
const PREFLIGHT_MAX_AGE_SECONDS = 7200;

/**
 * Serves GET of a document with only public facts. Scripts of any website may read it (CORS protocol of the
 * Fetch standard). Without Access-Control-Allow-Credentials, browsers neither send nor accept cookies here.
 */
export function publicRoute(app: FastifyInstance, path: string, handler: RouteHandlerMethod): void {
  app.get(path, { onRequest: (_request, reply, next) => (allowAnyOrigin(reply), next()) }, handler);
  app.options(path, (_request, reply) =>
    allowAnyOrigin(reply)
      .header('Allow', 'GET, HEAD, OPTIONS')
      .header('Access-Control-Allow-Methods', 'GET, HEAD')
      .header('Access-Control-Allow-Headers', '*')
      .header('Access-Control-Max-Age', String(PREFLIGHT_MAX_AGE_SECONDS))
      .code(204)
      .send(),
  );
}

function allowAnyOrigin(reply: FastifyReply): FastifyReply {
  return reply.header('Access-Control-Allow-Origin', '*').header('Access-Control-Expose-Headers', '*');
}
