import type { FastifyInstance, FastifyReply, RouteHandlerMethod } from 'fastify';
import { header, headerReferences, text, whole, type Description } from '../operation.ts';

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

/** The operations of a public route: its GET, and the preflight that browsers send. */
export function publicOperations(name: string, get: Description): Description {
  const headers = headerReferences(Object.keys(CORS_HEADERS));
  const responses = Object.entries(get['responses'] as Record<string, { headers?: Description }>);
  const withCors = responses.map(([status, response]) => [
    status,
    { ...response, headers: { ...response.headers, ...headers } },
  ]);
  const preflight = {
    operationId: `preflight${name}`,
    summary: 'The preflight of a browser (CORS protocol of the Fetch standard).',
    security: [],
    responses: {
      '204': {
        description: 'Scripts of any website may read the document, without credentials.',
        headers: { ...headers, ...headerReferences(Object.keys(PREFLIGHT_HEADERS)) },
      },
    },
  };
  return { get: { ...get, responses: Object.fromEntries(withCors) as Description }, options: preflight };
}

const CORS_HEADERS: Description = {
  'Access-Control-Allow-Origin': header('Any website.', { ...text, const: '*' }),
  'Access-Control-Expose-Headers': header('All headers.', { ...text, const: '*' }),
};

const PREFLIGHT_HEADERS: Description = {
  'Access-Control-Allow-Methods': header('GET, HEAD'),
  'Access-Control-Allow-Headers': header('All headers.', { ...text, const: '*' }),
  'Access-Control-Max-Age': header('Seconds.', whole),
};

export const PUBLIC_ROUTE_HEADERS: Description = { ...CORS_HEADERS, ...PREFLIGHT_HEADERS };
