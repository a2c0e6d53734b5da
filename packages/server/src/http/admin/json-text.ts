import { isUtf8 } from 'node:buffer';
import type { FastifyRequest } from 'fastify';
import { jsonTextFault } from '../../domain/characters.ts';
import { Problem } from './problem.ts';

/** The body as text. Throws a Problem if it is not UTF-8, which RFC 8259 section 8.1 requires. */
export function jsonTextOf(request: FastifyRequest, body: Buffer): string {
  refuseCharset(request);
  if (!isUtf8(body)) throw new Problem('invalid', 'The body is not UTF-8: encode it as such.');
  return body.toString('utf8');
}

/** Returns a Problem if an escape in the JSON encodes a forbidden character. `value` is the parsed `text`. */
export function escapeProblem(text: string, value: unknown): Problem | null {
  const fault = text.includes('\\u') ? jsonTextFault(value) : null;
  if (fault === null) return null;
  const pointer = fault.member === '' ? '' : `/${fault.member.slice(0, POINTER_LENGTH_MAX)}`;
  const faults = [{ pointer, detail: fault.problem }];
  return new Problem('invalid', `The JSON cannot be stored as it is. ${fault.problem}`, { faults });
}

/** A pointer quotes member names that a caller chose, so it needs a bound. */
const POINTER_LENGTH_MAX = 200;

/** Throws a Problem if the request names a charset other than UTF-8 for its body. */
export function refuseCharset(request: FastifyRequest): void {
  for (const [, quoted, token = ''] of (request.headers['content-type'] ?? '').matchAll(CHARSET)) {
    if (/^utf-?8$/i.test(quoted ?? token)) continue;
    throw new Problem(
      'invalid',
      'The charset in Content-Type is not UTF-8: send UTF-8, and no other charset.',
    );
  }
}

const CHARSET = /;[ \t]*charset[ \t]*=[ \t]*(?:"([^"]*)"|([^;]*))/gi;
