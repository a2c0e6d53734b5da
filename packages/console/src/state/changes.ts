import type { ChangeEventJson } from '../../../server/src/http/admin/event.wire.ts';

/** A change of anything: what changed is not known. */
export const ANY_CHANGE: ChangeEventJson = { noun: '*', id: '*' };

const listeners = new Set<(change: ChangeEventJson) => void>();

export function onChange(listener: (change: ChangeEventJson) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function tellChange(change: ChangeEventJson): void {
  for (const listener of listeners) listener(change);
}
