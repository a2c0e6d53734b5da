import { headerOf, type RequestLike } from './bearer.ts';

/** The request's path without its query, which may hold secrets; undefined without a valid URL. */
export function pathOf({ originalUrl, url }: RequestLike): string | undefined {
  // Express and Fastify remove routers' prefixes from `url`; a fetch Request has an absolute URL.
  const target = originalUrl ?? url;
  if (target === undefined) return undefined;
  if (target.startsWith('/')) return target.split(/[?#]/, 1)[0];
  return URL.canParse(target, 'http://localhost') ? new URL(target, 'http://localhost').pathname : undefined;
}

// W3C Trace Context §3.2.2 forbids version ff.
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/;
const TRACE_ID_BYTES = 16;

/** The request's trace id, or a new one. */
export function traceIdOf(request: RequestLike): string {
  const [, traceId] = TRACEPARENT.exec(headerOf(request, 'traceparent') ?? '') ?? [];
  return traceId ?? newTraceId();
}

function newTraceId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(TRACE_ID_BYTES));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
