import { holdsControl } from '../../domain/characters.ts';
import { Problem } from './problem.ts';

/** The sort values of the last item of a page. SQL gets them only as parameters. */
export type Position = readonly (string | number | null)[];

/**
 * Encodes a position as an opaque text. `order` names the list and its sort order: `positionOf` refuses a
 * cursor from a different list or order, which would select an arbitrary page.
 */
export function cursorOf(order: string, position: Position): string {
  return Buffer.from(JSON.stringify([order, ...position])).toString('base64url');
}

/** The position in a cursor of this order; null without a cursor. `isPosition` checks the value types. */
export function positionOf<P extends Position>(
  order: string,
  cursor: string | undefined,
  isPosition: (position: readonly unknown[]) => position is P,
): P | null {
  if (cursor === undefined) return null;
  const [of, ...position] = parsed(cursor);
  const values: readonly unknown[] = position;
  if (of === order && values.every(isStored) && isPosition(values)) return values;
  throw new Problem('invalid', 'The cursor is not one of this list in this order: begin again.', {
    faults: [{ pointer: '?after', detail: 'must be `next` of the page before' }],
  });
}

/** Stored texts hold no control characters, and PostgreSQL refuses NUL. */
function isStored(value: unknown): boolean {
  return typeof value !== 'string' || !holdsControl(value);
}

function parsed(cursor: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
