import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Config } from '../config/config.ts';
import { sendAnswer, type RequestHandler } from './answer.ts';
import type { Connections } from './connections.ts';
import { errorAnswer } from './error-response.ts';
import { framingProblem, HEADERS_MAX } from './framing.ts';
import { ServedRequest } from './served-request.ts';
import { ServedResponse } from './served-response.ts';
import { retryAfter } from './rate-limit-headers.ts';
import { spread } from './spread.ts';
import { traceIdOf } from './trace.ts';

// An `import` would read every export of node:http, and WebSocket among them loads undici: 15 MiB and 40 ms.
const { createServer, STATUS_CODES } = process.getBuiltinModule('node:http');

type Bounds = Pick<
  Config,
  'headerBytesMax' | 'headersTimeoutMs' | 'requestTimeoutMs' | 'keepAliveTimeoutMs' | 'connectionsMax'
>;

/**
 * Interval of the check for slow requests: the precision of the timeouts. It bounds how many expire together.
 */
const CHECK_MS = 100;
/** The timeout of an idle connection is this much longer than that of a request. */
const IDLE_MORE_MS = 2000;

/** A node:http server in which every header, body, wait and connection has a bound. */
export function boundedServer(bounds: Bounds, connections: Connections, handler: RequestHandler): Server {
  function handle(request: ServedRequest, response: ServedResponse): void {
    // This server is stopping. The client opens a new connection, to a server that still listens.
    if (!server.listening) response.shouldKeepAlive = false;
    const problem = framingProblem(request);
    if (problem !== null) refuse(request, response, ...problem);
    else if (connections.admitsRequest(request, response)) handler(request, response);
    else refuseInFlight(request, response);
  }

  const server = createServer(
    {
      IncomingMessage: ServedRequest,
      ServerResponse: ServedResponse,
      maxHeaderSize: bounds.headerBytesMax,
      headersTimeout: bounds.headersTimeoutMs,
      requestTimeout: bounds.requestTimeoutMs,
      keepAliveTimeout: bounds.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(CHECK_MS, bounds.headersTimeoutMs),
      insecureHTTPParser: false,
      requireHostHeader: false, // `framingProblem` refuses it, in the documented form
      joinDuplicateHeaders: true, // else Node drops all but the first, and a proxy may use another
    },
    handle,
  );
  server.on('connection', (socket: Socket) => {
    if (!connections.admitsConnection(socket)) socket.destroy();
  });
  server.on('drop', connections.noteDropped);
  // Without this listener Node would ask for every body, however long (RFC 9110 §10.1.1): see `invitesBody`.
  server.on('checkContinue', handle);
  server.on('checkExpectation', (request: IncomingMessage, response: ServedResponse) => {
    const unknown = [417, 'The only expectation that is met is 100-continue.'] as const;
    refuse(request, response, ...(framingProblem(request) ?? unknown));
  });
  // Ends a connection without traffic during an answer: its client sends but never reads. The other timeouts
  // see only arriving data. They are shorter and so expire first, because their answers name the problem.
  server.timeout = bounds.requestTimeoutMs + IDLE_MORE_MS;
  server.maxHeadersCount = HEADERS_MAX + 1; // Node drops the rest; one more line reveals an excess
  server.maxConnections = bounds.connectionsMax;
  endInTurns(server);
  return server;
}

/** Ends expired connections a few at a time. After new traffic, a connection stays until its next timeout. */
function endInTurns(server: Server): void {
  const inTurn = spread();
  server.on('clientError', (error: Error & { code?: string }, socket: Socket) => {
    if (error.code !== 'ERR_HTTP_REQUEST_TIMEOUT') return answerMalformed(error.code ?? '', socket);
    const { bytesWritten } = socket;
    return inTurn(() => {
      // If bytes were written since, the rest of the request arrived and got its answer.
      if (socket.bytesWritten === bytesWritten) answerMalformed(error.code ?? '', socket);
      else socket.destroySoon();
    });
  });
  server.on('timeout', (socket: Socket) => {
    const { bytesRead, bytesWritten } = socket;
    inTurn(() => {
      if (socket.bytesRead === bytesRead && socket.bytesWritten === bytesWritten) socket.destroy();
    });
  });
}

/** 429 and not 503: the caller is at fault, and a proxy must not take this server out of service. */
function refuseInFlight(request: IncomingMessage, response: ServedResponse): void {
  const description = 'Too many requests from this network address are in flight: wait for their answers.';
  refuse(request, response, 429, description, 'rate_limit_exceeded', retryAfter(IN_FLIGHT_RETRY_MS));
}

const IN_FLIGHT_RETRY_MS = 1000;

/** Connections that end after the answer to a refused request. The server ignores later data on them. */
const refused = new WeakSet<Socket>();

function refuse(
  request: IncomingMessage,
  response: ServedResponse,
  status: number,
  description: string,
  error = 'invalid_request',
  headers: readonly string[] = [],
): void {
  const traceId = traceIdOf(request.headers['traceparent']);
  refused.add(request.socket);
  response.shouldKeepAlive = false;
  sendAnswer(response, errorAnswer(status, error, description, traceId, headers), traceId);
}

/** Answers input that the HTTP parser refused, on the bare connection, and closes the connection. */
function answerMalformed(code: string, socket: Socket): void {
  if (refused.has(socket)) return;
  if (!socket.writable || code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, description] = MALFORMED[code] ?? [400, 'This is not a well-formed HTTP request.'];
  const traceId = traceIdOf(undefined);
  const { headers, body } = errorAnswer(status, 'invalid_request', description, traceId);
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...pairs([...headers, 'Content-Type', 'application/json', 'X-Request-Id', traceId]),
    `Content-Length: ${body.length}`,
    'Connection: close',
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

function pairs(headers: readonly string[]): string[] {
  return headers.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${headers[i + 1]}`] : []));
}

const MALFORMED: Readonly<Record<string, [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'The headers are too long: send fewer or shorter ones.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request took too long to arrive: send it whole, without waiting.'],
};
