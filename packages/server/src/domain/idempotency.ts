/** A change that its caller may ask for again because it did not hear of the answer (`Idempotency-Key`). */
export interface Idempotency {
  /** The caller's name for the change: unique among those of one actor. */
  key: string;
  /** A digest of all that was asked for: the same key must not stand for another change. */
  request: string;
}
