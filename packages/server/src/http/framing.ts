import type { IncomingMessage, ServerResponse } from 'node:http';

/** The most header lines of a request. */
export const HEADERS_MAX = 100;
/** A host and port (RFC 3986 §3.2.2 and §3.2.3). Not a comma, with which Node joins two Host headers. */
const HOST = /^(?:[\w.~%!$&'()*+;=-]*|\[[\w:.%~-]+\])(?::\d*)?$/;

type HttpProblem = readonly [status: number, description: string];

/** Finds a problem that Node's parser accepts and a proxy may parse as a different request. Null: none. */
export function framingProblem({ headers, rawHeaders, httpVersion }: IncomingMessage): HttpProblem | null {
  const { host, 'transfer-encoding': transferEncoding } = headers;
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return [505, 'Send HTTP/1.1.'];
  if (rawHeaders.length > 2 * HEADERS_MAX) return [431, `Send at most ${HEADERS_MAX} headers.`];
  if (transferEncoding !== undefined) {
    if (httpVersion === '1.0') return [400, 'HTTP/1.0 has no Transfer-Encoding: send Content-Length.'];
    if (transferEncoding.toLowerCase() !== 'chunked')
      return [400, 'The only Transfer-Encoding that is read is chunked (RFC 9112 section 6.1).'];
  }
  if (host === undefined) {
    if (httpVersion === '1.0') return null;
    return [400, 'The Host header is missing: send one (RFC 9112 section 3.2).'];
  }
  if (host === lastHost) return null;
  if (!HOST.test(host)) return [400, 'Send one Host header: a name or an address, and a port.'];
  lastHost = host;
  return null;
}

/** Most requests have the Host header of the one before, which is well-formed. */
let lastHost = '';

/**
 * Sends `100 Continue` to a client that waits for it before it sends the body (RFC 9110 §10.1.1). Returns
 * false if the declared length of the body exceeds `bytesMax`: then refuse the request at once.
 */
export function invitesBody(request: IncomingMessage, response: ServerResponse, bytesMax: number): boolean {
  const { headers, httpVersion } = request;
  // HTTP/1.0 has no expectations. The server has already refused expectations other than 100-continue.
  if (headers.expect === undefined || httpVersion === '1.0') return true;
  if (Number(headers['content-length'] ?? 0) > bytesMax) return false;
  response.writeContinue();
  return true;
}
