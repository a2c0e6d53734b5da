import { traceIdOf } from './trace.ts';

/** The headers of a request that the token endpoint looks at. */
export interface TokenHeaders {
  contentType: string | undefined;
  contentEncoding: string | undefined;
  authorization: string | undefined;
  /** From `traceparent`, or new. */
  traceId: string;
}

/**
 * Reads them from the raw list of names and values: `request.headers` would first make an object of all headers, for
 * every token. As there, the first of several counts.
 */
export function readTokenHeaders(rawHeaders: readonly string[]): TokenHeaders {
  const headers: Record<string, string | undefined> = {};
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (!LENGTHS.has(name.length)) continue;
    headers[name.toLowerCase()] ??= rawHeaders[i + 1];
  }
  return {
    contentType: headers['content-type'],
    contentEncoding: headers['content-encoding'],
    authorization: headers['authorization'],
    traceId: traceIdOf(headers['traceparent']),
  };
}

const LENGTHS = new Set(
  ['content-type', 'content-encoding', 'authorization', 'traceparent'].map((name) => name.length),
);
