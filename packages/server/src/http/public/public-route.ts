import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorAnswer } from '../error-response.ts';
import { header, headerReferences, text, whole, type Description } from '../operation.ts';
import { answerOf, sendDocument, type Document } from './document.ts';

/** How long a browser may cache a preflight answer, in seconds: two hours, the maximum of Chromium. */
const PREFLIGHT_MAX_AGE_SECONDS = 7200;

/** What a GET of one path returns. HEAD returns the same without the body. */
export interface PublicRoute {
  path: string;
  /** Scripts of any website may read it. */
  anyOrigin: boolean;
  get(request: IncomingMessage, traceId: string): Document | Promise<Document>;
}

/**
 * A document with only public facts. Scripts of any website may read it (CORS protocol of the Fetch
 * standard). Without Access-Control-Allow-Credentials, browsers neither send nor accept cookies here.
 */
export function publicRoute(path: string, get: PublicRoute['get']): PublicRoute {
  return { path, anyOrigin: true, get };
}

/** A document for callers without a browser. */
export function ownRoute(path: string, get: PublicRoute['get']): PublicRoute {
  return { path, anyOrigin: false, get };
}

/** Answers a request for this route. `failed` returns the answer to an error of the route. */
export function serveRoute(
  { anyOrigin, get }: PublicRoute,
  request: IncomingMessage,
  response: ServerResponse,
  { traceId, failed }: { traceId: string; failed(error: unknown): Document },
): void {
  const more = anyOrigin ? ANY_ORIGIN : [];
  const send = (document: Document) => sendDocument(response, document, traceId, more);
  const { method } = request;
  if (method === 'GET' || method === 'HEAD') {
    try {
      const document = get(request, traceId);
      if (document instanceof Promise) void document.catch(failed).then(send);
      else send(document);
    } catch (error) {
      send(failed(error));
    }
  } else if (anyOrigin && method === 'OPTIONS') send(PREFLIGHT);
  else {
    const allowed = anyOrigin ? 'GET, HEAD, OPTIONS' : 'GET, HEAD';
    const answer = errorAnswer(405, 'method_not_allowed', ONLY_GET, traceId, ['Allow', allowed]);
    sendDocument(response, answerOf(answer), traceId);
  }
}

const ONLY_GET = 'This is read with GET.';

const ANY_ORIGIN = ['Access-Control-Allow-Origin', '*', 'Access-Control-Expose-Headers', '*'];

const PREFLIGHT: Document = {
  status: 204,
  headers: Object.entries({
    Allow: 'GET, HEAD, OPTIONS',
    'Access-Control-Allow-Methods': 'GET, HEAD',
    'Access-Control-Allow-Headers': '*',
    'Access-Control-Max-Age': String(PREFLIGHT_MAX_AGE_SECONDS),
  }).flat(),
  type: null,
  body: '',
};

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
