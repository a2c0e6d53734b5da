import { durationMs } from '../../lib/duration.ts';

/** Milliseconds, or a text such as `20 min`, `2 s`, `500 ms`, `24 hours`, `90 days`. */
export type Span = number | string;

/** A value that a test passed to the sandbox is not allowed. */
export class InvalidInput extends TypeError {}

/** Throws InvalidInput that names `what` if the span is not valid. */
export function spanMs(span: Span, what: string): number {
  const ms = typeof span === 'number' ? span : durationMs(abbreviated(span));
  if (ms !== null && Number.isFinite(ms) && ms >= 0) return ms;
  throw new InvalidInput(
    `${what}: ${JSON.stringify(span)} is not a span of time: write milliseconds, or a text such as "20 min", "2 s", "90 days".`,
  );
}

function abbreviated(text: string): string {
  return text
    .replaceAll(' ', '')
    .replace(
      /(\d)(min|[smhd](?:ec|econd|inute|our|ay)s?)$/,
      (_, digit: string, unit: string) => digit + unit.slice(0, 1),
    );
}
