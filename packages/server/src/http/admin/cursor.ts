import { holdsControl } from '../../domain/characters.ts';
import { Problem } from './problem.ts';

/** Where a page ended: the values by which its list is sorted. Never more than data: they reach SQL as parameters. */
export type Position = readonly (string | number | null)[];

/**
 * A position as an opaque text. `order` names the list and how it is sorted: a position of another order means nothing,
 * and is refused instead of giving a page from anywhere.
 */
export function cursorOf(order: string, position: Position): string {
  return Buffer.from(JSON.stringify([order, ...position])).toString('base64url');
}

/** The position in a cursor of this order; null where there is no cursor. `isPosition` checks the types of its values. */
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

/** No text of a store holds a control character, and PostgreSQL takes no NUL. */
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
