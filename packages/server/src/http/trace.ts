import { pooledRandom } from '../lib/random.ts';
import { header, type Description } from './operation.ts';

const TRACE_ID_BYTES = 16;
// W3C Trace Context §3.2.2: version ff is not allowed.
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/;

const newTraceId = pooledRandom(TRACE_ID_BYTES, 'hex');

/**
 * The trace id of the caller's `traceparent`, or a new one: 32 hexadecimal digits that identify the request.
 */
export function traceIdOf(traceparent: string | string[] | undefined): string {
  if (typeof traceparent !== 'string') return newTraceId();
  const [, version, traceId, more] = TRACEPARENT.exec(traceparent) ?? [];
  // Version 00 has exactly these fields; a later one may have more.
  return traceId === undefined || (version === '00' && more !== undefined) ? newTraceId() : traceId;
}

export const TRACE_HEADERS: Description = {
  'X-Request-Id': header('The trace id of the request: 32 hexadecimal digits.'),
};
