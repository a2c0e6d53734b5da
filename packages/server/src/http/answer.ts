import type { ServerResponse } from 'node:http';

/** A whole response, as a value. */
export interface Answer {
  status: number;
  /** Names and values in turn. Content-Type, Content-Length and the request's id are added to them. */
  headers: readonly string[];
  /** JSON, in ASCII. */
  body: string;
}

/** Nothing of the token endpoint may be kept by a cache (RFC 6749 §5.1). */
export const NO_STORE: readonly string[] = ['Cache-Control', 'no-store', 'Pragma', 'no-cache'];

export function sendAnswer(response: ServerResponse, answer: Answer, traceId: string): void {
  response.writeHead(answer.status, [
    ...answer.headers,
    'Content-Type',
    'application/json',
    'Content-Length',
    String(answer.body.length),
    'X-Request-Id',
    traceId,
  ]);
  response.end(answer.body, 'latin1'); // ASCII: half the cost of UTF-8
}
