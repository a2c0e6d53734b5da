import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

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

const CONTENT_TYPE: readonly string[] = ['Content-Type', 'application/json'];

export function sendAnswer(response: ServerResponse, answer: Answer, traceId: string): void {
  response.writeHead(answer.status, [
    ...answer.headers,
    ...(answer.body === '' ? [] : CONTENT_TYPE),
    'Content-Length',
    String(answer.body.length),
    'X-Request-Id',
    traceId,
  ]);
  response.end(answer.body, 'latin1'); // ASCII: half the cost of UTF-8
}

/** The same through Fastify, which knows the request's id already. */
export function replyWith(reply: FastifyReply, answer: Answer): FastifyReply {
  for (let i = 0; i < answer.headers.length; i += 2) {
    reply.header(answer.headers[i] as string, answer.headers[i + 1]);
  }
  return reply.code(answer.status).type('application/json').send(answer.body);
}
