import type { FastifyReply } from 'fastify';
import type { ServedRequest } from './served-request.ts';
import type { ServedResponse } from './served-response.ts';

export type RequestHandler = (request: ServedRequest, response: ServedResponse) => void;

/** A complete response as a value. */
export interface Answer {
  status: number;
  /** Names and values, alternating. `sendAnswer` adds Content-Type, Content-Length and X-Request-Id. */
  headers: readonly string[];
  /** JSON in ASCII (lib/ascii-json.ts), or empty. */
  body: string;
}

/** Caches may not keep an answer of the token endpoint (RFC 6749 §5.1). */
export const NO_STORE: readonly string[] = ['Cache-Control', 'no-store', 'Pragma', 'no-cache'];

export function sendAnswer(response: ServedResponse, answer: Answer, traceId: string): void {
  const own =
    answer.body === ''
      ? ['X-Request-Id', traceId]
      : ['X-Request-Id', traceId, 'Content-Type', 'application/json'];
  response.writeLines(answer.status, joinedHeaders(answer.headers, own), answer.body.length);
  response.end(answer.body, 'latin1'); // ASCII: half the cost of UTF-8
}

/** Both lists of headers. Allocates once: `concat`, spread syntax and `push` cost three times as much. */
export function joinedHeaders(first: readonly string[], second: readonly string[]): string[] {
  // oxlint-disable-next-line unicorn/no-new-array -- `Array.from` calls a function for each element
  const headers = new Array<string>(first.length + second.length);
  for (let i = 0; i < first.length; i++) headers[i] = first[i] as string;
  for (let i = 0; i < second.length; i++) headers[first.length + i] = second[i] as string;
  return headers;
}

/** Sends an answer through Fastify, which already set X-Request-Id. */
export function replyWith(reply: FastifyReply, answer: Answer): FastifyReply {
  for (let i = 0; i < answer.headers.length; i += 2) {
    reply.header(answer.headers[i] as string, answer.headers[i + 1]);
  }
  return reply.code(answer.status).type('application/json').send(answer.body);
}
