import type { ServerResponse } from 'node:http';
import type { Answer } from '../answer.ts';

/** A response of a public endpoint as a value. */
export interface Document {
  status: number;
  /** Names and values, alternating. `sendDocument` adds Content-Type, Content-Length and X-Request-Id. */
  headers: readonly string[];
  /** The media type; null: the response has no body. */
  type: string | null;
  body: string | Uint8Array;
}

export const JSON_TYPE = 'application/json; charset=utf-8';

/** An unchanged document (RFC 9110 §15.4.5). */
export function notModified(headers: readonly string[]): Document {
  return { status: 304, headers, type: null, body: '' };
}

export function answerOf({ status, headers, body }: Answer): Document {
  return { status, headers, type: JSON_TYPE, body };
}

/** Sends the document; node:http leaves out the body of an answer to HEAD. */
export function sendDocument(
  response: ServerResponse,
  { status, headers, type, body }: Document,
  traceId: string,
  more: readonly string[] = [],
): void {
  const all = [...headers, ...more, 'X-Request-Id', traceId];
  if (type !== null) all.push('Content-Type', type, 'Content-Length', String(Buffer.byteLength(body)));
  response.writeHead(status, all).end(body);
}
