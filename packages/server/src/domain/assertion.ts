/** The claims of an assertion: a JSON object. */
export type AssertionClaims = Readonly<Record<string, unknown>>;

/** By how much the clock of a signer may differ from ours, for `exp`, `nbf` and `iat`. */
export const ASSERTION_CLOCK_SKEW_SECONDS = 30;
