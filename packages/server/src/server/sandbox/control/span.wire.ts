import Type, { type TUnsafe } from 'typebox';
import type { Span } from '../span.ts';

const SPAN_LENGTH_MAX = 30;

/** A span of time in a request. */
export function span(description: string): TUnsafe<Span> {
  return Type.Unsafe<Span>({
    type: ['string', 'number'],
    maxLength: SPAN_LENGTH_MAX,
    minimum: 0,
    description: `${description}: such as "20 min", "2 s", "500 ms", or a number of milliseconds`,
  });
}
