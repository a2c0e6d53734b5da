/** Identifies a change that its caller may request again after a lost response (`Idempotency-Key`). */
export interface Idempotency {
  /** The caller's name for the change: unique among those of one actor. */
  key: string;
  /** A digest of the whole request: the same key must not stand for another change. */
  request: string;
}
