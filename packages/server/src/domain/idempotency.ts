import type { AuditSubject } from './audit-entry.ts';

/** A change that its caller may ask for again because it did not hear of the answer (`Idempotency-Key`). */
export interface Idempotency {
  /** The caller's name for the change: unique among those of one actor. */
  key: string;
  /** A digest of all that was asked for: the same key must not stand for another change. */
  request: string;
}

/** Thrown, so that nothing is done again: the change was made already. */
export class Replayed extends Error {
  override readonly name = 'Replayed';
  /** What the change made. Never a secret. */
  readonly made: readonly AuditSubject[];

  constructor(made: readonly AuditSubject[]) {
    super('This was done already.');
    this.made = made;
  }
}
