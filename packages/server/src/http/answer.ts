import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** A whole response, as a value. */
export interface Answer {
  status: number;
  /** Names and values in turn. Content-Type, Content-Length and the request's id are added to them. */
  headers: readonly string[];
  /** JSON, in ASCII; or nothing. */
  body: string;
}

/** Nothing of the token endpoint may be kept by a cache (RFC 6749 §5.1). */
export const NO_STORE: readonly string[] = ['Cache-Control', 'no-store', 'Pragma', 'no-cache'];

export function sendAnswer(response: ServerResponse, answer: Answer, traceId: string): void {
  const headers = answer.headers.slice(); // a copy is cheaper than to spread one into another
  headers.push('Content-Length', String(answer.body.length), 'X-Request-Id', traceId);
  if (answer.body !== '') headers.push('Content-Type', 'application/json');
  response.writeHead(answer.status, headers);
  response.end(answer.body, 'latin1'); // ASCII: half the cost of UTF-8
}

/** The same through Fastify, which knows the request's id already. */
export function replyWith(reply: FastifyReply, answer: Answer): FastifyReply {
  for (let i = 0; i < answer.headers.length; i += 2) {
    reply.header(answer.headers[i] as string, answer.headers[i + 1]);
  }
  return reply.code(answer.status).type('application/json').send(answer.body);
}
